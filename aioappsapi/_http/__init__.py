"""The machinery between a resource's method and the wire: protocol, attempts, transport."""
