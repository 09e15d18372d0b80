"""Runs over apps of several foundations: the methods of `fleet.bulk`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Generic, Unpack, cast

from typing_extensions import TypeVar

from aioappsapi.bulk.actions.factory import BulkActionName
from aioappsapi.bulk.actions.scale import Scales
from aioappsapi.bulk.options import (
    MapOptions,
    Options,
    RestageOptions,
    RestartOptions,
    RunOptions,
    StreamOptions,
    check_names,
)
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.run.run import Run
from aioappsapi.bulk.windows.waves import Waves
from aioappsapi.client import Client
from aioappsapi.errors import InvalidInputError
from aioappsapi.fleet.member import Member
from aioappsapi.fleet.predict import predict_each
from aioappsapi.fleet.run import FleetRun
from aioappsapi.fleet.selection import FleetKeys, Found, divide
from aioappsapi.fleet.target_waves import check_target_waves
from aioappsapi.models.app import App

T = TypeVar("T", default=App)


class _PerTarget(MapOptions[T], Generic[T], total=False):
    """The options that only runs over several foundations have.

    `max_failures` counts the failures of all foundations, and stops the whole run; a share is one
    of the apps that are known so far. `max_failures_per_target` stops the run of one foundation.

    `target_waves` are waves of whole foundations: ``Waves.canary(1)`` takes one first,
    ``Waves.ramp()`` 1, 2, 4, ..., and ``Waves([["eu-1"], ["us-1", "us-2"]])`` those of these
    names. The options of `Waves` hold for the apps of a wave; a foundation that cannot be used
    counts against `proceed_at`, too. `waves` are those of apps, within each foundation.
    """

    max_failures_per_target: int | float | None
    target_waves: Waves | None


class FleetMapOptions(_PerTarget[T], Generic[T], total=False):
    """`MapOptions`, and `max_failures_per_target`."""


class FleetRunOptions(RunOptions[T], _PerTarget[T], Generic[T], total=False):
    """`RunOptions`, and `max_failures_per_target`. `journal` is a folder, with a file for each."""


class FleetRestartOptions(RestartOptions[T], _PerTarget[T], Generic[T], total=False):
    """`RestartOptions`, and what `FleetRunOptions` adds."""


class FleetRestageOptions(RestageOptions[T], _PerTarget[T], Generic[T], total=False):
    """`RestageOptions`, and what `FleetRunOptions` adds."""


class FleetStreamOptions(StreamOptions[T], _PerTarget[T], Generic[T], total=False):
    """`StreamOptions`, and what `FleetRunOptions` adds."""


class FleetBulk:
    """Runs over apps of several foundations, with one report.

    `keys` say which apps are where: a mapping from names to GUIDs, Apps or Outcomes; or a function
    of a client, ``lambda client: client.apps.list(label_selector="env=prod")``, which may be a
    coroutine function; or the report of an earlier run over these foundations.

    Each outcome has its `target`. A foundation that cannot be used is in `report.target_errors`,
    once; its apps, where they are known, are `not_attempted`. `concurrency` and the limits for
    starts hold for each foundation by itself. `journal` is a folder.
    """

    def __init__(self, clients: Mapping[str, Client], *, patience: float) -> None:
        self._clients = clients
        self._patience = patience

    async def start(self, keys: FleetKeys, **options: Unpack[FleetRunOptions[App]]) -> Report[App]:
        """Start many apps; see `Bulk.start`."""
        check_names("start", options, FleetRunOptions)
        return await self._report("start", keys, options)

    async def stop(self, keys: FleetKeys, **options: Unpack[FleetRunOptions[App]]) -> Report[App]:
        """Stop many apps; see `Bulk.stop`."""
        check_names("stop", options, FleetRunOptions)
        return await self._report("stop", keys, options)

    async def restart(
        self, keys: FleetKeys, **options: Unpack[FleetRestartOptions[App]]
    ) -> Report[App]:
        """Restart many apps, none of them twice; see `Bulk.restart`."""
        check_names("restart", options, FleetRestartOptions)
        return await self._report("restart", keys, options)

    async def restage(
        self, keys: FleetKeys, **options: Unpack[FleetRestageOptions[App]]
    ) -> Report[App]:
        """Build the newest package of many apps, and run the droplets; see `Bulk.restage`."""
        check_names("restage", options, FleetRestageOptions)
        return await self._report("restage", keys, options)

    async def scale(
        self,
        keys: FleetKeys,
        scale: Scales | None = None,
        **options: Unpack[FleetRunOptions[App]],
    ) -> Report[App]:
        """Set instances, memory and disk of many apps; see `Bulk.scale`.

        Without `scale`, each foundation needs a mapping from GUIDs to numbers:
        ``scale({"eu": {guid: Scale(instances=2)}})``.
        """
        check_names("scale", options, FleetRunOptions)
        return await self._report("scale", keys, options, scale)

    async def map(
        self,
        func: Callable[[Client, str], Awaitable[T]],
        keys: FleetKeys,
        **options: Unpack[FleetMapOptions[T]],
    ) -> Report[T]:
        """Await any coroutine function of a client and a GUID for many apps; see `Bulk.map`.

        ``map(lambda client, guid: client.apps.get(guid), keys)``
        """
        check_names("map", options, FleetMapOptions)
        name = getattr(func, "__name__", "map")

        def begin(client: Client, found: Found, how: dict[str, Any]) -> Run[T]:
            if isinstance(found, Mapping):
                raise InvalidInputError("map() takes GUIDs for each foundation, not a mapping.")
            bound = partial(func, client)
            return client.bulk.map_run(bound, found, name=name, **how)

        run: FleetRun[T] = self._fleet_run(name, keys, dict(options), begin)
        await run.run()
        return run.report

    def stream(
        self,
        action: BulkActionName,
        keys: FleetKeys,
        **options: Unpack[FleetStreamOptions[App]],
    ) -> FleetRun[App]:
        """Make a run whose outcomes are consumed as they come; see `Bulk.stream`.

        Raises InvalidInputError for `dry_run`: see `predict`.
        """
        check_names("stream", options, FleetStreamOptions)
        given = dict(options)
        scale = cast("Scales | None", given.pop("scale", None))
        if given.pop("dry_run", False):
            raise InvalidInputError("A dry run has no stream. Use fleet.bulk.predict.")
        return self._fleet_run(action, keys, given, partial(_begin, action, scale))

    async def predict(
        self,
        action: BulkActionName,
        keys: FleetKeys,
        **options: Unpack[FleetStreamOptions[App]],
    ) -> Report[App]:
        """Predict a run without changing anything; what ``dry_run=True`` returns."""
        check_names("predict", options, FleetStreamOptions)
        given = dict(options)
        scale = cast("Scales | None", given.pop("scale", None))
        for name in ("keep", "dry_run"):
            given.pop(name, None)
        return await self._report(action, keys, given | {"dry_run": True}, scale)

    async def _report(
        self,
        action: BulkActionName,
        keys: FleetKeys,
        options: Mapping[str, Any],
        scale: Scales | None = None,
    ) -> Report[App]:
        given = dict(options)
        if given.pop("dry_run", False):
            parts = divide(keys, self._clients)
            return await predict_each(
                action, parts, self._clients, given, scale, patience=self._patience
            )
        run: FleetRun[App] = self._fleet_run(action, keys, given, partial(_begin, action, scale))
        await run.run()
        return run.report

    def _fleet_run(
        self,
        action: str,
        keys: FleetKeys,
        options: dict[str, Any],
        begin: Callable[[Client, Found, dict[str, Any]], Run[T]],
    ) -> FleetRun[T]:
        on_outcome, waves = options.pop("on_outcome", None), options.pop("target_waves", None)
        if waves is not None:
            check_target_waves(waves, self._clients)
        deadline = options.get("deadline")
        limit = Options(max_failures=options.pop("max_failures", None), deadline=deadline)
        options["max_failures"] = options.pop("max_failures_per_target", None)
        if (folder := options.get("journal")) is not None:
            make_folder(folder)
        run: FleetRun[T] = FleetRun(
            action, patience=self._patience, deadline=deadline, enough=limit.enough
        )

        def begin_at(member: Member[T], found: Found) -> Run[T]:
            how = options | {"on_outcome": partial(run.took, member)}
            if folder is not None:
                how["journal"] = journal_path(folder, member.name)
            made = begin(member.client, found, how)
            made.on_failure(run.check_failures)
            return made

        members = [
            Member(name, self._clients[name], given, action, begin_at)
            for name, given in divide(keys, self._clients).items()
        ]
        run.take(members, on_outcome, waves)
        return run


def _begin(
    action: BulkActionName,
    scale: Scales | None,
    client: Client,
    found: Found,
    how: dict[str, Any],
) -> Run[App]:
    if action == "scale" and scale is None:
        return _begin_to_scale(client, found, how)
    if isinstance(found, Mapping):
        raise InvalidInputError(f"{action} takes GUIDs for each foundation, not a mapping.")
    if scale is not None:
        how = how | {"scale": scale}
    return client.bulk.stream(action, found, **how)


def _begin_to_scale(client: Client, found: Found, how: dict[str, Any]) -> Run[App]:
    """Make the run of a scale whose numbers are different for each app."""
    if found == []:  # no app is known yet; only the options are checked
        found = {}
    if not isinstance(found, Mapping):
        raise InvalidInputError(
            "scale needs numbers: pass a Scale, or a mapping from GUIDs for each foundation."
        )
    return client.bulk.stream("scale", list(found), scale=found, **how)


def journal_path(folder: str | Path, name: str) -> Path:
    """Return the path of the journal of one foundation."""
    return Path(folder) / f"{name}.journal"


def make_folder(folder: str | Path) -> None:
    """Make the folder of journals, if it is not there. Raises InvalidInputError."""
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise InvalidInputError(
            f"The journals need a folder, and {path} cannot be one: {cause.strerror or cause}."
        ) from None
