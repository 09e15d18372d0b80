"""Reports of bulk runs: outcomes, counts, timings, comparisons, files."""
