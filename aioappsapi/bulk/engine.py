"""The engine of bulk runs: a fixed pool of workers over one input, one outcome per app.

Not a task per app: a hundred thousand tasks cost hundreds of megabytes, workers next to nothing.
The workers live in one cancel scope, whose deadline every call below inherits. What is accepted
and has yet to be seen running goes over to the waiter, what may do better at the end to a second
round; the worker goes on. Whatever ends the run, `_conclude` gives every app that has none yet its
outcome, so the counts always add up.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar, cast

import anyio

from aioappsapi._http.call_log import CallLog, current_call_log
from aioappsapi._http.clock import loop_time
from aioappsapi._http.limits.throttle import OnPause, Throttle
from aioappsapi.bulk.endings import RunAbortedError, attach_report, innermost, is_final, last_word
from aioappsapi.bulk.flight import Flight, Stage, Verdict, proved
from aioappsapi.bulk.inputs import Inputs
from aioappsapi.bulk.journal import Journal
from aioappsapi.bulk.ledger import Ledger
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.bulk.report import Report
from aioappsapi.errors import AppsApiError, DeadlineError, InvalidInputError, NotAttemptedError
from aioappsapi.resources.waiter import Waiter
from aioappsapi.resources.watched import VERIFY_FOR, Sighting, Watched

T = TypeVar("T")

OnOutcome = Callable[[Outcome[T]], object]
# Works on one app; the journal is there if the run has one.
Work = Callable[[Flight[T], Journal | None], Awaitable[Verdict[T]]]

log = logging.getLogger("aioappsapi")


class Run(Generic[T]):
    """One bulk run, while it goes on and afterwards.

    Made by `Bulk`. Iterated over inside `async with client.bulk.stream(...)`, it gives outcomes as
    they come; `total`, `counts`, `in_flight`, `held` and `waiting` are live, `report` is what is
    known so far.
    """

    def __init__(
        self,
        work: Work[T],
        inputs: Inputs,
        *,
        action: str,
        target: str,
        options: Options,
        on_outcome: OnOutcome[T] | None = None,
        on_pause: OnPause | None = None,
        throttle: Throttle | None = None,
        open_journal: Callable[[], Journal] | None = None,
        waiter: Waiter | None = None,
        record: CallLog | None = None,
    ) -> None:
        if inspect.iscoroutinefunction(on_outcome):
            raise InvalidInputError("on_outcome is called, not awaited: give a plain function.")
        self._work = work
        self._inputs = inputs
        self._action = action
        self._target = target
        self._options = options
        self._on_outcome = on_outcome
        self._on_pause = on_pause
        self._throttle = throttle
        self._open_journal = open_journal
        self._journal: Journal | None = None
        self._waiter = waiter
        self._outer = current_call_log.get()
        # What is sent for many apps together: not an attempt of any one of them.
        self._shared = CallLog(self._outer) if record is None else record
        self._ledger: Ledger[T] = Ledger()
        self._flights: dict[str, Flight[T]] = {}
        self._again: list[Flight[T]] = []
        self._stopped: str | None = None
        self._abandoned = False
        self._scope = anyio.CancelScope()
        self._started_at = self._finished_at = datetime.now(UTC)
        self._clock_zero = 0.0
        self._task: asyncio.Task[None] | None = None

    # -- what users see

    @property
    def action(self) -> str:
        """What is asked of each app."""
        return self._action

    @property
    def counts(self) -> Counter[Status]:
        """How many apps have ended how."""
        return self._ledger.counts

    @property
    def total(self) -> int | None:
        """How many apps there are; None as long as the input is still coming."""
        return len(self._inputs.keys) if self._inputs.exhausted else None

    @property
    def in_flight(self) -> int:
        """How many apps are being asked for."""
        return len(self._flights) - self.held - self.waiting - len(self._again)

    @property
    def held(self) -> int:
        """How many apps are held back until others have come up."""
        return sum(flight.stage is Stage.HELD for flight in self._flights.values())

    @property
    def waiting(self) -> int:
        """How many apps are accepted and have yet to be seen as asked."""
        return 0 if self._waiter is None else self._waiter.waiting

    @property
    def paused_for(self) -> float:
        """For how many more seconds the rate limit holds everything back; 0 if it does not."""
        return 0.0 if self._throttle is None else self._throttle.closed_for

    @property
    def stopping(self) -> bool:
        """Whether nothing new is begun any more."""
        return self._stopped is not None

    @property
    def report(self) -> Report[T]:
        """The report of all outcomes that are known; complete once the run has ended."""
        return Report(
            self._ledger,
            action=self._action,
            target=self._target,
            started_at=self._started_at,
            finished_at=self._finished_at,
            requests=self._ledger.requests.plus(self._shared),
            complete=self.total == len(self._ledger),
            stopped=self._stopped,
        )

    def stop(self, reason: str = "the run was stopped", *, grace: float = math.inf) -> None:
        """Begin nothing new; what is in flight has `grace` seconds to end, then it is cancelled."""
        self._stopped = self._stopped or reason
        if grace < math.inf:
            self._abandoned = True
            self._scope.deadline = min(self._scope.deadline, loop_time() + grace)

    async def __aenter__(self) -> Run[T]:
        # The task below is not inside of the caller's scopes, but is bound by them.
        self._scope.deadline = anyio.current_effective_deadline()
        self._task = asyncio.create_task(self.run(), name=f"aioappsapi bulk {self._action}")
        self._task.add_done_callback(lambda _: self._ledger.news.set())
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        if not task.done():
            task.cancel()
            # Whoever is out of time waits for this all the same: without it there is no report.
            with anyio.CancelScope(shield=True):
                await asyncio.wait([task])
        if task.cancelled():
            self._conclude_cancelled()  # a task that is cancelled at once never comes to it
        elif (failure := task.exception()) is not None and error is None:
            raise failure

    def __aiter__(self) -> AsyncIterator[Outcome[T]]:
        return self._ledger.follow(lambda: self._task is None or self._task.done())

    # -- the run

    async def run(self) -> None:
        """Work until every app has its outcome.

        Raises RunAbortedError if it cannot go to its end. A CancelledError goes its way, and
        `report_of` finds the report in it.
        """
        # Before anything else: a journal that cannot be had is no run.
        self._journal = self._open_journal() if self._open_journal is not None else None
        try:
            with ExitStack() as stack:
                if self._throttle is not None and self._on_pause is not None:
                    stack.callback(self._throttle.on_pause(self._on_pause))
                await self._run()
        finally:
            if self._journal is not None:
                await self._journal.aclose()

    async def _run(self) -> None:
        self._begin()
        try:
            with self._scope:
                await self._work_all()
            self._conclude(self._stopped or "the deadline came first")
        except asyncio.CancelledError as cancelled:
            self._conclude_cancelled()
            attach_report(cancelled, self.report)
            raise
        except Exception as failure:  # noqa: BLE001 - whatever it was, the outcomes must not be lost
            cause = innermost(failure)
            self._conclude(f"the run was aborted by {type(cause).__name__}", quietly=True)
            raise RunAbortedError(
                f"{self._action}: aborted by {type(cause).__name__}; "
                "the report has what happened until then.",
                report=self.report,
            ) from cause

    def _begin(self) -> None:
        self._started_at = datetime.now(UTC)
        self._clock_zero = loop_time()
        mine = math.inf
        if self._options.deadline is not None:
            mine = self._clock_zero + self._options.deadline
        self._scope.deadline = min(mine, self._scope.deadline, anyio.current_effective_deadline())

    async def _work_all(self) -> None:
        async with anyio.create_task_group() as group:
            if self._waiter is not None:
                group.start_soon(self._wait, self._waiter)
            await self._round(self._next_flight)
            await self._round(self._next_put_off, last=True)
            if self._waiter is not None:
                self._waiter.complete()
        await self._inputs.read_rest()

    async def _round(
        self, take: Callable[[], Awaitable[Flight[T] | None]], *, last: bool = False
    ) -> None:
        """Let a pool of workers work through all that there is to take."""
        workers = self._options.concurrency
        if self.total is not None:
            workers = min(workers, len(self._again) if last else self.total)

        async def worker() -> None:
            # Asked again after the input gave one, which may take time.
            while not self.stopping and (flight := await take()) is not None:
                if not self.stopping:
                    await self._handle(flight, last=last)

        async with anyio.create_task_group() as group:
            for _ in range(workers):
                group.start_soon(worker)

    async def _next_flight(self) -> Flight[T] | None:
        index = await self._inputs.next()
        if index is None:
            return None
        key = self._inputs.keys[index]
        name = self._inputs.names.get(key)
        record = CallLog(self._outer)
        return Flight(index, key, record, name=name, halted=lambda: self._stopped)

    async def _next_put_off(self) -> Flight[T] | None:
        return self._again[0] if self._again else None

    async def _wait(self, waiter: Waiter) -> None:
        current_call_log.set(self._shared)
        await waiter.run(self._sighted)

    async def _handle(self, flight: Flight[T], *, last: bool) -> None:
        if self._journal is not None and (past := self._journal.past.done.get(flight.key)):
            self._ledger.add(flight.index, cast("Outcome[T]", past))
            self._tell(cast("Outcome[T]", past))
            return
        current_call_log.set(flight.record)
        if last:
            flight.record.repeated()
            self._again.remove(flight)
        self._flights[flight.key] = flight
        verdict = await self._verdict(flight)
        if verdict.again and not last and flight.record.stop_reason is None:
            self._put_off(flight, verdict)
        elif verdict.watch and self._waiter is not None:
            self._hand_over(self._waiter, flight, verdict)
        else:
            self._settle(flight, verdict)
        error = verdict.error
        if error is not None and is_final(error):
            self.stop(f"nobody can log in: {error}")
        elif flight.record.stop_reason is not None:
            self.stop(flight.record.stop_reason)

    async def _verdict(self, flight: Flight[T]) -> Verdict[T]:
        try:
            return await self._work(flight, self._journal)
        except AppsApiError as caught:
            error = caught.detached()
        except asyncio.CancelledError as stray:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            # Nobody cancelled the run: a worker that just went would leave its share undone.
            raise RuntimeError(f"{self._action} {flight.key} was cancelled from within") from stray
        if isinstance(error, DeadlineError):
            sent = flight.record.attempts > 0
            return Verdict(status=Status.TIMED_OUT if sent else Status.NOT_ATTEMPTED, error=error)
        if isinstance(error, NotAttemptedError) and not flight.record.attempts:
            return Verdict(status=Status.NOT_ATTEMPTED, error=error)
        return Verdict(status=Status.FAILED, error=error)

    def _hand_over(self, waiter: Waiter, flight: Flight[T], verdict: Verdict[T]) -> None:
        """Let the waiter find out what came of an app."""
        flight.verdict = verdict
        flight.stage = Stage.WATCHED
        now = loop_time()
        patience = self._options.patience if verdict.error is None else VERIFY_FOR
        waiter.add(
            Watched(
                flight.key,
                f"{self._action} {flight.key}",
                asked_at=now if flight.asked is None else flight.asked,
                ends_at=now + patience,
                fallback=verdict.error,
                needs_app=verdict.value is None,
            )
        )

    def _sighted(self, sighting: Sighting) -> None:
        """Settle what the waiter found out."""
        flight = self._flights[sighting.key]
        before = cast("Verdict[T]", flight.verdict)
        flight.first_at, flight.all_at = sighting.first_at, sighting.all_at
        self._settle(flight, proved(before, sighting))

    def _put_off(self, flight: Flight[T], verdict: Verdict[T]) -> None:
        """Try an app again at the end of the run."""
        flight.verdict = verdict
        flight.stage = Stage.PUT_OFF
        flight.let_go(verdict)
        self._again.append(flight)
        self._note(flight, self._outcome(flight, verdict))
        self._mind_failures()

    def _settle(self, flight: Flight[T], verdict: Verdict[T], *, quietly: bool = False) -> None:
        """Give an app its one outcome, and tell everybody."""
        self._flights.pop(flight.key, None)
        flight.let_go(verdict)
        outcome = self._outcome(flight, verdict)
        self._note(flight, outcome)
        self._ledger.add(flight.index, outcome, flight.record)
        self._tell(outcome, quietly=quietly)

    def _outcome(self, flight: Flight[T], verdict: Verdict[T]) -> Outcome[T]:
        return flight.outcome(verdict, now=loop_time(), wall=self._wall)

    def _note(self, flight: Flight[T], outcome: Outcome[T]) -> None:
        """Have the journal say what came of asking."""
        if self._journal is not None and flight.asked is not None:
            self._journal.ended(outcome, ambiguous=flight.record.ambiguous)

    def _tell(self, outcome: Outcome[T], *, quietly: bool = False) -> None:
        if not outcome.as_asked:
            self._mind_failures()
        if self._on_outcome is not None and not quietly:
            self._on_outcome(outcome)

    def _wall(self, clock: float) -> datetime:
        return self._started_at + timedelta(seconds=clock - self._clock_zero)

    def _mind_failures(self) -> None:
        failures = self._ledger.failures + len(self._again)
        if (reason := self._options.enough(failures, len(self._inputs.keys))) is not None:
            self.stop(reason)

    def _conclude_cancelled(self) -> None:
        """Conclude a cancelled run, whatever a callback raises."""
        try:
            self._conclude("the run was cancelled")
        except Exception:
            log.exception("on_outcome raised while the run was being cancelled")
            self._conclude("the run was cancelled", quietly=True)

    def _conclude(self, why: str, *, quietly: bool = False) -> None:
        """Give an outcome to everything that has none."""
        # A scope of the caller may have the same deadline, and end first.
        late = not self._abandoned and loop_time() >= self._scope.deadline
        for flight in list(self._flights.values()):
            what = f"{self._action} {flight.key}"
            seen = "nothing" if self._waiter is None else self._waiter.seen(flight.key)
            verdict = last_word(flight, what, why, seen=seen, late=late)
            self._settle(flight, verdict, quietly=quietly)
        for index, key in enumerate(self._inputs.keys):
            if index not in self._ledger:
                reason = NotAttemptedError(f"{self._action} {key}: {why}.")
                flight = Flight(index, key, CallLog(), name=self._inputs.names.get(key))
                verdict = Verdict(status=Status.NOT_ATTEMPTED, error=reason)
                self._settle(flight, verdict, quietly=quietly)
        self._again.clear()
        self._finished_at = datetime.now(UTC)
