"""One app on its way to its outcome, and what is thought of it so far."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Generic, TypeVar, cast

import msgspec

from aioappsapi._http.call_log import CallLog
from aioappsapi.bulk.load import Load
from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.errors import AppsApiError, DeadlineError, UnverifiedError
from aioappsapi.models.app import App
from aioappsapi.resources.watched import Sighting

T = TypeVar("T")


class Verdict(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What came of asking for an app.

    It is final unless a look at its instances is to prove it (`watch`), or another try at the end
    of the run may do better (`again`).
    """

    status: Status
    value: T | None = None
    error: AppsApiError | None = None
    watch: bool = False
    again: bool = False


class Stage(Enum):
    """Where an app is on its way."""

    WORK = "work"  # with a worker
    HELD = "held back"  # until others have come up
    WATCHED = "watched"  # accepted, and waited for
    PUT_OFF = "put off"  # failed, and tried again at the end


class Flight(Generic[T]):
    """One app that a worker has taken up, until it has its outcome.

    `asked`, `accepted`, `first_at` (an instance ran) and `all_at` are times of the event loop's
    clock, None for what has not happened. `sends`: as long as no request was sent, nothing was
    done. `load` is what its instances weigh where that counts, `release` gives back what is held
    for it. `halted` says why the run begins nothing new; None while it does.
    """

    __slots__ = (
        "accepted",
        "all_at",
        "asked",
        "first_at",
        "halted",
        "index",
        "key",
        "load",
        "name",
        "record",
        "release",
        "sends",
        "stage",
        "verdict",
    )

    def __init__(
        self,
        index: int,
        key: str,
        record: CallLog,
        *,
        name: str | None = None,
        halted: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.index = index
        self.key = key
        self.name = name
        self.record = record
        self.halted = halted
        self.stage = Stage.WORK
        self.load: Load | None = None
        self.sends = False
        self.asked: float | None = None
        self.accepted: float | None = None
        self.first_at: float | None = None
        self.all_at: float | None = None
        self.verdict: Verdict[T] | None = None
        self.release: Callable[[Verdict[T]], None] | None = None

    @property
    def untouched(self) -> bool:
        """Whether nothing was sent for it."""
        return self.asked is None or (self.sends and not self.record.attempts)

    def let_go(self, verdict: Verdict[T]) -> None:
        """Give back what is held for the app."""
        release, self.release = self.release, None
        if release is not None:
            release(verdict)

    def outcome(
        self, verdict: Verdict[T], *, now: float, wall: Callable[[float], datetime]
    ) -> Outcome[T]:
        """Make the outcome; `wall` turns times of the event loop's clock into dates."""
        asked = None if verdict.status is Status.NOT_ATTEMPTED else self.asked

        def since_asked(moment: float | None) -> float | None:
            return None if moment is None or asked is None else max(moment - asked, 0.0)

        return Outcome(
            key=self.key,
            status=verdict.status,
            name=verdict.value.name if isinstance(verdict.value, App) else self.name,
            value=verdict.value,
            error=verdict.error,
            attempts=self.record.attempts,
            started_at=None if asked is None else wall(asked),
            duration=since_asked(now),
            time_to_accept=since_asked(self.accepted),
            time_to_first_instance=since_asked(self.first_at),
            time_to_running=since_asked(self.all_at),
            request_ids=tuple(self.record.request_ids),
            warnings=tuple(self.record.warnings),
        )


def proved(before: Verdict[T], sighting: Sighting) -> Verdict[T]:
    """Judge an app by what the waiter saw of it."""
    value = before.value or cast("T | None", sighting.app)
    error = sighting.error
    if error is None:
        status = Status.ALREADY if before.status is Status.ALREADY else Status.OK
        return Verdict(status=status, value=value)
    if isinstance(error, UnverifiedError):
        return Verdict(status=Status.UNVERIFIED, value=value, error=error)
    status = Status.TIMED_OUT if isinstance(error, DeadlineError) else Status.FAILED
    return Verdict(status=status, value=value, error=error)
