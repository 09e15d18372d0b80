"""What the instances of apps weigh."""

from __future__ import annotations

from collections.abc import Sequence

from aioappsapi.api.processes import Processes

_PAGE = 5_000


class Load:
    """The instances of an app, their memory, and that of the largest one; in MB."""

    __slots__ = ("instances", "largest", "memory")

    def __init__(self, instances: int = 0, memory: int = 0, largest: int = 0) -> None:
        self.instances = instances
        self.memory = memory
        self.largest = largest


async def read_loads(processes: Processes, keys: Sequence[str]) -> dict[str, Load]:
    """Read what the instances of up to 200 apps weigh, with one request."""
    loads: dict[str, Load] = {}
    async for process in processes.list(app_guids=keys, per_page=_PAGE):
        load = loads.setdefault(process.relationships.app.guid or process.guid, Load())
        memory = process.memory_in_mb or 0
        instances = process.instances or 0
        load.instances += instances
        load.memory += instances * memory
        load.largest = max(load.largest, memory if instances else 0)
    return loads
