"""One file per resource of the API: its endpoints, each with a typed method."""
