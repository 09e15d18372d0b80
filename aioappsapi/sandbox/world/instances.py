"""One instance of a process, and the cell that it runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STARTING: Final = "STARTING"
RUNNING: Final = "RUNNING"
CRASHED: Final = "CRASHED"
STOPPING: Final = "STOPPING"
DOWN: Final = "DOWN"
NO_ROOM: Final = "insufficient resources: memory"
EXITED: Final = "APP/PROC/{}: Exited with status 1"
UNHEALTHY: Final = (
    "Instance never healthy after 1m0s: Failed to make TCP connection to 10.255.1.4:8080: "
    "connect: connection refused"
)


@dataclass(slots=True, eq=False)
class Cell:
    """A machine that instances run on; a `memory_mb` of None is endless."""

    memory_mb: int | None = None
    used_mb: int = 0
    starting: int = 0

    def fits(self, memory_mb: int) -> bool:
        """Whether there is room for so much."""
        return self.memory_mb is None or self.used_mb + memory_mb <= self.memory_mb


@dataclass(slots=True, eq=False)
class Instance:
    """One instance of a process: its state, since when (by the sandbox's clock), and why.

    `routable_at` is the moment when it begins to take requests, once it is running. A `leaving`
    one goes, though Diego may not know yet. `luck` and the faults decide its `fate`: the words with
    which it will crash, or None.
    """

    index: int
    state: str = DOWN
    since: float = 0.0
    details: str | None = None
    routable_at: float = 0.0
    memory_mb: int = 0
    kind: str = "WEB"
    luck: float = 0.0
    crashes: int = 0
    leaving: bool = False
    fate: str | None = None
    cell: Cell | None = None
    event: int = 0
