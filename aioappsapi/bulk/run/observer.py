"""The events for an observer of runs. A run without an observer makes no call for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Protocol

from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.observer import CallObserver
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.states import State


class Numbers(Protocol):
    """The numbers of a run that an observer may read at any time."""

    @property
    def action(self) -> str:
        """The action of the run."""
        ...

    @property
    def total(self) -> int | None:
        """The number of apps; None while the input is still being read."""
        ...

    @property
    def counts(self) -> Counter[Status]:
        """The number of apps with an outcome, by status."""
        ...

    @property
    def waiting(self) -> int:
        """The number of apps that are accepted and not verified yet."""
        ...

    @property
    def requests(self) -> Requests:
        """The requests that were sent."""
        ...

    @property
    def stop_reason(self) -> str | None:
        """Why the run ends early."""
        ...


class RunEvents(Protocol):
    """Follows the apps of one run. Its methods must not raise."""

    def moved(self, run: AppRun, before: State) -> None:
        """Follow a move of an app. After a crash, which moves nothing, `before` is its state."""
        ...

    def at_gate(self, run: AppRun) -> Callable[[], object]:
        """Follow an app that waits for the rate limit; call the result after the wait."""
        ...

    def step(self, run: AppRun, sending: Awaitable[None]) -> Awaitable[None]:
        """Follow the request of a step; awaiting the result sends it."""
        ...

    def ended(self, run: AppRun, outcome: Outcome[object]) -> None:
        """Follow the end of an app. Apps that an earlier process finished end without a move."""
        ...

    def flushed(self, seconds: float) -> None:
        """Follow a flush of the journal; `seconds` is its duration."""
        ...


class RunObserver(CallObserver, Protocol):
    """Follows the calls and the runs of one client."""

    def run(self, numbers: Numbers) -> AbstractContextManager[RunEvents]:
        """Follow a run from its beginning to its end."""
        ...


class Instrumentation(Protocol):
    """Makes the observer of a client; the type of `Client(telemetry=...)`."""

    def observe(self, api_url: str, throttle: Throttle) -> RunObserver:
        """Make the observer of a client. `throttle` has its numbers of requests."""
        ...
