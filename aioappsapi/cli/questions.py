"""Questions to the person at the terminal."""

from __future__ import annotations

import sys
from typing import Final

from rich.prompt import Confirm

from aioappsapi import Client, Fleet
from aioappsapi.bulk.reports.text import printable
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
    if sys.stdin is None or not (sys.stdin.isatty() and err.is_terminal):
        raise InvalidInputError(f"{what}: without a terminal, confirm with --yes.")
    with session.with_a_person():
        try:
            agreed = Confirm.ask(printable(f"{what}?"), console=err, default=False)
        except (EOFError, KeyboardInterrupt) as left:
            err.print()  # the question has a line of its own
            if isinstance(left, KeyboardInterrupt):
                raise
            agreed = False
    if not agreed:
        raise InvalidInputError("Nothing was done.")
