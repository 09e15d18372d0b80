"""Many apps at once: what `client.bulk` offers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Literal, TypeVar

from aioappsapi.bulk.engine import OnOutcome, Options, Run
from aioappsapi.bulk.inputs import Keys
from aioappsapi.bulk.report import Report
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App
from aioappsapi.resources.apps import Apps

T = TypeVar("T")

Action = Literal["start", "stop", "restart"]

_DEFAULT_CONCURRENCY: Final = 50


class Bulk:
    """Runs over many apps, with one outcome for each.

    A run never raises for an app: what the single call would raise is in its outcome. When it is
    cancelled, the CancelledError goes its ordinary way; when a callback or the input breaks, it
    raises RunAbortedError. `report_of` finds the report of what happened until then in either.

    `keys` is any iterable or async iterable of GUIDs or Apps; what occurs twice is sent once.
    `concurrency` is how many apps are worked on at a time (at most `Limits.concurrency`),
    `deadline` in seconds for the whole run: what is in flight then is `timed_out`, the rest
    `not_attempted`. `max_failures` stops after so many failures, or a share of all apps when it is
    a float below 1. `on_outcome` is called with each outcome as it comes.
    """

    def __init__(self, apps: Apps, *, target: str, ceiling: int) -> None:
        self._actions: dict[str, Callable[[str], Awaitable[App]]] = {
            "start": apps.start,
            "stop": apps.stop,
            "restart": apps.restart,
        }
        self._target = target
        self._ceiling = ceiling

    async def start(
        self,
        keys: Keys,
        *,
        concurrency: int | None = None,
        deadline: float | None = None,
        max_failures: float | None = None,
        on_outcome: OnOutcome[App] | None = None,
    ) -> Report[App]:
        """Ask for many apps to be started.

        An app is `ok` when the server accepted it, and `unverified` when it did so only after a
        try that may have half happened: such an acceptance proves nothing.
        """
        run = self.stream(
            "start",
            keys,
            concurrency=concurrency,
            deadline=deadline,
            max_failures=max_failures,
            on_outcome=on_outcome,
        )
        return await _collect(run)

    async def stop(
        self,
        keys: Keys,
        *,
        concurrency: int | None = None,
        deadline: float | None = None,
        max_failures: float | None = None,
        on_outcome: OnOutcome[App] | None = None,
    ) -> Report[App]:
        """Ask for many apps to be stopped. Outcomes are as for `start`."""
        run = self.stream(
            "stop",
            keys,
            concurrency=concurrency,
            deadline=deadline,
            max_failures=max_failures,
            on_outcome=on_outcome,
        )
        return await _collect(run)

    async def restart(
        self,
        keys: Keys,
        *,
        concurrency: int | None = None,
        deadline: float | None = None,
        max_failures: float | None = None,
        on_outcome: OnOutcome[App] | None = None,
    ) -> Report[App]:
        """Ask for many apps to be restarted.

        Never twice: where an answer is lost the app is `failed`, and may have been restarted.
        """
        run = self.stream(
            "restart",
            keys,
            concurrency=concurrency,
            deadline=deadline,
            max_failures=max_failures,
            on_outcome=on_outcome,
        )
        return await _collect(run)

    async def map(
        self,
        func: Callable[[str], Awaitable[T]],
        keys: Keys,
        *,
        concurrency: int | None = None,
        deadline: float | None = None,
        max_failures: float | None = None,
        on_outcome: OnOutcome[T] | None = None,
    ) -> Report[T]:
        """Await any coroutine function of a GUID for many apps: ``map(client.apps.get, guids)``.

        What it returns is the outcome's `value`. Only an AppsApiError is an outcome; anything else
        that it raises is a bug and aborts the run.
        """
        run = Run(
            func,
            keys,
            action=getattr(func, "__name__", "map"),
            target=self._target,
            options=self._options(concurrency, deadline, max_failures),
            on_outcome=on_outcome,
        )
        return await _collect(run)

    def stream(
        self,
        action: Action,
        keys: Keys,
        *,
        concurrency: int | None = None,
        deadline: float | None = None,
        max_failures: float | None = None,
        on_outcome: OnOutcome[App] | None = None,
    ) -> Run[App]:
        """Make a run whose outcomes are consumed as they come.

        ``async with client.bulk.stream("start", guids) as outcomes:`` begins it, iterating over it
        gives each outcome, leaving the block early cancels it. `outcomes.report` is there in any
        case.
        """
        if action not in self._actions:
            raise InvalidInputError(f"{action!r} is no action: start, stop or restart.")
        return Run(
            self._actions[action],
            keys,
            action=action,
            target=self._target,
            options=self._options(concurrency, deadline, max_failures),
            on_outcome=on_outcome,
        )

    def _options(
        self, concurrency: int | None, deadline: float | None, max_failures: float | None
    ) -> Options:
        if concurrency is not None and concurrency > self._ceiling:
            raise InvalidInputError(
                f"concurrency={concurrency} is above this client's {self._ceiling}: "
                f"make it with limits=Limits(concurrency={concurrency})."
            )
        chosen = min(_DEFAULT_CONCURRENCY, self._ceiling) if concurrency is None else concurrency
        return Options(concurrency=chosen, deadline=deadline, max_failures=max_failures)


async def _collect(run: Run[T]) -> Report[T]:
    await run.run()
    return run.report
