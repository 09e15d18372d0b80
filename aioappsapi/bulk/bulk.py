"""Many apps at once: what `client.bulk` offers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Unpack, get_args

import msgspec
from typing_extensions import TypeVar

from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import current_call_log
from aioappsapi.api.apps import readers_of
from aioappsapi.api.processes import Processes
from aioappsapi.bulk.actions.action import Action, ActionStep, InstanceWatcher
from aioappsapi.bulk.actions.footprint import read_footprints
from aioappsapi.bulk.actions.map import MapStep
from aioappsapi.bulk.actions.prefetch import Prefetcher
from aioappsapi.bulk.actions.start_limiter import StartLimiter
from aioappsapi.bulk.actions.start_stop_restart import ActionName, LifecycleStep
from aioappsapi.bulk.forecast.plan import Plan, draw_up
from aioappsapi.bulk.options import (
    ActionOptions,
    MapOptions,
    Options,
    RunOptions,
    StreamOptions,
    check_names,
)
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.run.conclude import RunAbortedError, attach_report
from aioappsapi.bulk.run.inputs import Inputs, Keys
from aioappsapi.bulk.run.journal import Journal
from aioappsapi.bulk.run.progress import Progress, RequestCounter
from aioappsapi.bulk.run.run import Run
from aioappsapi.bulk.windows.restore import Restoration
from aioappsapi.bulk.windows.snapshot import Snapshot, take
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App
from aioappsapi.waiting.waiter import Waiter

T = TypeVar("T", default=App)

_DEFAULT_CONCURRENCY: Final = 50


class Bulk:
    """Runs over many apps, with one outcome for each.

    A run never raises for an app: the error that a single call would raise is in its outcome. A
    cancelled run lets its CancelledError pass; a callback or an input that breaks ends the run with
    RunAbortedError. `report_of` finds the report of what happened until then in either.

    `keys` is any iterable or async iterable of GUIDs, Apps or Outcomes, so also a `Report`.
    Duplicates are sent once. A report carries its doubts along: an app that was `unverified` is
    verified, or stays `unverified`; it never becomes `already` unseen. For the options see
    `RunOptions` and `MapOptions`; an unknown one is a TypeError before anything is sent.
    """

    def __init__(self, caller: Caller, *, target: str, ceiling: int) -> None:
        self._caller = caller
        self._target = target
        self._ceiling = ceiling

    async def start(self, keys: Keys, **options: Unpack[RunOptions[App]]) -> Report[App]:
        """Start many apps.

        An app is `ok` when the server accepted it, or with `wait` when it was seen to run. It is
        `unverified` when the server's answer proves nothing, and nobody looked: for example when it
        was accepted only after an attempt that may already have taken effect.
        Source: POST /v3/apps/{guid}/actions/start.
        """
        return await self._report("start", keys, options)

    async def stop(self, keys: Keys, **options: Unpack[RunOptions[App]]) -> Report[App]:
        """Stop many apps. With any `wait` an app is `ok` when no instance of it is left.

        Source: POST /v3/apps/{guid}/actions/stop.
        """
        return await self._report("stop", keys, options)

    async def restart(self, keys: Keys, **options: Unpack[RunOptions[App]]) -> Report[App]:
        """Restart many apps, none of them twice.

        An app whose answer was lost is `failed`, and may have been restarted. With `wait` only
        instances count that came up after the request.
        Source: POST /v3/apps/{guid}/actions/restart.
        """
        return await self._report("restart", keys, options)

    async def _report(self, name: ActionName, keys: Keys, options: RunOptions[App]) -> Report[App]:
        check_names(name, options, RunOptions)
        if options.pop("dry_run", False):
            return (await self.plan(name, keys, **options)).report
        run = self._run(name, keys, options)
        await run.run()
        return run.report

    async def map(
        self, func: Callable[[str], Awaitable[T]], keys: Keys, **options: Unpack[MapOptions[T]]
    ) -> Report[T]:
        """Await any coroutine function of a GUID for many apps: ``map(client.apps.get, guids)``.

        Its result is the outcome's `value`. An AppsApiError is an outcome; anything else that it
        raises is a bug and aborts the run.
        """
        check_names("map", options, MapOptions)
        name = getattr(func, "__name__", "map")
        run: Run[T] = Run(
            Action(name, [MapStep(name, func)]),
            Inputs(keys),
            self._checked(options),
            Progress[T](),
            target=self._target,
            outer=current_call_log.get(),
            throttle=self._caller.throttle,
            give_up_after=self._caller.retry.give_up_after,
            on_outcome=options.get("on_outcome"),
            on_pause=options.get("on_pause"),
        )
        await run.run()
        return run.report

    async def plan(
        self, action: ActionName, keys: Keys, **options: Unpack[RunOptions[App]]
    ) -> Plan:
        """Predict a run without changing anything: outcomes, requests, the earliest finish.

        It reads states, droplets, roles, suspensions, feature flags, and quotas against the sum of
        what would start. A fact that this login may not read counts for no app. Crashes cannot be
        predicted. `plan.report` is what `dry_run=True` returns. Raises AuthError, TransportError or
        ResponseError if the apps cannot be read.
        """
        check_names("plan", options, RunOptions)
        _check_action(action)
        chosen = self._checked(options)
        return await draw_up(self._caller, action, Inputs(keys), chosen, target=self._target)

    def stream(
        self, action: ActionName, keys: Keys, **options: Unpack[StreamOptions[App]]
    ) -> Run[App]:
        """Make a run whose outcomes are consumed as they come.

        ``async with client.bulk.stream("start", guids) as outcomes:`` begins it, and ``async for
        outcome in outcomes`` yields each outcome. Leaving the block early cancels the rest.
        `outcomes.report` has everything in any case, but with `keep=False`: then outcomes are
        counted and not kept, so that memory stays flat.
        """
        check_names("stream", options, StreamOptions)
        _check_action(action)
        return self._run(action, keys, options, keep=options.get("keep", True))

    def _run(
        self,
        action: ActionName,
        keys: Keys,
        options: ActionOptions[App],
        *,
        keep: bool = True,
    ) -> Run[App]:
        chosen, inputs = self._checked(options), Inputs(keys)
        progress = Progress[App](keep=keep)
        outer = current_call_log.get()
        calls = RequestCounter(progress.requests, outer)
        waiter = self._waiter(action, chosen, inputs)
        step = LifecycleStep(
            action,
            self._caller,
            inputs,
            calls,
            skip_unchanged=chosen.skip_unchanged,
            watcher=None if waiter is None else InstanceWatcher(waiter, chosen.patience),
        )
        limiter = self._start_limiter(action, chosen, inputs, calls)
        return Run(
            Action(action, [step], limiter=limiter),
            inputs,
            chosen,
            progress,
            target=self._target,
            calls=calls,
            outer=outer,
            throttle=self._caller.throttle,
            give_up_after=self._caller.retry.give_up_after,
            open_journal=self._opener(action, [step], options),
            on_outcome=options.get("on_outcome"),
            on_pause=options.get("on_pause"),
        )

    async def snapshot(self, keys: Keys) -> Snapshot:
        """Record states and instance counts of apps, for `restore` to bring them back.

        Pass `client.apps.list()` as `keys` for all apps. Raises InvalidInputError if an app does
        not exist.
        """
        return await take(self._caller, Inputs(keys), target=self._target)

    async def restore(
        self, snapshot: Snapshot, *, force: bool = False, **options: Unpack[RunOptions[App]]
    ) -> Report[App]:
        """Bring apps back to how a snapshot records them: first stops, then numbers, then starts.

        Apps that are so already are skipped, so a second call continues where the first one ended;
        there is no journal. `deadline` is for everything. Apps that are not in the snapshot are
        left alone, and one that was deleted is `failed`. Raises InvalidInputError for a snapshot of
        another API, unless `force`.
        """
        check_names("restore", options, RunOptions)
        dry_run = options.pop("dry_run", False)
        restoration = self.restoration(snapshot, force=force, **options)
        if dry_run:
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
        self, snapshot: Snapshot, *, force: bool = False, **options: Unpack[RunOptions[App]]
    ) -> Restoration:
        """Make the runs of a restoration one by one: what `restore` does, to be watched."""
        check_names("restoration", options, RunOptions)
        if snapshot.target != self._target and not force:
            raise InvalidInputError(
                f"The snapshot is of {snapshot.target}, and this is {self._target}. "
                "Pass force=True to restore it all the same."
            )
        if options.get("journal") is not None or options.get("resume"):
            raise InvalidInputError(
                "restore keeps no journal: called again, it continues where it ended."
            )

        def begin(action: ActionName, keys: list[str], deadline: float | None) -> Run[App]:
            how = options.copy()
            how["deadline"] = deadline
            return self._run(action, keys, how)

        chosen = self._checked(options)
        return Restoration(snapshot, self._caller, chosen, target=self._target, begin=begin)

    def _waiter(self, action: ActionName, options: Options, inputs: Inputs) -> Waiter | None:
        if options.wait == "none":
            return None
        rate = self._caller.throttle.rate_window
        return Waiter(
            readers_of(self._caller),
            options.wait,
            until_stopped=action == "stop",
            only_new=action == "restart",
            crash_grace=options.crash_grace,
            quota_is_low=lambda: rate.has_less_than(inputs.left),
        )

    def _start_limiter(
        self, action: ActionName, options: Options, inputs: Inputs, calls: RequestCounter
    ) -> StartLimiter | None:
        if action == "stop" or not options.is_bounded:
            return None
        read = partial(read_footprints, Processes(self._caller))
        return StartLimiter(
            instances=options.max_starting,
            memory=options.max_starting_mb,
            footprints=Prefetcher(inputs, read, calls),
        )

    def _opener(
        self, action: str, steps: Sequence[ActionStep], options: ActionOptions[App]
    ) -> Callable[[], Journal] | None:
        path = options.get("journal")
        resume = options.get("resume", False)
        if path is None:
            if resume:
                raise InvalidInputError("resume=True needs the journal of the run to resume.")
            return None
        wait = options.get("wait", "none")
        return partial(
            Journal,
            path,
            action=action,
            target=self._target,
            resume=resume,
            wait=wait,
            steps=steps,
        )

    def _checked(self, options: MapOptions[T]) -> Options:
        concurrency = options.get("concurrency")
        if concurrency is not None and concurrency > self._ceiling:
            raise InvalidInputError(
                f"concurrency={concurrency} is above this client's {self._ceiling}. "
                f"Make the client with limits=Limits(concurrency={concurrency})."
            )
        chosen = min(_DEFAULT_CONCURRENCY, self._ceiling) if concurrency is None else concurrency
        fields = Options.__struct_fields__
        given = {name: value for name, value in options.items() if name in fields}
        return msgspec.structs.replace(Options(), **given | {"concurrency": chosen})


def _check_action(action: str) -> None:
    if action not in get_args(ActionName):
        raise InvalidInputError(f"{action!r} is no action: start, stop or restart.")
