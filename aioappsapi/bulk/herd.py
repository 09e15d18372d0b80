"""How many instances may be starting at a time, so that a platform is not trampled down."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import anyio

from aioappsapi.bulk.load import Load

# By how much the share grows when as many apps have come up well as are starting at a time.
_GROWTH: Final = 0.1
_SMALLEST_SHARE: Final = 0.05


class Herd:
    """Holds new starts back while as many instances as allowed have not come up.

    First come, first served. An app that is larger than the bound starts alone. Crashes and lack
    of room halve the bound, what comes up well lets it grow again to where it began. Troubles come
    in crowds: those that were starting already when it was halved do not halve it again.
    """

    def __init__(self, *, instances: int | None = None, memory: int | None = None) -> None:
        self._instances = instances
        self._memory = memory
        self._share = 1.0
        self._starting = Load()
        self._inside = 0
        self._held: deque[tuple[Load, anyio.Event]] = deque()
        self._turns = 0
        self._halved_at = 0
        self.peak = 0

    @property
    def starting(self) -> int:
        """How many instances have been asked for and have not come up."""
        return self._starting.instances

    @property
    def held(self) -> int:
        """How many apps are held back."""
        return len(self._held)

    @property
    def share(self) -> float:
        """Which part of the bound is allowed at the moment."""
        return self._share

    async def enter(self, load: Load) -> int:
        """Wait until there is room for an app's instances, and take it. Gives the app's turn."""
        if not self._held and self._has_room(load):
            self._take(load)
            return self._next_turn()
        turn = (load, anyio.Event())
        self._held.append(turn)
        try:
            await turn[1].wait()
        except BaseException:
            if turn[1].is_set():
                self._leave(load)
            else:
                self._held.remove(turn)
            self._admit()
            raise
        return self._next_turn()

    def leave(self, load: Load, *, well: bool) -> None:
        """Give the room back; `well` is whether the app came up without any trouble."""
        if well:
            self._share = min(self._share + _GROWTH / self._inside, 1.0)
        self._leave(load)
        self._admit()

    def slow_down(self, turn: int) -> None:
        """Halve the bound, for an app that crashed or found no room."""
        if turn > self._halved_at:
            self._halved_at = self._turns
            self._share = max(self._share / 2, _SMALLEST_SHARE)

    def _next_turn(self) -> int:
        self._turns += 1
        return self._turns

    def _has_room(self, load: Load) -> bool:
        if not self._starting.instances:
            return True
        instances = math.inf if self._instances is None else self._instances
        memory = math.inf if self._memory is None else self._memory
        return (
            self._starting.instances + load.instances <= max(instances * self._share, 1)
            and self._starting.memory + load.memory <= memory * self._share
        )

    def _take(self, load: Load) -> None:
        self._inside += 1
        self._starting.instances += load.instances
        self._starting.memory += load.memory
        self.peak = max(self.peak, self._starting.instances)

    def _leave(self, load: Load) -> None:
        self._inside -= 1
        self._starting.instances -= load.instances
        self._starting.memory -= load.memory

    def _admit(self) -> None:
        while self._held and self._has_room(self._held[0][0]):
            load, turn = self._held.popleft()
            self._take(load)
            turn.set()
