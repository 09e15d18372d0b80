"""The HTTP server around the API: rate limits, faults, the wire and the UAA."""
