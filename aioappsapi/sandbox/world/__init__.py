"""What there is in the sandbox, and what goes wrong with it; it knows nothing of HTTP."""
