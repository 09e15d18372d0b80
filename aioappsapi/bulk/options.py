"""The options of bulk runs: their names, their types, and the checks of their values."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Generic, Literal, TypedDict, get_args

import msgspec
from typing_extensions import TypeVar

from aioappsapi._http.limits.throttle import OnPause
from aioappsapi.bulk.actions.scale import Wanted
from aioappsapi.bulk.reports.outcome import Outcome
from aioappsapi.bulk.reports.text import counted
from aioappsapi.bulk.shares import FailureLimit, check_limit, is_reached
from aioappsapi.bulk.windows.waves import Waves
from aioappsapi.config import startup_timeout
from aioappsapi.errors import refuse_unless
from aioappsapi.models.app import App
from aioappsapi.waiting.assess import Wait, check_wait
from aioappsapi.waiting.deployment_watcher import OnTimeout

T = TypeVar("T", default=App)

Strategy = Literal["plain", "rolling"]
STRATEGIES: Final = get_args(Strategy)
ON_TIMEOUTS: Final = get_args(OnTimeout)
_MOST_WORKERS: Final = 10_000


class MapOptions(TypedDict, Generic[T], total=False):
    """The options of every run; each may be left out.

    `concurrency` is the maximum of apps at a time; the default is `Limits.concurrency`. Fewer are
    in flight while more would not help. `deadline` is in seconds for the whole run: apps in flight
    are `timed_out` then, and the others `not_attempted`. `max_failures` stops the run after this
    number of failures, or after this share of all apps if it is a float below 1. With `waves` the
    apps are worked on in groups, one after the other; see `Waves`. `on_outcome` is called with each
    outcome as it comes, `on_pause` with a `Pause` whenever the rate limit holds everything back for
    a while.
    """

    concurrency: int | None
    deadline: float | None
    max_failures: FailureLimit
    waves: Waves | None
    on_outcome: Callable[[Outcome[T]], object] | None
    on_pause: OnPause | None


class ActionOptions(MapOptions[T], Generic[T], total=False):
    """The options of a run that starts, stops or restarts; see `MapOptions` for the others.

    `wait` says when an app is `ok`: ``none`` when the server accepted the request, ``any`` when one
    instance of each process runs, ``all`` when all instances run, ``routable`` when all run and get
    requests. After a stop, each of the last three waits until no instance is left. An app has
    `startup_timeout` seconds (default: `CF_STARTUP_TIMEOUT`, else 300). An app that stays
    crashed, or without a cell, for `crash_grace` seconds is `failed`.

    With `skip_unchanged` (the default, except for a restart) apps that are already in the requested
    state are `already`: they get no request, and no audit event. `wait` verifies them, too.

    With `keep_values` (the default) each outcome keeps the App of the server's answer. Without it,
    outcomes have no value, take a third of the memory, and most of an answer is not decoded.

    `max_starting` bounds the instances that are starting at a time, `max_starting_mb` their memory
    in MB. Further starts are held back until some have come up, and longer when they crash.

    `journal` is a file that records each app before its request is sent. With `resume` the run of
    an existing journal continues: finished apps are taken over, apps that may have been changed are
    checked first, and no app is restarted twice.
    """

    wait: Wait
    startup_timeout: float | None
    crash_grace: float
    skip_unchanged: bool
    keep_values: bool
    max_starting: int | None
    max_starting_mb: int | None
    journal: str | Path | None
    resume: bool


class RollingOptions(TypedDict, total=False):
    """The replacement of instances.

    With ``rolling`` new instances come up first, `max_in_flight` at a time, and old ones leave
    when the new ones get requests. `canary_steps` are shares of new instances in percent; a canary
    waits at each until its new instances have run for `canary_hold` seconds. A deployment whose
    new instances stay crashed, without a cell or without requests for `crash_grace` seconds, or
    that makes no progress for `startup_timeout` seconds, is cancelled, or left as it is with
    `on_timeout="leave"`.
    """

    strategy: Strategy
    max_in_flight: int
    canary_steps: Sequence[int] | None
    canary_hold: float
    on_timeout: OnTimeout


class BuildOptions(TypedDict, total=False):
    """The builds: their stack (default: each app's), and the maximum of builds at a time."""

    to_stack: str | None
    max_building: int | None


class RunOptions(ActionOptions[T], Generic[T], total=False):
    """`ActionOptions`, and `dry_run`: nothing is changed, the report is predicted (`Bulk.plan`)."""

    dry_run: bool


class RestoreOptions(RunOptions[T], Generic[T], total=False):
    """`RunOptions`, and what a restore brings back besides states and numbers of instances.

    `memory` brings back memory and disk, `droplets` the current droplets.
    """

    memory: bool
    droplets: bool


class RestartOptions(RunOptions[T], RollingOptions, Generic[T], total=False):
    """`RunOptions` and `RollingOptions`."""


class RestageOptions(RestartOptions[T], BuildOptions, Generic[T], total=False):
    """`RunOptions`, `RollingOptions` and `BuildOptions`."""


class StreamOptions(ActionOptions[T], RollingOptions, BuildOptions, Generic[T], total=False):
    """`ActionOptions`, those of the action, and `keep`.

    Without `keep` outcomes are counted, not kept, for flat memory. `scale` are the numbers of the
    action ``scale``. With `dry_run` nothing is changed: the first step looks, and sends nothing.
    """

    keep: bool
    scale: Wanted
    dry_run: bool


def check_names(call: str, given: Mapping[str, object], allowed: type) -> None:
    """Refuse an option that this call does not have. Raises TypeError before anything is sent."""
    known = sorted(allowed.__optional_keys__ | allowed.__required_keys__)  # type: ignore[attr-defined]
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {close[0]!r}?" if close else f"It has: {', '.join(known)}."
            raise TypeError(f"{call}() has no option {name!r}. {hint}")


def check_how(given: Mapping[str, object]) -> None:
    """Check the options of single actions before a run is made. Raises InvalidInputError."""
    msgspec.structs.replace(Options(), **given)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The checked options of a run; see `RunOptions`.

    Raises InvalidInputError for a value that no run can have.
    """

    concurrency: int = 200
    deadline: float | None = None
    max_failures: FailureLimit = None
    wait: Wait = "none"
    startup_timeout: float | None = None
    crash_grace: float = 30.0
    skip_unchanged: bool = True
    keep_values: bool = True
    max_starting: int | None = None
    max_starting_mb: int | None = None
    strategy: Strategy = "plain"
    max_in_flight: int = 1
    canary_steps: tuple[int, ...] | None = None
    canary_hold: float = 0.0
    on_timeout: OnTimeout = "cancel"
    to_stack: str | None = None
    max_building: int | None = None
    waves: Waves | None = None
    memory: bool = False
    droplets: bool = False

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
        check_limit(self.max_failures)
        refuse_unless(
            self.waves is None or isinstance(self.waves, Waves),
            f"waves={self.waves!r}: make them with Waves, like Waves.canary(5).",
        )
        check_wait(self.wait)
        if self.wait != "none":
            _ = self.patience  # a bad value is refused now, not in the middle of the run
        refuse_unless(self.crash_grace >= 0, f"crash_grace={self.crash_grace}: seconds >= 0.")
        self._check_start_limit()
        self._check_strategy()

    def _check_strategy(self) -> None:
        for name, words in (("strategy", STRATEGIES), ("on_timeout", ON_TIMEOUTS)):
            word = getattr(self, name)
            refuse_unless(word in words, f"{name}={word!r}: one of {', '.join(words)}.")
        for name in ("max_in_flight", "max_building"):
            number = getattr(self, name)
            refuse_unless(
                number is None or (type(number) is int and number >= 1),
                f"{name}={number!r}: at least 1.",
            )
        steps = self.canary_steps or ()
        rising = all(1 <= step <= 100 for step in steps) and list(steps) == sorted(set(steps))
        refuse_unless(rising, f"canary_steps={list(steps)}: rising shares from 1 to 100 percent.")
        hold = self.canary_hold
        refuse_unless(hold >= 0, f"canary_hold={hold}: seconds >= 0.")
        refuse_unless(not hold or bool(steps), "canary_hold needs canary_steps.")
        is_rolling = self.strategy == "rolling"
        refuse_unless(
            is_rolling or (self.max_in_flight == 1 and not steps and self.on_timeout == "cancel"),
            "max_in_flight, canary_steps and on_timeout need strategy='rolling'.",
        )

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
    def manner(self) -> str:
        """The suffix of the action in the journal for options that change it: `` rolling``."""
        rolling = "" if self.strategy == "plain" else f" {self.strategy}"
        stack = "" if self.to_stack is None else f" to {self.to_stack}"
        waves = "" if self.waves is None else f" in waves {self.waves}"
        return f"{rolling}{stack}{waves}"

    @property
    def is_bounded(self) -> bool:
        """Whether starts are held back while many instances are starting."""
        return self.max_starting is not None or self.max_starting_mb is not None

    @property
    def patience(self) -> float:
        """The seconds that an app has from its acceptance until the requested state."""
        return startup_timeout() if self.startup_timeout is None else self.startup_timeout

    def enough(self, failures: int, apps: int) -> str | None:
        """Return why this number of failures ends the run; None if it does not."""
        if not is_reached(self.max_failures, failures, apps):
            return None
        limit = self.max_failures
        return f"{counted(failures, 'app')} failed, and max_failures={limit} allows no more"
