"""The HTTP server around the API: limits, faults, the wire and the UAA."""
