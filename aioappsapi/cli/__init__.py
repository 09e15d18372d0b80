"""The command line: arguments in, calls of the Client, text or JSON and an exit status out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main() -> None:
    """Run the command line; the entry point of `aioappsapi` and `python -m aioappsapi`."""
    try:
        status = _run(sys.argv[1:])
    except KeyboardInterrupt:  # while modules are imported, before a command has its own handler
        status = 130
    sys.exit(status)


def _run(arguments: Sequence[str]) -> int:
    if arguments in (["--version"], ["-V"]):  # scripts call this often, so it imports nothing
        return _print_version()
    try:
        from aioappsapi.cli.program import run
    except ModuleNotFoundError as missing:
        sys.stderr.write(
            f"aioappsapi: the command line needs {missing.name}: install aioappsapi[cli], "
            "which brings it.\n"
        )
        return 2
    return run(arguments)


def _print_version() -> int:
    from aioappsapi._version import __version__

    why = "it is closed"
    if sys.stdout is not None:
        try:
            sys.stdout.write(f"aioappsapi {__version__}\n")
            sys.stdout.flush()
        except OSError as cause:
            why = cause.strerror or str(cause)
            # The interpreter would try again at exit, and report an error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        else:
            return 0
    sys.stderr.write(f"aioappsapi: standard output could not be written: {why}\n")
    return 4
