"""Maintenance windows: snapshots of apps, and runs that bring apps back."""
