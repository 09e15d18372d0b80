"""The command line: arguments in, calls of the Client, text or JSON and an exit status out."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; the entry point of `aioappsapi` and `python -m aioappsapi`."""
    try:
        from aioappsapi.cli.commands import run
    except ModuleNotFoundError as missing:
        sys.exit(
            f"aioappsapi: the command line needs {missing.name}: install aioappsapi[cli], "
            "which brings it."
        )
    run()
