"""The instances of processes, and the cells that run them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STARTING: Final = "STARTING"
RUNNING: Final = "RUNNING"
CRASHED: Final = "CRASHED"
STOPPING: Final = "STOPPING"
DOWN: Final = "DOWN"
NO_MEMORY: Final = "insufficient resources: memory"
EXITED: Final = "APP/PROC/{}: Exited with status 1"
UNHEALTHY: Final = (
    "Instance never healthy after 1m0s: Failed to make TCP connection to 10.255.1.4:8080: "
    "connect: connection refused"
)
_FIRST_PORT: Final = 61000
_PORTS_PER_INSTANCE: Final = 6
_LAST_PORT: Final = 65000


@dataclass(slots=True, eq=False)
class Cell:
    """A machine that runs instances; a `memory_mb` of None means no limit."""

    memory_mb: int | None = None
    used_mb: int = 0
    starting: int = 0
    number: int = 0
    next_port: int = _FIRST_PORT

    def fits(self, memory_mb: int) -> bool:
        """Check whether this much memory is free."""
        return self.memory_mb is None or self.used_mb + memory_mb <= self.memory_mb

    def take_port(self) -> int:
        """Return the first port of a range, different from those of other new instances."""
        port = self.next_port
        self.next_port = port + _PORTS_PER_INSTANCE if port < _LAST_PORT else _FIRST_PORT
        return port


@dataclass(slots=True, eq=False)
class Instance:
    """One instance of a process: its state, since when (by the sandbox's clock), and why.

    A `since` of None means that Diego does not know the instance yet. `exit_description` is the
    reason of the last crash, and `placement_error` the reason why no cell takes it. `routable_at`
    is the time when it begins to take requests. `leaving`: it will stop, even if Diego does not
    know that yet. `roll` and the faults decide its `crash_reason`: why it will crash, or None.
    """

    index: int
    state: str = DOWN
    since: float | None = None
    placement_error: str | None = None
    exit_description: str | None = None
    routable_at: float = 0.0
    memory_mb: int = 0
    kind: str = "WEB"
    app_guid: str = ""
    process_guid: str = ""
    number: int = 0
    roll: float = 0.0
    crashes: int = 0
    leaving: bool = False
    crash_reason: str | None = None
    cell: Cell | None = None
    port: int = 0
    event: int = 0

    @property
    def details(self) -> str | None:
        """The reason why it is not running, for the statistics or for the crash event."""
        return self.placement_error or (self.exit_description if self.state == CRASHED else None)

    def routable(self, now: float) -> bool:
        """Check whether it takes requests now."""
        return self.state == RUNNING and self.routable_at <= now
