"""The outcome of one app in a bulk run."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Generic

import msgspec
from typing_extensions import TypeVar

from aioappsapi.bulk.reports.text import counted, printable
from aioappsapi.errors import AppsApiError
from aioappsapi.models.app import App

T_co = TypeVar("T_co", covariant=True, default=App)


class Status(StrEnum):
    """The end of an app. The members are in the order of reports."""

    OK = "ok"  # done, and verified if `wait` requires it
    ALREADY = "already"  # was in the requested state before
    UNVERIFIED = "unverified"  # accepted, but not proved yet
    FAILED = "failed"  # refused, or every attempt failed; `error` says why
    TIMED_OUT = "timed_out"  # in flight at the deadline; it may have taken effect
    CANCELLED = "cancelled"  # in flight when the run was cancelled; it may have taken effect
    NOT_ATTEMPTED = "not_attempted"  # no request was sent

    @property
    def done(self) -> bool:
        """Whether the app is known to be in the requested state: `ok` or `already`."""
        return self is OK or self is ALREADY

    @property
    def label(self) -> str:
        """The status in words, e.g. ``not attempted``."""
        return self.value.replace("_", " ")


# fast path: on Python 3.11 a member looked up in its class costs ten times a global.
OK, ALREADY, UNVERIFIED = Status.OK, Status.ALREADY, Status.UNVERIFIED


class Outcome(msgspec.Struct, Generic[T_co], frozen=True, kw_only=True, gc=False):
    """The outcome of one app. A report has exactly one for each distinct app of its run.

    `key` is the app's GUID. `name`, `space` and `organization` are names, `target` is the API of
    the app, `wave` the number of its wave, from 1. Each is None if it is not known.

    `value` is the result of the call, so None if no request was sent. `error` is the exception
    that a single call would have raised, without its traceback. `attempts` counts the requests that
    were sent for this app; `request_ids` find them in the server's logs. `warnings` come from the
    server.

    `started_at` is the time of the first request, or None if none was sent. The durations are in
    seconds since then, and None if the moment was not observed: until the server accepted
    (`time_to_accept`), until a first instance ran (`time_to_first_instance`), until as many
    instances ran as `wait` requires (`time_to_running`), until the app was done (`duration`).

    A run keeps many of them, so the garbage collector skips them (`gc=False`): no `value` should
    refer to its own outcome.
    """

    key: str
    status: Status
    name: str | None = None
    space: str | None = None
    organization: str | None = None
    target: str | None = None
    wave: int | None = None
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
    def done(self) -> bool:
        """Whether the app is known to be in the requested state: `ok` or `already`."""
        return self.status.done

    @property
    def label(self) -> str:
        """The name of the app for people: ``org/space/app`` if known, else its GUID."""
        if self.name is None:
            return self.key
        return "/".join(part for part in (self.organization, self.space, self.name) if part)

    def __repr__(self) -> str:
        """Three short lines: the app and its status, its error, its attempts and times."""
        lines = [f"<Outcome {printable(self.label)}: {self.status.label}"]
        if self.error is not None:
            lines.append(f"  {type(self.error).__name__}: {_shortened(printable(str(self.error)))}")
        took = f" in {self.duration:.2f} s" if self.duration is not None else ""
        lines.append(f"  {counted(self.attempts, 'request')}{took}>")
        return "\n".join(lines)


def _shortened(text: str, most: int = 160) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
