"""The endpoints of domains and routes."""
