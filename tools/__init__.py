"""What makes the pages and pictures of the docs."""
