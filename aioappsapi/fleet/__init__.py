"""Several foundations at once: named targets, one run over all of them, one report."""
