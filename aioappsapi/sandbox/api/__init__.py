"""The v3 API of the sandbox: routes, checks, error texts and JSON."""
