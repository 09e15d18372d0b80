"""The options of bulk runs: their names, their types, and the checks of their values."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Generic, TypedDict

import msgspec
from typing_extensions import TypeVar

from aioappsapi._http.limits.throttle import OnPause
from aioappsapi.bulk.reports.outcome import Outcome
from aioappsapi.bulk.reports.text import counted
from aioappsapi.config import startup_timeout
from aioappsapi.errors import refuse_unless
from aioappsapi.models.app import App
from aioappsapi.waiting.assess import Wait, check_wait

T = TypeVar("T", default=App)

_MOST_WORKERS: Final = 10_000


class MapOptions(TypedDict, Generic[T], total=False):
    """The options of every run; each may be left out.

    `concurrency` is how many apps are worked on at a time, at most; the default is
    `Limits.concurrency`. Fewer are in flight while the server shows that more would not help.
    `deadline` is in seconds for the whole run: apps in flight are `timed_out` then, and the
    others `not_attempted`. `max_failures` stops the run after so many failures, or after a share of
    all apps if it is a float below 1. `on_outcome` is called with each outcome as it comes,
    `on_pause` with a `Pause` whenever the rate limit holds everything back for a while.
    """

    concurrency: int | None
    deadline: float | None
    max_failures: int | float | None
    on_outcome: Callable[[Outcome[T]], object] | None
    on_pause: OnPause | None


class ActionOptions(MapOptions[T], Generic[T], total=False):
    """The options of a run that starts, stops or restarts; see `MapOptions` for the others.

    `wait` says when an app is `ok`: ``none`` when the server accepted the request, ``any`` when one
    instance of each process runs, ``all`` when all instances run, ``routable`` when all run and get
    requests. After a stop, each of the last three waits until no instance is left. An app has
    `startup_timeout` seconds for it (default: `CF_STARTUP_TIMEOUT`, else 300). An app that stays
    crashed, or without a cell, for `crash_grace` seconds is `failed`.

    With `skip_unchanged` (the default, except for a restart) apps that are already in the requested
    state are `already`: they get no request, and no audit event. `wait` verifies them all the same.

    `max_starting` bounds the instances that are starting at a time, `max_starting_mb` their memory
    in MB. Further starts are held back until some have come up, and longer when they crash.

    `journal` is a file that records each app before its request is sent. With `resume` the run of
    an existing journal goes on: finished apps are taken over, apps that may have been changed are
    looked at first, and no app is restarted twice.
    """

    wait: Wait
    startup_timeout: float | None
    crash_grace: float
    skip_unchanged: bool
    max_starting: int | None
    max_starting_mb: int | None
    journal: str | Path | None
    resume: bool


class RunOptions(ActionOptions[T], Generic[T], total=False):
    """`ActionOptions`, and `dry_run`: nothing is changed, the report is predicted (`Bulk.plan`)."""

    dry_run: bool


class StreamOptions(ActionOptions[T], Generic[T], total=False):
    """`ActionOptions`, and `keep`: without it outcomes are counted, not kept, for flat memory."""

    keep: bool


def check_names(call: str, given: Mapping[str, object], allowed: type) -> None:
    """Refuse an option that this call does not have. Raises TypeError, before anything is sent."""
    known = sorted(allowed.__optional_keys__ | allowed.__required_keys__)  # type: ignore[attr-defined]
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {close[0]!r}?" if close else f"It has: {', '.join(known)}."
            raise TypeError(f"{call}() has no option {name!r}. {hint}")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The checked options of a run; see `RunOptions`.

    Raises InvalidInputError for a value that no run can have.
    """

    concurrency: int = 200
    deadline: float | None = None
    max_failures: int | float | None = None
    wait: Wait = "none"
    startup_timeout: float | None = None
    crash_grace: float = 30.0
    skip_unchanged: bool = True
    max_starting: int | None = None
    max_starting_mb: int | None = None

    def __post_init__(self) -> None:
        workers: object = self.concurrency
        refuse_unless(
            type(workers) is int and 1 <= workers <= _MOST_WORKERS,
            f"concurrency={workers!r}: 1 to {_MOST_WORKERS}.",
        )
        for name in ("deadline", "startup_timeout"):
            seconds = getattr(self, name)
            refuse_unless(
                seconds is None or (isinstance(seconds, int | float) and seconds > 0),
                f"{name}={seconds!r}: seconds > 0.",
            )
        limit = self.max_failures
        refuse_unless(
            limit is None or (limit > 0 and not (isinstance(limit, float) and limit >= 1)),
            f"max_failures={limit}: a count of 1 or more, or a share like 0.1.",
        )
        check_wait(self.wait)
        if self.wait != "none":
            _ = self.patience  # a bad value is refused now, not in the middle of the run
        refuse_unless(self.crash_grace >= 0, f"crash_grace={self.crash_grace}: seconds >= 0.")
        self._check_start_limit()

    def _check_start_limit(self) -> None:
        for name in ("max_starting", "max_starting_mb"):
            bound = getattr(self, name)
            refuse_unless(
                bound is None or (isinstance(bound, int) and bound >= 1),
                f"{name}={bound!r}: at least 1.",
            )
            refuse_unless(
                bound is None or self.wait != "none",
                f"{name}={bound} holds starts back until others have come up, which only a run "
                "with wait='any', 'all' or 'routable' can see.",
            )

    def chosen(self) -> dict[str, object]:
        """Return the options that differ from their defaults, for the report."""
        default = Options()
        return {
            name: value
            for name in self.__struct_fields__
            if (value := getattr(self, name)) != getattr(default, name)
        }

    @property
    def is_bounded(self) -> bool:
        """Whether starts are held back while many instances are starting."""
        return self.max_starting is not None or self.max_starting_mb is not None

    @property
    def patience(self) -> float:
        """How many seconds an app has from its acceptance until it is in the requested state."""
        return startup_timeout() if self.startup_timeout is None else self.startup_timeout

    def enough(self, failures: int, apps: int) -> str | None:
        """Return why so many failures end the run; None if they do not."""
        limit = self.max_failures
        if limit is None:
            return None
        allowed = limit if isinstance(limit, int) else max(1.0, limit * apps)
        if failures < allowed:
            return None
        return f"{counted(failures, 'app')} failed, and max_failures={limit} allows no more"
