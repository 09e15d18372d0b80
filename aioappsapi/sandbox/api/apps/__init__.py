"""The endpoints of apps and of all resources that belong to one app."""
