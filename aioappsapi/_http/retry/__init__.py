"""What a failure means, whether the request is sent again, and after what pause."""
