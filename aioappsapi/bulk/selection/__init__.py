"""Selection: which apps, by their names and by what they have in common."""
