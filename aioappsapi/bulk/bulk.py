"""Many apps at once: what `client.bulk` offers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final, Generic, TypedDict, TypeVar, Unpack, get_args

import msgspec

from aioappsapi._http.call_log import CallLog, current_call_log
from aioappsapi._http.clock import loop_time
from aioappsapi._http.limits.throttle import OnPause
from aioappsapi.bulk.asking import Action, Asking
from aioappsapi.bulk.endings import RunAbortedError, attach_report
from aioappsapi.bulk.engine import OnOutcome, Run, Work
from aioappsapi.bulk.flight import Flight, Verdict
from aioappsapi.bulk.inputs import Inputs, Keys
from aioappsapi.bulk.journal import Journal
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.outcome import Status
from aioappsapi.bulk.plan import Plan, draw_up
from aioappsapi.bulk.report import Report
from aioappsapi.bulk.restoration import Restoration
from aioappsapi.bulk.snapshot import Snapshot, take
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App
from aioappsapi.resources.apps import Apps
from aioappsapi.resources.instances import Wait
from aioappsapi.resources.waiter import Waiter, polling

T = TypeVar("T")

_DEFAULT_CONCURRENCY: Final = 50


class MapOptions(TypedDict, Generic[T], total=False):
    """How a run goes; all of it may be left out.

    `concurrency` is how many apps are worked on at a time (at most `Limits.concurrency`, 50 unless
    told otherwise), `deadline` in seconds for the whole run: what is in flight then is
    `timed_out`, the rest `not_attempted`. `max_failures` stops after so many failures, or a share
    of all apps when it is a float below 1. `on_outcome` is called with each outcome as it comes,
    `on_pause` with a `Pause` whenever the rate limit holds everything back for a while.
    """

    concurrency: int | None
    deadline: float | None
    max_failures: int | float | None
    on_outcome: OnOutcome[T] | None
    on_pause: OnPause | None


class RunOptions(MapOptions[T], Generic[T], total=False):
    """How a run that starts, stops or restarts goes; see `MapOptions` for the rest.

    `wait` says what makes an app `ok`: ``none`` the acceptance alone, ``any`` an instance of each
    of its processes, ``all`` their number, ``routable`` all, and requests reach them; after a stop,
    any of them waits until no instance is left. An app has `startup_timeout` seconds for it
    (`CF_STARTUP_TIMEOUT`, else 300), and is `failed` when it was crashed or without a place for
    `crash_grace` of them.

    With `skip_unchanged` (on, but for a restart) what is already as asked is `already`, without a
    request of its own and without an audit event; `wait` counts for it all the same.

    `max_starting` bounds the instances that are starting at a time, `max_starting_mb` their memory:
    further starts are held back until some have come up, and longer when they crash or find no
    room. None for no bound.

    `journal` is a file that notes each app before it is asked for, and its outcome. With `resume`
    the run of an existing journal goes on: what is done is taken over, what was in flight is looked
    at before it is asked for again, and no app is restarted twice.

    With `dry_run` nothing is changed: the report is predicted, see `Bulk.plan`.
    """

    wait: Wait
    startup_timeout: float | None
    crash_grace: float
    skip_unchanged: bool
    max_starting: int | None
    max_starting_mb: int | None
    journal: str | Path | None
    resume: bool
    dry_run: bool


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
        self._target = target
        self._ceiling = ceiling

    async def start(
        self,
        keys: Keys,
        **options: Unpack[RunOptions[App]],
    ) -> Report[App]:
        """Ask for many apps to be started.

        An app is `ok` when the server accepted it, or with `wait` when it was seen to run. It is
        `unverified` when the server accepted it only after a try that may have half happened and
        nobody looked: such an acceptance proves nothing. All may be left out, and are explained in
        `RunOptions`: `wait`, `startup_timeout`, `crash_grace`, `max_starting`, `max_starting_mb`,
        `concurrency`, `deadline`, `max_failures`, `skip_unchanged`, `on_outcome`, `on_pause`,
        `journal`, `resume`, `dry_run`.
        """
        return await self._report("start", keys, options)

    async def stop(
        self,
        keys: Keys,
        **options: Unpack[RunOptions[App]],
    ) -> Report[App]:
        """Ask for many apps to be stopped. Options and outcomes are as for `start`.

        With any `wait` an app is `ok` when it has no instance left.
        """
        return await self._report("stop", keys, options)

    async def restart(
        self,
        keys: Keys,
        **options: Unpack[RunOptions[App]],
    ) -> Report[App]:
        """Ask for many apps to be restarted.

        Never twice: where an answer is lost the app is `failed`, and may have been restarted.
        Options are as for `start`.
        """
        return await self._report("restart", keys, options)

    async def _report(self, action: Action, keys: Keys, options: RunOptions[App]) -> Report[App]:
        if options.get("dry_run"):
            return (await self.plan(action, keys, **options)).report
        return await _collect(self.stream(action, keys, **options))

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
            mapped(func),
            Inputs(keys),
            action=getattr(func, "__name__", "map"),
            target=self._target,
            options=self._checked(options),
            on_outcome=options.get("on_outcome"),
            on_pause=options.get("on_pause"),
            throttle=self._apps.caller.throttle,
        )
        return await _collect(run)

    async def plan(
        self,
        action: Action,
        keys: Keys,
        **options: Unpack[RunOptions[App]],
    ) -> Plan:
        """Predict a run without changing anything: outcomes, requests, the earliest finish.

        Read are states, droplets, roles, suspensions, quotas against the sum of what would start,
        and feature flags; what this login may not read is not held against an app. It cannot be
        foreseen which apps crash. `plan.report` is what `dry_run=True` returns. Raises AuthError,
        TransportError, ResponseError if the apps cannot be read.
        """
        _check_action(action)
        chosen = self._checked(options)
        return await draw_up(self._apps, action, Inputs(keys), chosen, target=self._target)

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
        _check_action(action)
        chosen = self._checked(options)
        inputs = Inputs(keys)
        record = CallLog(current_call_log.get())
        asking = Asking(self._apps, action, chosen, inputs, record)
        return Run(
            asking,
            inputs,
            action=action,
            target=self._target,
            options=chosen,
            on_outcome=options.get("on_outcome"),
            on_pause=options.get("on_pause"),
            throttle=self._apps.caller.throttle,
            open_journal=self._opener(action, options),
            waiter=self._waiter(action, chosen, inputs, asking.trouble),
            record=record,
        )

    async def snapshot(self, keys: Keys) -> Snapshot:
        """Note states and instance counts of apps, for `restore` to bring them back.

        `client.apps.list()` as `keys` for all. Raises InvalidInputError if an app is not there.
        """
        return await take(self._apps, Inputs(keys), target=self._target)

    async def restore(
        self,
        snapshot: Snapshot,
        *,
        force: bool = False,
        **options: Unpack[RunOptions[App]],
    ) -> Report[App]:
        """Bring apps back to how a snapshot notes them: stops first, then numbers, then starts.

        What is so already is not asked for, so a second time goes on where the first one ended;
        there is no journal. `deadline` is for everything. Apps that came later are left alone, and
        one that was deleted is `failed`. Raises InvalidInputError for a snapshot of another API,
        unless `force`.
        """
        restoration = self.restoration(snapshot, force=force, **options)
        if options.get("dry_run"):
            return await restoration.predict(partial(self.plan, **options))
        try:
            async for run in restoration:
                await run.run()
        except RunAbortedError as aborted:
            aborted.report = restoration.report
            raise
        except asyncio.CancelledError as cancelled:
            attach_report(cancelled, restoration.report)
            raise
        return restoration.report

    def restoration(
        self,
        snapshot: Snapshot,
        *,
        force: bool = False,
        **options: Unpack[RunOptions[App]],
    ) -> Restoration:
        """Make the runs of a restoration one by one: what `restore` does, to be watched."""
        if snapshot.target != self._target and not force:
            raise InvalidInputError(
                f"the snapshot is of {snapshot.target}, and this is {self._target}: "
                "give force=True to restore it all the same."
            )
        if options.get("journal") is not None or options.get("resume"):
            raise InvalidInputError("restore keeps no journal: asked again, it goes on by itself.")

        def begin(action: Action, keys: list[str], deadline: float | None) -> Run[App]:
            how = options.copy()
            how["deadline"] = deadline
            return self.stream(action, keys, **how)

        chosen = self._checked(options)
        return Restoration(snapshot, self._apps, chosen, target=self._target, begin=begin)

    def _waiter(
        self,
        action: Action,
        options: Options,
        inputs: Inputs,
        on_crash: Callable[[str], None],
    ) -> Waiter | None:
        if options.wait == "none":
            return None
        pace = self._apps.caller.throttle.rate_window
        return Waiter(
            Apps(polling(self._apps.caller)),
            options.wait,
            down=action == "stop",
            anew=action == "restart",
            grace=options.crash_grace,
            scarce=lambda: pace.has_less_than(inputs.left),
            on_crash=on_crash,
        )

    def _opener(self, action: Action, options: RunOptions[App]) -> Callable[[], Journal] | None:
        path = options.get("journal")
        resume = options.get("resume", False)
        if path is None:
            if resume:
                raise InvalidInputError("resume=True goes with the journal of the run to resume.")
            return None
        return partial(Journal, path, action=action, target=self._target, resume=resume)

    def _checked(self, options: MapOptions[T] | RunOptions[T]) -> Options:
        concurrency = options.get("concurrency")
        if concurrency is not None and concurrency > self._ceiling:
            raise InvalidInputError(
                f"concurrency={concurrency} is above this client's {self._ceiling}: "
                f"make it with limits=Limits(concurrency={concurrency})."
            )
        chosen = min(_DEFAULT_CONCURRENCY, self._ceiling) if concurrency is None else concurrency
        fields = Options.__struct_fields__
        given = {name: value for name, value in options.items() if name in fields}
        return msgspec.structs.replace(Options(), **given | {"concurrency": chosen})


def _check_action(action: str) -> None:
    if action not in get_args(Action):
        raise InvalidInputError(f"{action!r} is no action: start, stop or restart.")


def mapped(func: Callable[[str], Awaitable[T]]) -> Work[T]:
    """Make the work of a run out of any coroutine function of a GUID."""

    async def work(flight: Flight[T], journal: Journal | None) -> Verdict[T]:
        del journal
        flight.asked = loop_time()
        return Verdict(status=Status.OK, value=await func(flight.key))

    return work


async def _collect(run: Run[T]) -> Report[T]:
    await run.run()
    return run.report
