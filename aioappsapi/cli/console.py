"""The two streams: standard output is for the result, standard error for everything else."""

from __future__ import annotations

import logging
import signal
import sys
from enum import IntEnum
from typing import Final, Literal

from rich.console import Console
from rich.prompt import Confirm

from aioappsapi.bulk.reports.text import printable
from aioappsapi.errors import InvalidInputError

Output = Literal["text", "json", "jsonl"]

out: Final = Console(soft_wrap=True)
err: Final = Console(stderr=True, soft_wrap=True)


class Exit(IntEnum):
    """What the exit status says."""

    AS_ASKED = 0
    NOT_ALL = 1
    USAGE = 2
    COULD_NOT_BEGIN = 3
    BUG = 70
    INTERRUPTED = 130


def say(message: str) -> None:
    """Tell the person at the terminal something, on standard error."""
    err.print(f"aioappsapi: {printable(message)}", markup=False, highlight=False, emoji=False)


def confirm(what: str) -> None:
    """Ask before much is done. Raises InvalidInputError without a yes, or anybody to ask."""
    if not (sys.stdin.isatty() and err.is_terminal):
        raise InvalidInputError(f"{what}: give --yes to do it without being asked.")
    # The event loop's own handler would only cancel a task, and the question stay.
    loops = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        agreed = Confirm.ask(f"{what}?", console=err, default=False)
    except (EOFError, KeyboardInterrupt) as left:
        err.print()  # the question has a line of its own
        if isinstance(left, KeyboardInterrupt):
            raise
        agreed = False
    finally:
        signal.signal(signal.SIGINT, loops)
    if not agreed:
        raise InvalidInputError("Nothing was done.")


class _Said(logging.Handler):
    """Shows what the library logs where it does not tear the live display."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def show_log() -> None:
    """Show the library's warnings on standard error."""
    logging.getLogger("aioappsapi").addHandler(_Said(logging.WARNING))
