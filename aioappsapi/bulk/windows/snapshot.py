"""How apps were at a moment: their states and instance counts, in a file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from aioappsapi._http.call import Caller
from aioappsapi.api.apps import Apps
from aioappsapi.api.processes import Processes
from aioappsapi.bulk.reports.writers.whole import write_whole
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.errors import InvalidInputError

Count = Annotated[int, msgspec.Meta(ge=0)]

_PAGE = 5_000


class AppState(msgspec.Struct, frozen=True, kw_only=True):
    """How one app was. `instances` says how many each type of its processes was to have."""

    guid: str
    name: str
    state: Literal["STARTED", "STOPPED"]
    instances: Mapping[str, Count] = {}


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How apps of one API (`target`) were; made by `client.bulk.snapshot`."""

    schema: Literal[1] = 1
    target: str
    taken_at: datetime
    apps: tuple[AppState, ...]

    def write(self, path: str | Path) -> None:
        """Write it to a file as JSON, whole or not at all. Raises OSError."""
        text = msgspec.json.format(msgspec.json.encode(self), indent=1).decode()
        write_whole(Path(path), text + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Snapshot:
        """Read what `write` wrote. Raises InvalidInputError for another file, OSError."""
        data = Path(path).read_bytes()
        try:
            return msgspec.json.decode(data, type=cls)
        except ValueError as cause:
            raise InvalidInputError(f"{path} is not a snapshot: {cause}.") from None


async def take(caller: Caller, inputs: Inputs, *, target: str) -> Snapshot:
    """Read how apps are: two requests for 200 of them.

    Raises InvalidInputError if one is not there: what was not noted could not be restored.
    """
    await inputs.read_all()
    keys = inputs.keys
    found = {app.guid: app async for app in Apps(caller).list(guids=keys, per_page=_PAGE)}
    if missing := [key for key in keys if key not in found]:
        few = ", ".join(missing[:5]) + (" and more" if len(missing) > 5 else "")
        raise InvalidInputError(f"{len(missing)} apps are not visible with this login: {few}.")
    counts: dict[str, dict[str, int]] = {}
    async for process in Processes(caller).list(app_guids=keys, per_page=_PAGE):
        guid = process.relationships.app.guid
        if guid is not None and process.instances is not None:
            counts.setdefault(guid, {})[process.type] = process.instances
    return Snapshot(
        target=target,
        taken_at=datetime.now(UTC),
        apps=tuple(
            AppState(
                guid=key,
                name=found[key].name,
                state="STARTED" if found[key].state == "STARTED" else "STOPPED",
                instances=counts.get(key, {}),
            )
            for key in keys
        ),
    )
