"""The resources that the instances of an app need."""

from __future__ import annotations

from collections.abc import Sequence

from aioappsapi._http.batches import LARGEST_PAGE
from aioappsapi.api.processes import Processes


class Footprint:
    """The instances of an app, their memory in MB, and the memory of the largest one."""

    __slots__ = ("instances", "largest", "memory")

    def __init__(self, instances: int = 0, memory: int = 0, largest: int = 0) -> None:
        self.instances = instances
        self.memory = memory
        self.largest = largest

    def of(self, instances: int) -> Footprint:
        """Return the largest footprint of this many of the instances."""
        few = min(self.instances, instances)
        return Footprint(few, min(self.memory, few * self.largest), self.largest)


async def read_footprints(processes: Processes, keys: Sequence[str]) -> dict[str, Footprint]:
    """Read the footprints of up to 200 apps with one request."""
    footprints: dict[str, Footprint] = {}
    async for process in processes.list(app_guids=keys, per_page=LARGEST_PAGE):
        key = process.relationships.app.guid or process.guid
        footprint = footprints.setdefault(key, Footprint())
        memory = process.memory_in_mb or 0
        instances = process.instances or 0
        footprint.instances += instances
        footprint.memory += instances * memory
        footprint.largest = max(footprint.largest, memory)  # checked without instances too
    return footprints
