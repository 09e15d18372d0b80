"""The endpoints of apps and of what belongs to one app."""
