"""Snapshots: the state of apps at a moment, in a file that a restore can use.

The Structs here are the file format: the JSON schema in the package is generated from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from aioappsapi._http.batches import LARGEST_PAGE
from aioappsapi._http.call import Caller
from aioappsapi.api.apps import Apps
from aioappsapi.api.processes import Processes
from aioappsapi.bulk.files import check_no_journal, decode_json, write_private
from aioappsapi.bulk.reports.text import counted
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App
from aioappsapi.models.process import Process

SCHEMA: Final = 2

Count = Annotated[int, msgspec.Meta(ge=0)]

_SHOWN: Final = 5


class ProcessState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One process type of an app: the requested instances, and memory and disk of each."""

    type: str
    instances: Count
    memory_in_mb: int | None = None
    disk_in_mb: int | None = None


class AppState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of one app. `droplet` is the GUID of its current droplet, None without one."""

    guid: str
    name: str
    space: str | None = None
    organization: str | None = None
    state: Literal["STARTED", "STOPPED"]
    droplet: str | None = None
    processes: tuple[ProcessState, ...] = ()
    labels: dict[str, str | None] | None = None

    @property
    def path(self) -> str:
        """``org/space/app``, as far as the places are known."""
        return "/".join(part for part in (self.organization, self.space, self.name) if part)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The state of apps of one API (`target`); made by `client.bulk.snapshot`."""

    schema: Literal[2] = SCHEMA
    target: str
    taken_at: Annotated[datetime, msgspec.Meta(tz=True)]
    apps: tuple[AppState, ...]

    def __repr__(self) -> str:
        return f"<Snapshot of {counted(len(self.apps), 'app')} at {self.target}>"

    def write(self, path: str | Path) -> None:
        """Write the snapshot to a file as JSON, whole or not at all; only you can read the file.

        Raises InvalidInputError for a journal, a link, a folder, a pipe or a device, OSError if the
        file cannot be written.
        """
        check_no_journal(Path(path))
        write_private(Path(path), self._chunks())

    @classmethod
    def load(cls, path: str | Path) -> Snapshot:
        """Read a file that `write` wrote. Raises InvalidInputError for another file, OSError."""
        data = Path(path).read_bytes()
        try:
            schema = decode_json(data, _Versioned).schema
            if schema != SCHEMA:
                raise ValueError(
                    f"it has schema {schema}, and this version reads schema {SCHEMA}: "
                    "take the snapshot again"
                )
            return decode_json(data, cls)
        except ValueError as cause:
            raise InvalidInputError(f"{path} is not a snapshot: {cause}.") from None

    def _chunks(self) -> Iterator[str]:
        """Yield the JSON document piece by piece, one app per line."""
        head = msgspec.json.encode(msgspec.structs.replace(self, apps=()))
        yield msgspec.json.format(head, indent=1).decode().removesuffix("[]\n}") + "["
        comma = "\n  "
        for app in self.apps:
            yield comma + msgspec.json.encode(app).decode()
            comma = ",\n  "
        yield "\n ]\n}\n"


class _Versioned(msgspec.Struct):
    """The member that every version of a snapshot has."""

    schema: int


async def take(caller: Caller, inputs: Inputs, *, target: str) -> Snapshot:
    """Read the state of apps: two requests per 200 apps.

    Raises InvalidInputError if an app is not visible: it could not be restored.
    """
    await inputs.read_all()
    keys = inputs.keys
    taken_at = datetime.now(UTC)
    found = await read_present(caller, keys)
    if missing := [key for key in keys if key not in found]:
        few = ", ".join(missing[:_SHOWN]) + (" and more" if len(missing) > _SHOWN else "")
        verb = "is" if len(missing) == 1 else "are"
        raise InvalidInputError(
            f"{counted(len(missing), 'app')} {verb} not visible with this login: {few}."
        )
    return Snapshot(target=target, taken_at=taken_at, apps=tuple(found[key] for key in keys))


async def read_present(caller: Caller, keys: Sequence[str]) -> dict[str, AppState]:
    """Return the present states of the apps that are visible."""
    processes = await _read_processes(Processes(caller), keys)
    pager = Apps(caller).list(guids=keys, include=["space.organization"], per_page=LARGEST_PAGE)
    return {app.guid: state_of(app, processes.pop(app.guid, [])) async for app in pager}


async def _read_processes(
    processes: Processes, keys: Sequence[str]
) -> dict[str, list[ProcessState]]:
    found: dict[str, list[ProcessState]] = {}
    async for process in processes.list(app_guids=keys, per_page=LARGEST_PAGE):
        guid, instances = process.relationships.app.guid, process.instances
        if guid is not None and instances is not None:
            found.setdefault(guid, []).append(_process_state(process, instances))
    return found


def _process_state(process: Process, instances: int) -> ProcessState:
    return ProcessState(
        type=process.type,
        instances=instances,
        memory_in_mb=process.memory_in_mb,
        disk_in_mb=process.disk_in_mb,
    )


def state_of(app: App, processes: Sequence[ProcessState] = ()) -> AppState:
    """Return the state of an app as a snapshot records it."""
    droplet = app.relationships.current_droplet
    return AppState(
        guid=app.guid,
        name=app.name,
        space=app.space.name if app.included_space else None,
        organization=app.organization.name if app.included_organization else None,
        state="STARTED" if app.state == "STARTED" else "STOPPED",
        droplet=droplet.guid if droplet is not None else None,
        processes=tuple(sorted(processes, key=lambda one: (one.type != "web", one.type))),
        labels=app.metadata.labels or None,
    )
