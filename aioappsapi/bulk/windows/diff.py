"""The differences between a snapshot and the present platform, read without a change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import msgspec

from aioappsapi._http.batches import LARGEST_PAGE
from aioappsapi._http.call import Caller
from aioappsapi.api.apps import Apps
from aioappsapi.api.spaces import Spaces
from aioappsapi.bulk.reports.text import counted
from aioappsapi.bulk.windows.snapshot import (
    AppState,
    ProcessState,
    Snapshot,
    read_present,
    state_of,
)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One difference of an app.

    `what` is ``state``, ``instances``, ``memory`` or ``droplet``; instances and memory are those of
    a `process`. None means no droplet, or a type of process that no longer exists.
    """

    what: str
    before: str | int | None
    now: str | int | None
    process: str | None = None

    def __str__(self) -> str:
        of = f" of {self.process}" if self.process else ""
        return f"{self.what}{of}: {_shown(self.before)} before, {_shown(self.now)} now"


def _shown(value: str | int | None) -> str:
    return "none" if value is None else str(value)


class AppDiff(msgspec.Struct, frozen=True, kw_only=True):
    """An app that differs from its snapshot."""

    app: AppState
    differences: tuple[Difference, ...]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of differences: ``state``, ``instances``, ``memory``, ``droplet``."""
        return frozenset(one.what for one in self.differences)


class SnapshotDiff(msgspec.Struct, frozen=True, kw_only=True):
    """The changes of a snapshot's apps since it was taken.

    `gone` are apps that are not visible any more, `new` apps that were made since in the same
    spaces, `changed` those that differ; `same` is the number of the others.
    """

    gone: tuple[AppState, ...]
    new: tuple[AppState, ...]
    changed: tuple[AppDiff, ...]
    same: int

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        made: dict[str, object] = msgspec.to_builtins(self)
        return made

    def __repr__(self) -> str:
        return f"<SnapshotDiff: {', '.join(self.summary())}>"

    def summary(self) -> Iterator[str]:
        """Yield the counts in words."""
        yield f"{counted(len(self.changed), 'app')} changed"
        yield f"{len(self.gone):,} gone"
        yield f"{len(self.new):,} new"
        yield f"{self.same:,} as in the snapshot"


async def compare(caller: Caller, snapshot: Snapshot) -> SnapshotDiff:
    """Compare a snapshot with the platform: two requests per 200 apps, and two for new apps."""
    present = await read_present(caller, [app.guid for app in snapshot.apps])
    diffs = [_diff_of(app, present[app.guid]) for app in snapshot.apps if app.guid in present]
    changed = tuple(diff for diff in diffs if diff.differences)
    return SnapshotDiff(
        gone=tuple(app for app in snapshot.apps if app.guid not in present),
        new=tuple([app async for app in _new_apps(caller, snapshot)]),
        changed=changed,
        same=len(diffs) - len(changed),
    )


async def _new_apps(caller: Caller, snapshot: Snapshot) -> AsyncIterator[AppState]:
    """Yield newer apps in the spaces of the snapshot, which it knows only by name."""
    known = {app.guid for app in snapshot.apps}
    places = {(app.organization, app.space) for app in snapshot.apps}
    names = sorted({app.space for app in snapshot.apps if app.space is not None})
    spaces = await Spaces(caller).list(names=names).all()
    pager = Apps(caller).list(
        space_guids=[space.guid for space in spaces],
        created_ats={"gt": snapshot.taken_at},
        include=["space.organization"],
        per_page=LARGEST_PAGE,
    )
    async for app in pager:
        state = state_of(app)
        if app.guid not in known and (state.organization, state.space) in places:
            yield state


def _diff_of(before: AppState, now: AppState) -> AppDiff:
    return AppDiff(app=before, differences=tuple(_differences(before, now)))


def _differences(before: AppState, now: AppState) -> Iterator[Difference]:
    if before.state != now.state:
        yield Difference(what="state", before=before.state, now=now.state)
    present = {process.type: process for process in now.processes}
    for process in before.processes:
        yield from _of_process(process, present.get(process.type))
    if before.droplet is not None and before.droplet != now.droplet:
        yield Difference(what="droplet", before=before.droplet, now=now.droplet)


def _of_process(before: ProcessState, now: ProcessState | None) -> Iterator[Difference]:
    instances = None if now is None else now.instances
    if before.instances != instances:
        yield Difference(
            what="instances", before=before.instances, now=instances, process=before.type
        )
    if now is None:
        return
    for name in ("memory_in_mb", "disk_in_mb"):
        wanted, found = getattr(before, name), getattr(now, name)
        if wanted is not None and wanted != found:
            yield Difference(what="memory", before=wanted, now=found, process=before.type)
