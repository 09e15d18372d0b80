"""One file per resource of the API: an `Operation` and a typed method per endpoint."""
