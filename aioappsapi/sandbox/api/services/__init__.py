"""The endpoints of service brokers, offerings, plans, instances and bindings."""
