"""Many apps at once: what `client.bulk` offers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final, Generic, Literal, TypedDict, TypeVar, Unpack

from aioappsapi.bulk.engine import OnOutcome, Options, Run
from aioappsapi.bulk.inputs import Keys
from aioappsapi.bulk.journal import Journal
from aioappsapi.bulk.outcome import Status
from aioappsapi.bulk.report import Report
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App
from aioappsapi.resources.apps import Apps
from aioappsapi.resources.processes import Processes

T = TypeVar("T")

Action = Literal["start", "stop", "restart"]

_DEFAULT_CONCURRENCY: Final = 50


class MapOptions(TypedDict, Generic[T], total=False):
    """How a run goes; all of it may be left out.

    `concurrency` is how many apps are worked on at a time (at most `Limits.concurrency`, 50 unless
    told otherwise), `deadline` in seconds for the whole run: what is in flight then is
    `timed_out`, the rest `not_attempted`. `max_failures` stops after so many failures, or a share
    of all apps when it is a float below 1. `on_outcome` is called with each outcome as it comes.
    """

    concurrency: int | None
    deadline: float | None
    max_failures: int | float | None
    on_outcome: OnOutcome[T] | None


class RunOptions(MapOptions[T], Generic[T], total=False):
    """How a run that starts, stops or restarts goes; see `MapOptions` for the rest.

    `journal` is a file that notes each app before it is asked for, and its outcome. With `resume`
    the run of an existing journal goes on: what is done is taken over, what was in flight is looked
    at before it is asked for again, and no app is restarted twice.
    """

    journal: str | Path | None
    resume: bool


class Bulk:
    """Runs over many apps, with one outcome for each.

    A run never raises for an app: what the single call would raise is in its outcome. When it is
    cancelled, the CancelledError goes its ordinary way; when a callback or the input breaks, it
    raises RunAbortedError. `report_of` finds the report of what happened until then in either.

    `keys` is any iterable or async iterable of GUIDs or Apps; what occurs twice is sent once.
    How a run goes is said by `RunOptions` and `MapOptions`.
    """

    def __init__(self, apps: Apps, *, target: str, ceiling: int) -> None:
        self._apps = apps
        self._processes = Processes(apps.caller)
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
        **options: Unpack[RunOptions[App]],
    ) -> Report[App]:
        """Ask for many apps to be started.

        An app is `ok` when the server accepted it, and `unverified` when it did so only after a
        try that may have half happened: such an acceptance proves nothing.
        """
        return await _collect(self.stream("start", keys, **options))

    async def stop(
        self,
        keys: Keys,
        **options: Unpack[RunOptions[App]],
    ) -> Report[App]:
        """Ask for many apps to be stopped. Outcomes are as for `start`."""
        return await _collect(self.stream("stop", keys, **options))

    async def restart(
        self,
        keys: Keys,
        **options: Unpack[RunOptions[App]],
    ) -> Report[App]:
        """Ask for many apps to be restarted.

        Never twice: where an answer is lost the app is `failed`, and may have been restarted.
        """
        return await _collect(self.stream("restart", keys, **options))

    async def map(
        self,
        func: Callable[[str], Awaitable[T]],
        keys: Keys,
        **options: Unpack[MapOptions[T]],
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
            options=self._checked(options),
            on_outcome=options.get("on_outcome"),
        )
        return await _collect(run)

    def stream(
        self,
        action: Action,
        keys: Keys,
        **options: Unpack[RunOptions[App]],
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
            options=self._checked(options),
            on_outcome=options.get("on_outcome"),
            open_journal=self._opener(action, options),
            look=partial(self._look, action),
        )

    def _opener(self, action: Action, options: RunOptions[App]) -> Callable[[], Journal] | None:
        path = options.get("journal")
        resume = options.get("resume", False)
        if path is None:
            if resume:
                raise InvalidInputError("resume=True goes with the journal of the run to resume.")
            return None
        return partial(Journal, path, action=action, target=self._target, resume=resume)

    async def _look(self, action: Action, key: str) -> tuple[Status | None, App | None]:
        """Look at an app that an earlier run may have asked for."""
        app = await self._apps.get(key)
        if action == "restart":
            # It cannot be seen whether it was, and a second one would do harm.
            return Status.UNVERIFIED, app
        processes = await self._processes.list(app_guids=[key], with_instances=True).all()
        states = [one.state for process in processes for one in process.process_instances or ()]
        if action == "start":
            wanted = any(process.instances for process in processes)
            proved = app.state == "STARTED" and ("RUNNING" in states or not wanted)
        else:
            proved = app.state == "STOPPED" and not set(states) - {"DOWN"}
        return (Status.OK, app) if proved else (None, None)

    def _checked(self, options: MapOptions[T] | RunOptions[T]) -> Options:
        concurrency = options.get("concurrency")
        if concurrency is not None and concurrency > self._ceiling:
            raise InvalidInputError(
                f"concurrency={concurrency} is above this client's {self._ceiling}: "
                f"make it with limits=Limits(concurrency={concurrency})."
            )
        chosen = min(_DEFAULT_CONCURRENCY, self._ceiling) if concurrency is None else concurrency
        return Options(
            concurrency=chosen,
            deadline=options.get("deadline"),
            max_failures=options.get("max_failures"),
        )


async def _collect(run: Run[T]) -> Report[T]:
    await run.run()
    return run.report
