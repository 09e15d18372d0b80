"""The command line: arguments in, calls of the Client, text or JSON and an exit status out."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; the entry point of `aioappsapi` and `python -m aioappsapi`."""
    try:
        if sys.argv[1:2] == ["sandbox"]:
            # It starts in half the time without the client and the other commands.
            sys.exit(serve(sys.argv[2:]))
        _run()
    except KeyboardInterrupt:  # so early that nobody else has taken it: while modules are read
        sys.exit(130)


def _run() -> None:
    try:
        from aioappsapi.cli.commands import run
    except ModuleNotFoundError as missing:
        sys.exit(
            f"aioappsapi: the command line needs {missing.name}: install aioappsapi[cli], "
            "which brings it."
        )
    run()


def serve(arguments: list[str]) -> int:
    """Run `aioappsapi sandbox`, whose options are the sandbox's own, to its exit status."""
    from aioappsapi.sandbox.__main__ import main as sandbox

    return sandbox(arguments, prog="aioappsapi sandbox", port=8080, apps=100)
