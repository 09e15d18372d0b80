"""Limits on what a client sends: how much is in flight, how fast, and when a run gives up."""
