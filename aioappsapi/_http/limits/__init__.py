"""Limits of a client: requests in flight, the rate limit, and the end of a run without success."""
