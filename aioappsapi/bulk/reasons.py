"""Why apps are not as asked, without what differs from app to app: an equal reason is told once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.errors import ResponseError

# What is to be said of an outcome that has no error, or lost it.
_MEANINGS: Final = {
    Status.OK: "",
    Status.ALREADY: "",
    Status.UNVERIFIED: "accepted after a try that may have half happened; look whether it runs",
    Status.FAILED: "refused, or out of tries",
    Status.TIMED_OUT: "in flight when the deadline came; it may have happened",
    Status.CANCELLED: "in flight when the run was cancelled; it may have happened",
    Status.NOT_ATTEMPTED: "nothing was sent",
}


# As in "start app".
_WORDS: Final = 3


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """All apps that ended the same way for the same reason."""

    status: Status
    reason: str
    outcomes: list[Outcome[object]]

    def names(self, most: int) -> str:
        """Name the first few of the apps, and count the rest."""
        names = ", ".join(one.name or one.key for one in self.outcomes[:most])
        more = len(self.outcomes) - most
        return f"{names} and {more} more" if more > 0 else names


def by_reason(outcomes: Iterable[Outcome[object]]) -> list[Group]:
    """Group outcomes by how they ended and why, what hit most apps first."""
    groups: dict[tuple[Status, str], list[Outcome[object]]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.status, reason_of(outcome)), []).append(outcome)
    found = [
        Group(status=status, reason=reason, outcomes=members)
        for (status, reason), members in groups.items()
    ]
    return sorted(found, key=lambda group: -len(group.outcomes))


def reason_of(outcome: Outcome[object]) -> str:
    """Say why an app ended as it did; nothing, if it is as asked."""
    error = outcome.error
    if error is None:
        return _MEANINGS[outcome.status]
    if isinstance(error, ResponseError) and error.title:
        return f"{error.status} {error.title}: {_without(error.detail or '', outcome)}"
    text = str(error).partition(" (request id ")[0]
    # Errors begin with what was tried on which app, and a group has many.
    tried, known, why = text.partition(f" {outcome.key}: ")
    return _without(why if known and len(tried.split()) <= _WORDS else text, outcome)


def _without(text: str, outcome: Outcome[object]) -> str:
    """Take the app's key out of a text, but not out of the middle of a word."""
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
