"""The endpoints of the platform itself, and the events."""
