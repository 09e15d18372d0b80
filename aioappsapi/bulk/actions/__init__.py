"""What a run can do to each app: one file per action."""
