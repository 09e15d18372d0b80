"""The actions of a run, one file each."""
