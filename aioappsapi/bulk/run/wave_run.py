"""The waves of one run: their order, and the conditions for the next wave."""

from __future__ import annotations

import inspect
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate

import anyio

from aioappsapi._http.clock import loop_time
from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.text import counted
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.bulk.run.journal import Journal
from aioappsapi.bulk.run.progress import Progress
from aioappsapi.bulk.shares import is_enough, is_reached
from aioappsapi.bulk.windows.wave_plan import WavePlanner, numbered
from aioappsapi.bulk.windows.wave_rules import Named
from aioappsapi.bulk.windows.waves import Wave


class WaveRun:
    """The waves of one run.

    A wave lasts until each of its apps has an outcome. The journal keeps which apps belong to
    which wave, so a resumed run has the same waves, even if labels have changed.
    `caller_deadline` is the deadline of the scopes around the run, which no approval moves.
    """

    def __init__(self, planner: WavePlanner, inputs: Inputs, progress: Progress[object]) -> None:
        self.waves: Sequence[Wave] = ()
        self.present: Wave | None = None
        self.pause_ends: float | None = None  # by the loop's clock
        self.caller_deadline = math.inf
        self._planner = planner
        self._how = planner.waves
        self._inputs = inputs
        self._progress = progress
        self._journal: Journal | None = None
        self._ends: list[int] = []
        self._failed_before = self._done_before = 0
        self._worked = False
        self._between: anyio.CancelScope | None = None

    async def arrange(self, journal: Journal | None) -> None:
        """Put the apps into the order of their waves. Errors are those of `WavePlanner.plan`."""
        self._journal = journal
        kept = None if journal is None else journal.waves
        named = await self._planner.plan() if kept is None else await self._with_new(kept)
        if journal is not None and named != kept:
            journal.arranged(named)
        mine = set(self._inputs.keys)
        self.waves = numbered(
            [(name, [key for key in keys if key in mine]) for name, keys in named]
        )
        self._ends = [*accumulate(len(wave.keys) for wave in self.waves)]
        self._inputs.arrange([key for wave in self.waves for key in wave.keys])

    async def _with_new(self, kept: list[Named]) -> list[Named]:
        """Return the journal's waves, and a last wave for apps that the journal does not know."""
        await self._inputs.read_all()
        known = {key for _, keys in kept for key in keys}
        new = [key for key in self._inputs.keys if key not in known]
        return [*kept, ("not in the journal", new)] if new else kept

    def number(self, index: int) -> int | None:
        """Return the wave of the app at an index of the order; None before they are planned."""
        if not self.waves:
            return None
        return self.waves[bisect_right(self._ends, index)].number

    def begin(self, wave: Wave) -> None:
        """Let the apps of a wave be claimed."""
        self.present = wave
        self._failed_before, self._done_before = self._progress.failures, self._done
        self._inputs.open_until(self._ends[self.waves.index(wave)])

    # -- the conditions for the next wave

    async def why_not(self, wave: Wave, scope: anyio.CancelScope) -> str | None:
        """Wait until a wave may begin; return why it may not. `scope` has the run's deadline.

        There is no question for a wave that an earlier process finished.
        """
        if (reason := self._too_few()) is not None:
            return reason
        if self._journal is not None and self._journal.has_finished(wave.keys):
            return None
        with anyio.CancelScope() as self._between:
            if self._worked:
                await self._pause(self._how.pause)
            self._worked = True
            if not await self._is_approved(wave, scope):
                return f"{wave} was not approved"
        return None

    async def _pause(self, seconds: float) -> None:
        self.pause_ends = loop_time() + seconds
        try:
            await anyio.sleep(seconds)
        finally:
            self.pause_ends = None

    def stop(self) -> None:
        """End a pause or a question."""
        if self._between is not None:
            self._between.cancel()

    def too_many_failures(self) -> str | None:
        """Return why the failures of the present wave end the run; None if they do not."""
        wave, limit = self.present, self._how.max_failures
        failures = self._progress.failures - self._failed_before
        if wave is None or not is_reached(limit, failures, len(wave.keys)):
            return None
        return f"{counted(failures, 'app')} of {wave} failed, and max_failures={limit} ends it"

    @property
    def _done(self) -> int:
        by_status = self._progress.by_status
        return by_status[Status.OK] + by_status[Status.ALREADY]

    def _too_few(self) -> str | None:
        """Return why the last wave stops the run; None if it does not."""
        if (wave := self.present) is None:
            return None
        apps, done = len(wave.keys), self._done - self._done_before
        if is_enough(done, apps, self._how.proceed_at):
            return None
        return (
            f"{wave} ended with {done:,} of {counted(apps, 'app')} in the requested state, and the "
            f"next one needs {self._how.proceed_at:.0%}"
        )

    async def _is_approved(self, wave: Wave, scope: anyio.CancelScope) -> bool:
        if self._how.approve is None:
            return True
        with self._clock_stopped(scope):
            answer = self._how.approve(wave)
            return bool(await answer if inspect.isawaitable(answer) else answer)

    @contextmanager
    def _clock_stopped(self, scope: anyio.CancelScope) -> Iterator[None]:
        """Do not count the time inside for the run's deadline."""
        own, began = scope.deadline, loop_time()
        scope.deadline = self.caller_deadline
        try:
            yield
        finally:
            scope.deadline = min(own + loop_time() - began, self.caller_deadline)
