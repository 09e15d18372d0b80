"""Exit statuses: their meanings, and the choice when several apply."""

from __future__ import annotations

import signal
from enum import IntEnum
from typing import Final


class Exit(IntEnum):
    """The exit statuses. A signal gives 128 plus its number, as in a shell."""

    OK = 0
    NOT_ALL = 1
    USAGE = 2
    COULD_NOT_BEGIN = 3
    NOT_WRITTEN = 4
    BUG = 70
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143

    @classmethod
    def of_signal(cls, number: signal.Signals) -> Exit:
        """Return the status of a command that a signal ended."""
        return cls(128 + number)


MEANINGS: Final = {
    Exit.OK: "every app is in the requested state, or there was nothing to do",
    Exit.NOT_ALL: "some apps are not in the requested state, or the server refused a single call",
    Exit.USAGE: "wrong usage",
    Exit.COULD_NOT_BEGIN: "the command could not begin: no target, no login, the server is "
    "unreachable, or the deadline came first",
    Exit.NOT_WRITTEN: "the run ended, but a report or the standard output could not be written",
    Exit.BUG: "a bug of this program, in one line",
    Exit.HANGUP: "ended by SIGHUP; the report is written",
    Exit.INTERRUPTED: "ended by Ctrl-C; the report is written",
    Exit.TERMINATED: "ended by SIGTERM; the report is written",
}

# From the strongest to the weakest. After 2 and 3 there is no other status: no app was begun.
PRECEDENCE: Final = (
    *(Exit.INTERRUPTED, Exit.TERMINATED, Exit.HANGUP),
    *(Exit.BUG, Exit.USAGE, Exit.COULD_NOT_BEGIN, Exit.NOT_WRITTEN, Exit.NOT_ALL, Exit.OK),
)


def strongest(*statuses: Exit) -> Exit:
    """Choose the status that a command ends with when several apply."""
    return min(statuses, key=PRECEDENCE.index)
