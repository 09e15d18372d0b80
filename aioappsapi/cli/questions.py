"""Questions to the person at the terminal."""

from __future__ import annotations

import sys
from typing import Final

from rich.prompt import Confirm

from aioappsapi import Client, Fleet, Status, Wave
from aioappsapi.bulk.reports.text import counted, printable
from aioappsapi.cli.console import err
from aioappsapi.cli.session import C, Session
from aioappsapi.errors import InvalidInputError

# A run over more apps than this asks first.
_MANY: Final = 50


def confirm_many(session: Session[C], action: str, count: int) -> None:
    """Ask before many apps are touched. Raises InvalidInputError without a yes."""
    if count > _MANY:
        confirm(session, f"{action} {count} apps at {_place(session.client)}")


def _place(at: Client | Fleet) -> str:
    return at.api_url if isinstance(at, Client) else f"{len(at)} targets"


def confirm(session: Session[C], what: str) -> None:
    """Ask before much is done. Raises InvalidInputError without a yes, or without a terminal."""
    if not _has_terminal():
        raise InvalidInputError(f"{what}: without a terminal, confirm with --yes.")
    if not _agrees(session, what):
        raise InvalidInputError("Nothing was done.")


def check_terminal(why: str) -> None:
    """Refuse to ask where nobody can answer. Raises InvalidInputError."""
    if not _has_terminal():
        raise InvalidInputError(f"{why}, and there is no terminal to ask at.")


def approve_wave(session: Session[C], action: str, wave: Wave, unit: str = "app") -> bool:
    """Ask before a wave, with what happened so far. Ctrl-C is a no, and ends the run."""
    run = session.run
    done = ", ".join(f"{run.counts[one]} {one.label}" for one in Status if run.counts[one])
    so_far = f" (so far: {done})" if done else ""
    what = f"{wave}: {action} {counted(len(wave.keys), unit)} at {_place(session.client)}{so_far}"
    try:
        with session.shown.paused():
            return _agrees(session, what)
    except KeyboardInterrupt:
        run.stop("the run was interrupted")
        return False


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and err.is_terminal


def _agrees(session: Session[C], what: str) -> bool:
    with session.with_a_person():
        try:
            return Confirm.ask(printable(f"{what}?"), console=err, default=False)
        except (EOFError, OSError, KeyboardInterrupt) as left:
            err.print()  # the question has a line of its own
            if isinstance(left, KeyboardInterrupt):
                raise
            return False
