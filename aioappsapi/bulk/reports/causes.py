"""The causes for which apps are not in the requested state.

A cause leaves out the text that differs from app to app, so that equal causes are counted together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from aioappsapi.bulk.reports.advice import Advice, advice_for
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.errors import ResponseError

# The cause of an outcome that has no error.
_MEANINGS: Final = {
    Status.OK: "",
    Status.ALREADY: "",
    Status.UNVERIFIED: "the server accepted this app only after an attempt that may already have "
    "taken effect",
    Status.FAILED: "refused, or every attempt failed",
    Status.TIMED_OUT: "in flight at the deadline; it may have taken effect",
    Status.CANCELLED: "in flight when the run was cancelled; it may have taken effect",
    Status.NOT_ATTEMPTED: "no request was sent",
}
# At most this many words are before the GUID in an error, as in "start app".
_WORDS: Final = 3


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """All apps that have the same status for the same cause."""

    status: Status
    cause: str
    outcomes: list[Outcome[object]]

    @property
    def advice(self) -> Advice | None:
        """The advice for it; None for apps in the requested state."""
        return advice_for(self.outcomes[0])

    def names(self, most: int) -> str:
        """Name the first few of the apps, and count the rest."""
        names = ", ".join(one.label for one in self.outcomes[:most])
        more = len(self.outcomes) - most
        return f"{names} and {more} more" if more > 0 else names


def group_by_cause(outcomes: Iterable[Outcome[object]]) -> list[Group]:
    """Group outcomes by status and cause; the largest group comes first."""
    groups: dict[tuple[Status, str], list[Outcome[object]]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.status, cause_of(outcome)), []).append(outcome)
    found = [
        Group(status=status, cause=cause, outcomes=members)
        for (status, cause), members in groups.items()
    ]
    return sorted(found, key=lambda group: -len(group.outcomes))


def cause_of(outcome: Outcome[object]) -> str:
    """Return the cause of an outcome; empty if the app is in the requested state."""
    error = outcome.error
    if error is None:
        return _MEANINGS[outcome.status]
    if isinstance(error, ResponseError) and error.title:
        return f"{error.status} {error.title}: {_without(error.detail or '', outcome)}"
    text = str(error).partition(" (request id ")[0]
    # Drop "start app GUID: ": it differs from app to app.
    tried, known, why = text.partition(f" {outcome.key}: ")
    return _without(why if known and len(tried.split()) <= _WORDS else text, outcome)


def _without(text: str, outcome: Outcome[object]) -> str:
    """Remove the app's key from a text, but not from the middle of a word."""
    if not outcome.key:
        return text
    found, *pieces = text.split(outcome.key)
    for piece in pieces:
        if _in_word(found[-1:]) or _in_word(piece[:1]):
            found += outcome.key + piece
        elif found.endswith(" "):
            found = found[:-1] + piece
        else:
            found += "…" + piece
    return found


def _in_word(character: str) -> bool:
    return character.isalnum() or character in {"-", "_"}
