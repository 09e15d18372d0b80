"""A bound on the instances that start at a time, to protect the platform."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import anyio

from aioappsapi.bulk.actions.footprint import Footprint
from aioappsapi.bulk.actions.prefetch import Prefetcher
from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.states import DONE, RETRY_LATER
from aioappsapi.errors import CrashedError, PlacementError

# The growth of the share after as many successful apps as are starting at a time.
_GROWTH: Final = 0.1
_SMALLEST_SHARE: Final = 0.05


class _Admitted:
    """An app whose instances are starting: its footprint, and its number in the order."""

    __slots__ = ("footprint", "place", "slowed_down")

    def __init__(self, footprint: Footprint, place: int) -> None:
        self.footprint = footprint
        self.place = place
        self.slowed_down = False


class StartLimiter:
    """Holds new starts back while the maximum of instances is starting.

    Starts are admitted in order of arrival. An app that is larger than the bound starts alone. A
    crash, or an app without a cell, halves the bound. Apps that come up let it grow to its first
    value. Apps that were already starting when it was halved do not halve it again: failures come
    in groups.
    """

    def __init__(
        self,
        *,
        instances: int | None = None,
        memory: int | None = None,
        footprints: Prefetcher[Footprint] | None = None,
    ) -> None:
        self._instances = math.inf if instances is None else instances
        self._memory = math.inf if memory is None else memory
        self._prefetched = footprints
        self._share = 1.0
        self._starting = Footprint()
        self._waiting: deque[tuple[Footprint, anyio.Event]] = deque()
        self._admitted: dict[str, _Admitted] = {}
        self._footprints: dict[str, Footprint] = {}
        self._places = 0
        self._halved_at = 0
        self.peak = 0

    @property
    def starting(self) -> int:
        """The number of instances that were requested and have not come up yet."""
        return self._starting.instances

    @property
    def share(self) -> float:
        """The part of the bound that is allowed now."""
        return self._share

    async def admit(self, run: AppRun) -> None:
        """Wait until an app's instances may start; it is HELD meanwhile."""
        if run.key in self._admitted:  # at an earlier step
            return
        footprint = await self._footprint(run)
        if self._waiting or not self._is_free(footprint):
            run.held()
            await self._wait_for_turn(footprint)
            run.admitted()
        else:
            self._take(footprint)
        self._places += 1
        self._admitted[run.key] = _Admitted(footprint, self._places)

    def moved(self, run: AppRun) -> None:
        """Follow a run: slow down after a crash, and release its place when it is done."""
        admitted = self._admitted.get(run.key)
        if admitted is not None and (
            run.crashes or isinstance(run.error, CrashedError | PlacementError)
        ):
            self._slow_down(admitted)
        if run.state is DONE or run.state is RETRY_LATER:
            self._release(run, admitted)

    def _release(self, run: AppRun, admitted: _Admitted | None) -> None:
        if run.state is DONE:
            self._footprints.pop(run.key, None)
        if admitted is None:
            return
        del self._admitted[run.key]
        if run.status is Status.OK and not admitted.slowed_down:
            self._share = min(self._share + _GROWTH / (len(self._admitted) + 1), 1.0)
        self._give_back(admitted.footprint)

    async def _footprint(self, run: AppRun) -> Footprint:
        """Return an app's footprint, which is kept for its second round."""
        known = self._footprints.get(run.key)
        if known is None:
            read = None if self._prefetched is None else await self._prefetched.get(run.index)
            known = self._footprints[run.key] = read or Footprint(1)
        return known

    async def _wait_for_turn(self, footprint: Footprint) -> None:
        turn = (footprint, anyio.Event())
        self._waiting.append(turn)
        try:
            await turn[1].wait()
        except BaseException:
            if turn[1].is_set():
                self._give_back(footprint)
            else:
                self._waiting.remove(turn)
                self._let_in()
            raise

    def _slow_down(self, admitted: _Admitted) -> None:
        if not admitted.slowed_down and admitted.place > self._halved_at:
            self._halved_at = self._places
            self._share = max(self._share / 2, _SMALLEST_SHARE)
        admitted.slowed_down = True

    def _is_free(self, footprint: Footprint) -> bool:
        if not self._starting.instances:
            return True
        instances = self._starting.instances + footprint.instances
        memory = self._starting.memory + footprint.memory
        return (
            instances <= max(self._instances * self._share, 1)
            and memory <= self._memory * self._share
        )

    def _take(self, footprint: Footprint) -> None:
        self._starting.instances += footprint.instances
        self._starting.memory += footprint.memory
        self.peak = max(self.peak, self._starting.instances)

    def _give_back(self, footprint: Footprint) -> None:
        self._starting.instances -= footprint.instances
        self._starting.memory -= footprint.memory
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._is_free(self._waiting[0][0]):
            footprint, turn = self._waiting.popleft()
            self._take(footprint)
            turn.set()
