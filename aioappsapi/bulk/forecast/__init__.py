"""Forecasts of bulk runs: what would happen to each app, and what the run would cost."""
