"""The contents of the sandbox and its faults, without any HTTP."""
