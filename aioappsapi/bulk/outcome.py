"""What became of one app in a bulk run."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from aioappsapi.errors import AppsApiError

T_co = TypeVar("T_co", covariant=True)


class Status(StrEnum):
    """How it ended, from best to worst known."""

    OK = "ok"  # done, and verified where that was asked for
    ALREADY = "already"  # was so before
    UNVERIFIED = "unverified"  # accepted after a try that may have half happened; not proved
    FAILED = "failed"  # refused, or out of tries; `error` says why
    TIMED_OUT = "timed_out"  # in flight when the deadline came; it may have happened
    CANCELLED = "cancelled"  # in flight when the run was cancelled; it may have happened
    NOT_ATTEMPTED = "not_attempted"  # nothing was sent


class Outcome(msgspec.Struct, Generic[T_co], frozen=True, kw_only=True):
    """What became of one app. There is exactly one for each distinct app of a run.

    `key` is its GUID, `name` its name where that is known. `value` is what the call returned,
    `error` the very exception that the single call would have raised, without its traceback.
    `attempts` counts the requests sent for it and `request_ids` finds them in the server's logs.
    `started_at`, when it was asked for, is None for what was not attempted. All times are in
    seconds since then: until the server accepted (`time_to_accept`), a first instance ran
    (`time_to_first_instance`), as many ran as `wait` asked for (`time_to_running`), it was over
    (`duration`). They are None where that was not seen. `warnings` are the server's.
    """

    key: str
    status: Status
    name: str | None = None
    value: T_co | None = None
    error: AppsApiError | None = None
    attempts: int = 0
    started_at: datetime | None = None
    duration: float | None = None
    time_to_accept: float | None = None
    time_to_first_instance: float | None = None
    time_to_running: float | None = None
    request_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def as_asked(self) -> bool:
        """Whether the app is known to be as it was asked to be."""
        return self.status in {Status.OK, Status.ALREADY}
