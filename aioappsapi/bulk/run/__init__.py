"""One run over many apps: its state machine, its workers, its journal."""
