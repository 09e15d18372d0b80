"""Runs over many apps: the methods of `client.bulk`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, Unpack, cast, get_args

import msgspec
from typing_extensions import TypeVar

from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import current_call_log
from aioappsapi.bulk.actions.action import Action
from aioappsapi.bulk.actions.dry_run import dry
from aioappsapi.bulk.actions.factory import ActionFactory, BulkActionName
from aioappsapi.bulk.actions.map import MapStep
from aioappsapi.bulk.actions.scale import Scales, Wanted
from aioappsapi.bulk.actions.start_stop_restart import ActionName
from aioappsapi.bulk.forecast.plan import Plan, draw_up
from aioappsapi.bulk.options import (
    ActionOptions,
    MapOptions,
    Options,
    RestageOptions,
    RestartOptions,
    RunOptions,
    StreamOptions,
    check_names,
)
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.run.conclude import RunAbortedError, attach_report
from aioappsapi.bulk.run.inputs import Inputs, Keys
from aioappsapi.bulk.run.journal import Journal
from aioappsapi.bulk.run.observer import RunObserver
from aioappsapi.bulk.run.progress import Progress, RequestCounter
from aioappsapi.bulk.run.run import Run
from aioappsapi.bulk.selection.criteria import Criteria, SelectOptions
from aioappsapi.bulk.selection.select import find, select
from aioappsapi.bulk.windows.restore import Restoration
from aioappsapi.bulk.windows.snapshot import Snapshot, take
from aioappsapi.bulk.windows.wave_plan import WavePlanner
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App

T = TypeVar("T", default=App)

_PLANNED: Final = get_args(ActionName)


class Bulk:
    """Runs over many apps, with one outcome for each.

    A run never raises for an app: the error that a single call would raise is in its outcome. A
    cancelled run lets its CancelledError pass; a callback or an input that raises ends the run with
    RunAbortedError. `report_of` finds the report in both exceptions.

    `keys` is any iterable or async iterable of GUIDs, Apps or Outcomes, so also a `Report`.
    Duplicates are sent once. An app that was `unverified` in a report is verified, or stays
    `unverified`; it does not become `already` without a proof. A report of another API is an
    InvalidInputError. For the options see `RunOptions` and `MapOptions`; an unknown option is a
    TypeError before anything is sent.
    """

    def __init__(
        self, caller: Caller, *, target: str, ceiling: int, observer: RunObserver | None = None
    ) -> None:
        self._caller = caller
        self._target = target
        self._ceiling = ceiling
        self._observer = observer

    async def start(self, keys: Keys, **options: Unpack[RunOptions[App]]) -> Report[App]:
        """Start many apps.

        An app is `ok` when the server accepted its start, or with `wait` when its instances run.
        It is `unverified` when the server's answer proves nothing and no instance was seen. An
        example is an acceptance after an attempt that may already have taken effect.
        Source: POST /v3/apps/{guid}/actions/start.
        """
        return await self._report("start", keys, options)

    async def stop(self, keys: Keys, **options: Unpack[RunOptions[App]]) -> Report[App]:
        """Stop many apps. With any `wait` an app is `ok` when no instance of it is left.

        Source: POST /v3/apps/{guid}/actions/stop.
        """
        return await self._report("stop", keys, options)

    async def restart(self, keys: Keys, **options: Unpack[RestartOptions[App]]) -> Report[App]:
        """Restart many apps, none of them twice.

        If an answer is lost, the app is `failed`, and may have been restarted. With `wait` only
        instances count that came up after the request. With ``strategy="rolling"`` each app gets a
        deployment instead, and is `ok` when that is deployed, and with `wait` when all of the app's
        instances run; see `RollingOptions`. An app that has another deployment in
        progress is `failed` with a DeploymentInProgressError, and a stopped app is started.
        Source: POST /v3/apps/{guid}/actions/restart, POST /v3/deployments.
        """
        return await self._report("restart", keys, options, RestartOptions)

    async def restage(self, keys: Keys, **options: Unpack[RestageOptions[App]]) -> Report[App]:
        """Build the newest package of many apps, and run the new droplets; no app is built twice.

        After its build an app gets the droplet and a restart, or with ``strategy="rolling"`` a
        deployment of the droplet. An app whose build fails is not changed, and its error has the
        server's reason. `to_stack` builds for another stack, which the app then keeps. Stopped
        apps are started. See `RollingOptions` and `BuildOptions`.
        Source: POST /v3/builds, PATCH /v3/apps/{guid}/relationships/current_droplet.
        """
        return await self._report("restage", keys, options, RestageOptions)

    async def scale(
        self,
        keys: Keys | Mapping[str, Scales],
        scale: Scales | None = None,
        **options: Unpack[RunOptions[App]],
    ) -> Report[App]:
        """Set instances, memory and disk of many apps: ``scale(guids, Scale(instances=2))``.

        Pass a mapping from GUIDs for numbers by app, and a sequence of `Scale` for several
        processes of an app. Apps that have these numbers are `already`. With `wait` the instances
        of started apps are verified. An app with a deployment in progress is refused by the server.
        Source: POST /v3/apps/{guid}/processes/{type}/actions/scale.
        """
        check_names("scale", options, RunOptions)
        if isinstance(keys, Mapping) == (scale is not None):
            raise TypeError("scale() takes keys and a Scale, or a mapping from GUIDs to Scales.")
        dry_run = options.pop("dry_run", False)
        wanted: Wanted = keys if isinstance(keys, Mapping) else scale or []
        chosen: Keys = list(keys) if isinstance(keys, Mapping) else keys
        run = self._run("scale", chosen, options, dry_run=dry_run, wanted=wanted)
        await run.run()
        return run.report

    async def _report(
        self,
        name: BulkActionName,
        keys: Keys,
        options: RestageOptions[App] | RestartOptions[App] | RunOptions[App],
        allowed: type = RunOptions,
    ) -> Report[App]:
        check_names(name, options, allowed)
        if options.pop("dry_run", False):
            return await self._predict(name, keys, options)
        run = self._run(name, keys, options)
        await run.run()
        return run.report

    async def _predict(
        self, name: BulkActionName, keys: Keys, options: ActionOptions[App]
    ) -> Report[App]:
        """Predict a report; actions unknown to `plan` are predicted by their first step."""
        if name in _PLANNED and options.get("strategy", "plain") == "plain":
            return (await self.plan(cast("ActionName", name), keys, **options)).report
        run = self._run(name, keys, options, dry_run=True)
        await run.run()
        return run.report

    async def map(
        self, func: Callable[[str], Awaitable[T]], keys: Keys, **options: Unpack[MapOptions[T]]
    ) -> Report[T]:
        """Await any coroutine function of a GUID for many apps: ``map(client.apps.get, guids)``.

        Its result is the outcome's `value`. An AppsApiError is an outcome; any other exception
        is a bug and aborts the run.
        """
        run = self.map_run(func, keys, **options)
        await run.run()
        return run.report

    def map_run(
        self,
        func: Callable[[str], Awaitable[T]],
        keys: Keys,
        *,
        name: str | None = None,
        **options: Unpack[MapOptions[T]],
    ) -> Run[T]:
        """Make the run of a `map`, to be watched. `name` is its action; by default the function's.

        It is carried out inside of ``async with``, and yields outcomes as `stream` does.
        """
        check_names("map", options, MapOptions)
        name = name or str(getattr(func, "__name__", "map"))
        chosen, inputs = self._checked(options), self._inputs(keys)
        return Run(
            Action(name, [MapStep(name, func)]),
            inputs,
            chosen,
            Progress[T](),
            target=self._target,
            outer=current_call_log.get(),
            throttle=self._caller.throttle,
            give_up_after=self._caller.retry.give_up_after,
            on_outcome=options.get("on_outcome"),
            on_pause=options.get("on_pause"),
            waves=self._planner(chosen, inputs, name),
            observer=self._observer,
        )

    async def plan(
        self, action: ActionName, keys: Keys, **options: Unpack[RunOptions[App]]
    ) -> Plan:
        """Predict a run without changing anything: outcomes, requests, the earliest finish.

        It reads states, droplets, roles, suspensions and feature flags, and compares quotas with
        the sum of the apps to start. Data that this login may not read is ignored. Crashes cannot
        be predicted. `plan.report` is what `dry_run=True` returns. Raises AuthError, TransportError
        or ResponseError if the apps cannot be read.
        """
        check_names("plan", options, RunOptions)
        _check_action(action)
        chosen = self._checked(options)
        return await draw_up(self._caller, action, self._inputs(keys), chosen, target=self._target)

    def stream(
        self, action: BulkActionName, keys: Keys, **options: Unpack[StreamOptions[App]]
    ) -> Run[App]:
        """Make a run whose outcomes are consumed as they come.

        ``async with client.bulk.stream("start", guids) as outcomes:`` begins it, and ``async for
        outcome in outcomes`` yields each outcome. Leaving the block early cancels the rest.
        `outcomes.report` always has all outcomes, except with `keep=False`: then they are only
        counted, so that memory stays constant.
        """
        check_names("stream", options, StreamOptions)
        _check_action(action, get_args(BulkActionName))
        keep, wanted = options.get("keep", True), options.get("scale")
        dry_run = options.get("dry_run", False)
        return self._run(action, keys, options, keep=keep, dry_run=dry_run, wanted=wanted)

    def _run(
        self,
        action: BulkActionName,
        keys: Keys,
        options: ActionOptions[App],
        *,
        keep: bool = True,
        dry_run: bool = False,
        wanted: Wanted | None = None,
    ) -> Run[App]:
        chosen, inputs = self._checked(options), self._inputs(keys)
        progress = Progress[App](keep=keep, keep_values=chosen.keep_values)
        outer = current_call_log.get()
        calls = RequestCounter(progress.requests, outer)
        made = ActionFactory(self._caller, inputs, chosen, calls).make(action, wanted)
        return Run(
            dry(made) if dry_run else made,
            inputs,
            chosen,
            progress,
            target=self._target,
            calls=calls,
            outer=outer,
            throttle=self._caller.throttle,
            give_up_after=self._caller.retry.give_up_after,
            open_journal=None if dry_run else self._opener(made, chosen, options),
            on_outcome=options.get("on_outcome"),
            on_pause=options.get("on_pause"),
            predicted=dry_run,
            waves=self._planner(chosen, inputs, action, dry_run=dry_run),
            observer=self._observer,
        )

    def _planner(
        self, chosen: Options, inputs: Inputs, action: str, *, dry_run: bool = False
    ) -> WavePlanner | None:
        if (waves := chosen.waves) is None:
            return None
        how = waves.without_stops() if dry_run else waves
        return WavePlanner(how, inputs, self._caller, action)

    async def select(self, **criteria: Unpack[SelectOptions]) -> list[App]:
        """Select apps: ``select(spaces="prod", names="web-*", stack="cflinuxfs3")``.

        The apps know their space and organization. Those of exact names come first, in the order
        of the names, then the others by age. Without criteria it selects all apps that this login
        may see. Raises InvalidInputError for an exact name that no app or several apps have, and
        for a place that is not visible. Source: GET /v3/apps, and GET /v3/droplets for
        `droplet_older_than`.
        """
        check_names("select", criteria, SelectOptions)
        return await select(self._caller, Criteria.of(criteria))

    async def find(self, names: Sequence[str], *, skip_unknown: bool = False) -> dict[str, App]:
        """Find the one app that each name stands for: a name, or ``org/space/app``.

        An exact name wins over a path. Raises InvalidInputError for a name that several apps have,
        with the path of each, and for one that no app has, unless `skip_unknown`.
        Source: GET /v3/apps.
        """
        return await find(self._caller, names, skip_unknown=skip_unknown)

    async def snapshot(self, keys: Keys) -> Snapshot:
        """Record states and instance counts of apps, for `restore` to bring them back.

        Pass `client.apps.list()` as `keys` for all apps. Raises InvalidInputError if an app does
        not exist.
        """
        return await take(self._caller, self._inputs(keys), target=self._target)

    async def restore(
        self, snapshot: Snapshot, *, force: bool = False, **options: Unpack[RunOptions[App]]
    ) -> Report[App]:
        """Restore the apps of a snapshot: first stops, then numbers of instances, then starts.

        Apps that match the snapshot are skipped, so a second call continues the first; there is no
        journal. `deadline` is for everything. Apps that are not in the snapshot are
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
        """Make the runs of a restoration one by one, for callers that show progress."""
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

    def _inputs(self, keys: Keys) -> Inputs:
        """Refuse a report of another API, because its GUIDs do not belong to this API."""
        if isinstance(keys, Report) and (others := set(keys.targets) - {self._target}):
            raise InvalidInputError(
                f"This is a report of {', '.join(sorted(others))}, and the target is "
                f"{self._target}. Nothing was sent. Pass report.failed_keys() to use its GUIDs "
                "here all the same."
            )
        return Inputs(keys)

    def _opener(
        self, action: Action, chosen: Options, options: ActionOptions[App]
    ) -> Callable[[], Journal] | None:
        path = options.get("journal")
        resume = options.get("resume", False)
        if path is None:
            if resume:
                raise InvalidInputError("resume=True needs the journal of the run to resume.")
            return None
        return partial(
            Journal,
            path,
            action=f"{action.name}{chosen.manner}",
            target=self._target,
            resume=resume,
            wait=chosen.wait,
            steps=action.steps,
        )

    def _checked(self, options: MapOptions[T]) -> Options:
        concurrency = options.get("concurrency")
        if concurrency is not None and concurrency > self._ceiling:
            raise InvalidInputError(
                f"concurrency={concurrency} is above this client's {self._ceiling}. "
                f"Make the client with limits=Limits(concurrency={concurrency})."
            )
        chosen = self._ceiling if concurrency is None else concurrency
        fields = Options.__struct_fields__
        given = {name: value for name, value in options.items() if name in fields}
        return msgspec.structs.replace(Options(), **given | {"concurrency": chosen})


def _check_action(action: str, known: tuple[str, ...] = _PLANNED) -> None:
    if action not in known:
        raise InvalidInputError(f"{action!r} is no action: one of {', '.join(known)}.")
