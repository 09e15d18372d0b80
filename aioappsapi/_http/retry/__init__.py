"""The meaning of failures, and the retries with their pauses."""
