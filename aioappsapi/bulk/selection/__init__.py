"""The selection of apps, by their names and by their properties."""
