"""How many requests may be in flight, and how many the server's rate limit still allows."""
