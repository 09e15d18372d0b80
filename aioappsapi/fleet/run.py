"""One run over several foundations: live numbers, outcomes as they come, one report."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Generic

import anyio

from aioappsapi._http.clock import loop_time
from aioappsapi.bulk.reports.outcome import Outcome, Status, T_co
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.run.conclude import (
    RunAbortedError,
    aborted,
    attach_report,
    end_task,
    innermost,
)
from aioappsapi.bulk.run.run import Run
from aioappsapi.bulk.windows.waves import Wave, Waves
from aioappsapi.errors import InvalidInputError
from aioappsapi.fleet.member import Member
from aioappsapi.fleet.target_waves import TargetWaves

# Returns why so many failures, of so many apps, end the whole run; None if they do not.
Enough = Callable[[int, int], str | None]


class FleetRun(Generic[T_co]):
    """One run over several foundations, as `Run` is one over a single foundation.

    Made by `fleet.bulk.stream(...)`. Inside of ``async with`` it works, and iterating over it
    yields outcomes as they come, each with its `target`. The numbers are live, and those of all
    foundations together; `runs` has the run of each foundation whose apps are known.
    """

    def __init__(
        self, action: str, *, patience: float, deadline: float | None, enough: Enough
    ) -> None:
        self.action = action
        self._patience = patience
        self._seconds = deadline
        self._enough = enough
        self._ends_at = math.inf
        self._members: Sequence[Member[T_co]] = ()
        self._waves: TargetWaves | None = None
        self._on_outcome: Callable[[Outcome[T_co]], object] | None = None
        self._interruption: BaseException | None = None
        self._stop_reason: str | None = None
        self._new: asyncio.Queue[Outcome[T_co] | None] | None = None
        self._task: asyncio.Task[None] | None = None

    def take(
        self,
        members: Iterable[Member[T_co]],
        on_outcome: Callable[[Outcome[T_co]], object] | None,
        waves: Waves | None,
    ) -> None:
        """Take the foundations that the run works on, and the waves that they go in."""
        self._members = tuple(members)
        if waves is not None:
            self._waves = TargetWaves(waves, self._members, self.action)
            for member in self._members:
                member.wave = self._waves.number(member)
        self._on_outcome = on_outcome

    # -- live numbers

    @property
    def runs(self) -> dict[str, Run[T_co]]:
        """The runs by the names of their foundations, as far as their apps are known."""
        return {one.name: one.run for one in self._members if one.run is not None}

    @property
    def counts(self) -> Counter[Status]:
        """The number of apps with an outcome, by status."""
        return sum((run.counts for run in self._runs), Counter[Status]())

    @property
    def total(self) -> int | None:
        """The number of apps; None until the apps of every foundation are known."""
        totals = [one.total for one in self._members]
        return None if None in totals else sum(total or 0 for total in totals)

    @property
    def in_flight(self) -> int:
        """The number of apps that a worker is busy with."""
        return sum(run.in_flight for run in self._runs)

    @property
    def held(self) -> int:
        """The number of apps that are held back until others have come up."""
        return sum(run.held for run in self._runs)

    @property
    def waiting(self) -> int:
        """The number of apps that are accepted and not verified yet."""
        return sum(run.waiting for run in self._runs)

    @property
    def retrying(self) -> int:
        """The number of apps that failed and get a second round."""
        return sum(run.retrying for run in self._runs)

    @property
    def taken_over(self) -> int:
        """The number of outcomes from the journals of an earlier run."""
        return sum(run.taken_over for run in self._runs)

    @property
    def paused_for(self) -> float:
        """For how many more seconds rate limits hold everything back; 0 while one does not."""
        busy = [one.run for one in self._members if one.run is not None and not one.ended]
        return min((run.paused_for for run in busy), default=0.0)

    @property
    def limit(self) -> int | None:
        """The present maximum of requests in flight, at all foundations together."""
        limits = [run.limit for run in self._runs if run.limit is not None]
        return sum(limits) if limits else None

    @property
    def rate_left(self) -> int | None:
        """None: each foundation counts on its own; see `runs`."""
        return None

    @property
    def wave(self) -> Wave | None:
        """The wave of foundations that goes on; its keys are their names."""
        return None if self._waves is None else self._waves.present

    @property
    def wave_pause(self) -> float:
        """Seconds until the pause between two waves of foundations ends; 0 without one."""
        ends_at = None if self._waves is None else self._waves.pause_ends
        return 0.0 if ends_at is None else max(ends_at - loop_time(), 0.0)

    @property
    def stopping(self) -> bool:
        """Whether nothing new is begun any more."""
        return self._stop_reason is not None

    @property
    def report(self) -> Report[T_co]:
        """The report of all outcomes that are known; complete once the run has ended.

        Raises InvalidInputError with `keep=False`.
        """
        return Report[T_co].merge([one.report() for one in self._members])

    @property
    def _runs(self) -> list[Run[T_co]]:
        return [one.run for one in self._members if one.run is not None]

    # -- the run

    def stop(self, reason: str = "the run was stopped", *, grace: float = math.inf) -> None:
        """Begin nothing new. Apps in flight have `grace` seconds to end, then are cancelled."""
        self._stop_reason = self._stop_reason or reason
        for one in self._members:
            one.stop(reason, grace=grace)
        if self._waves is not None:
            self._waves.stop()

    def took(self, member: Member[T_co], outcome: Outcome[T_co]) -> None:
        """Take the outcome of an app. What the user's callback raises ends the whole run."""
        if self._new is None and self._on_outcome is None:
            return
        outcome = member.placed(outcome)
        if self._new is not None:
            self._new.put_nowait(outcome)
        if self._on_outcome is not None:
            try:
                self._on_outcome(outcome)
            except BaseException as failure:
                self._interrupt(failure)
                raise

    def check_failures(self) -> None:
        """Stop the whole run if too many apps have failed at all foundations together."""
        runs = self._runs
        apps = sum(run.known for run in runs)
        reason = self._enough(sum(run.failures for run in runs), apps)
        if reason is None and self._waves is not None:
            reason = self._waves.too_many_failures()
        if reason is not None:
            self.stop(reason)

    def _interrupt(self, failure: BaseException) -> None:
        failure = innermost(failure)
        self._interruption = self._interruption or failure
        self._on_outcome = None
        self.stop(f"the run was aborted by {type(failure).__name__}", grace=0.0)

    async def run(self) -> None:
        """Work until every app has its outcome.

        Raises RunAbortedError if a callback, an input or a bug ends it. A CancelledError or
        KeyboardInterrupt passes through. `report_of` finds the report in each of them.
        """
        self._set_deadline()
        try:
            if self._waves is not None:
                await self._go_in_waves(self._waves)
            await self._work_at([one for one in self._members if not one.ended])
        except asyncio.CancelledError as cancelled:
            self._conclude("the run was cancelled")
            attach_report(cancelled, self.report)
            raise
        self._conclude("the run ended")
        if self._interruption is not None:
            raise aborted(self.action, self._interruption, self.report)

    async def _go_in_waves(self, waves: TargetWaves) -> None:
        """Work on one wave after the other, until one may not begin."""
        for wave in waves.waves:
            reason, asked = await waves.why_not(wave, self._ends_at)
            self._ends_at += asked
            if reason is not None:
                self.stop(reason)
            if self.stopping:
                return
            await self._work_at([one for one in self._members if one.name in wave.keys])

    async def _work_at(self, members: Iterable[Member[T_co]]) -> None:
        async with anyio.create_task_group() as group:
            for member in members:
                group.start_soon(self._work_on, member, name=f"aioappsapi {member.name}")

    def _set_deadline(self) -> None:
        own = math.inf if self._seconds is None else loop_time() + self._seconds
        self._ends_at = min(own, self._ends_at, anyio.current_effective_deadline())

    async def _work_on(self, member: Member[T_co]) -> None:
        try:
            await member.work(self._patience, self._ends_at)
        except asyncio.CancelledError:
            raise
        except RunAbortedError as aborted:
            self._interrupt(aborted.__cause__ or aborted)
        except BaseException as failure:  # noqa: BLE001 - the run raises it, with its report
            self._interrupt(failure)

    def _conclude(self, reason: str) -> None:
        for member in self._members:
            member.conclude(reason)

    # -- outcomes as they come

    async def __aenter__(self) -> FleetRun[T_co]:
        self._new = asyncio.Queue()
        # The task below is outside of the caller's scopes, so it needs their deadline.
        self._ends_at = anyio.current_effective_deadline()
        self._task = asyncio.create_task(self.run(), name=f"aioappsapi fleet {self.action}")
        self._task.add_done_callback(self._end_stream)
        return self

    def _end_stream(self, task: asyncio.Task[None]) -> None:
        _ = task.cancelled() or task.exception()  # raised at the end of the block, if at all
        assert self._new is not None  # noqa: S101 - made together with the task
        self._new.put_nowait(None)

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        await end_task(task)
        if task.cancelled():
            self._conclude("the run was cancelled")  # a task that is cancelled at once never runs
        elif (failure := task.exception()) is not None and error is None:
            raise failure

    async def __aiter__(self) -> AsyncIterator[Outcome[T_co]]:
        """Yield each outcome as it comes. Raises InvalidInputError outside of ``async with``."""
        if self._new is None:
            raise InvalidInputError(
                "This run has not begun. Iterate over it inside of its `async with`: "
                f"async with fleet.bulk.stream({self.action!r}, keys) as run: …"
            )
        while (outcome := await self._new.get()) is not None:
            yield outcome
        self._new.put_nowait(None)  # for whoever asks again
