"""Runs over many apps: the methods of `client.bulk`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, Unpack, cast, get_args

import msgspec
from typing_extensions import TypeVar

from aioappsapi._http.call import Caller
from aioappsapi.bulk.actions.factory import ActionFactory, BulkActionName
from aioappsapi.bulk.actions.scale import Scales, Wanted
from aioappsapi.bulk.actions.start_stop_restart import ActionName
from aioappsapi.bulk.forecast.plan import Plan, draw_up
from aioappsapi.bulk.options import (
    ActionOptions,
    MapOptions,
    RestageOptions,
    RestartOptions,
    RestoreOptions,
    RunOptions,
    StreamOptions,
    check_names,
)
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.run.inputs import Keys
from aioappsapi.bulk.run.observer import RunObserver
from aioappsapi.bulk.run.run import Run
from aioappsapi.bulk.run_maker import RunMaker
from aioappsapi.bulk.selection.criteria import Criteria, SelectOptions
from aioappsapi.bulk.selection.select import find, select
from aioappsapi.bulk.windows.diff import SnapshotDiff, compare
from aioappsapi.bulk.windows.restore import RestorePlan, draw_up_restore, known_apps, waves_of
from aioappsapi.bulk.windows.snapshot import Snapshot, take
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
        self._maker = RunMaker(caller, target=target, ceiling=ceiling, observer=observer)

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
        wanted = cast("Wanted", keys if isinstance(keys, Mapping) else scale)
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
        return self._maker.map(func, keys, name, options)

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
        chosen = self._maker.checked(options)
        return await draw_up(
            self._caller, action, self._maker.inputs(keys), chosen, target=self._target
        )

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
        make = partial(ActionFactory.make, name=action, wanted=wanted)
        return self._maker.make(make, keys, options, keep=keep, dry_run=dry_run)

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
        return await take(self._caller, self._maker.inputs(keys), target=self._target)

    async def diff(self, snapshot: Snapshot, *, force: bool = False) -> SnapshotDiff:
        """Compare a snapshot with the platform now: apps that are gone, new, or changed.

        Raises InvalidInputError for a snapshot of another API, unless `force`.
        """
        self._check_target(snapshot, force=force)
        return await compare(self._caller, snapshot)

    async def restore(
        self, snapshot: Snapshot, *, force: bool = False, **options: Unpack[RestoreOptions[App]]
    ) -> Report[App]:
        """Bring apps back to how a snapshot records them: stops first, then the others.

        Each app gets its state and its numbers of instances; with ``memory=True`` also memory and
        disk, and with ``droplets=True`` its droplet. A running app is restarted if its memory or
        droplet changed. Apps that are so already are skipped. Apps that are not in the snapshot are
        left alone, and one that was deleted is `failed`. `waves` are those of the starts.
        Raises InvalidInputError for a snapshot of another API, unless `force`.
        """
        check_names("restore", options, RestoreOptions)
        if options.pop("dry_run", False):
            return (await self.plan_restore(snapshot, force=force, **options)).report
        run = self.restoring(snapshot, force=force, **options)
        await run.run()
        return run.report

    def restoring(
        self, snapshot: Snapshot, *, force: bool = False, **options: Unpack[RestoreOptions[App]]
    ) -> Run[App]:
        """Make the run of a restore, to be watched. It is carried out inside of ``async with``."""
        check_names("restoring", options, RestoreOptions)
        self._check_target(snapshot, force=force)
        how = options.copy()
        how["waves"] = waves_of(snapshot, options.get("waves"))
        make = partial(ActionFactory.restore, snapshot=snapshot)
        return self._maker.make(make, known_apps(snapshot), how)

    async def plan_restore(
        self, snapshot: Snapshot, *, force: bool = False, **options: Unpack[RestoreOptions[App]]
    ) -> RestorePlan:
        """Predict a restore without changing anything: the outcomes, and what differs.

        Quota that stops would free is not counted. Raises what `plan` and `diff` raise.
        """
        check_names("plan_restore", options, RestoreOptions)
        self._check_target(snapshot, force=force)
        chosen = self._maker.checked(options)
        inputs = self._maker.inputs(known_apps(snapshot))

        async def plan(action: ActionName, keys: list[str]) -> Plan:
            alone = msgspec.structs.replace(chosen, waves=None)
            found = self._maker.inputs(keys)
            return await draw_up(self._caller, action, found, alone, target=self._target)

        return await draw_up_restore(
            self._caller, snapshot, chosen, inputs, plan, target=self._target
        )

    def _check_target(self, snapshot: Snapshot, *, force: bool) -> None:
        if snapshot.target != self._target and not force:
            raise InvalidInputError(
                f"The snapshot is of {snapshot.target}, and this is {self._target}. "
                "Pass force=True to restore it anyway."
            )


def _check_action(action: str, known: tuple[str, ...] = _PLANNED) -> None:
    if action not in known:
        raise InvalidInputError(f"{action!r} is no action: one of {', '.join(known)}.")
