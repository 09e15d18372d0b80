"""One run over many apps, for its user: live numbers, a stream of outcomes, a report."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from typing import Generic

import anyio

from aioappsapi._http.call_log import CallEvents, logged_to
from aioappsapi._http.clock import loop_time
from aioappsapi._http.limits.throttle import OnPause, Throttle
from aioappsapi.bulk.actions.action import Action
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.reports.outcome import Outcome, Status, T_co
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.reports.text import counted
from aioappsapi.bulk.run.conclude import aborted, attach_report, end_task, innermost, report_of
from aioappsapi.bulk.run.engine import Engine, OnOutcome
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.bulk.run.journal import Journal
from aioappsapi.bulk.run.observer import RunEvents, RunObserver
from aioappsapi.bulk.run.pressure import Pressure
from aioappsapi.bulk.run.progress import Progress, RequestCounter
from aioappsapi.bulk.run.states import State, Why
from aioappsapi.bulk.run.wave_run import WaveRun
from aioappsapi.bulk.windows.wave_plan import WavePlanner
from aioappsapi.bulk.windows.waves import Wave
from aioappsapi.errors import AppsApiError, InvalidInputError

log = logging.getLogger("aioappsapi")


class Run(Generic[T_co]):
    """One run over many apps.

    Made by `client.bulk.stream(...)`. It works inside ``async with``, and iterating over it
    yields the outcomes as they come. The numbers are live; `report` has the outcomes so far.
    """

    def __init__(
        self,
        action: Action,
        inputs: Inputs,
        options: Options,
        progress: Progress[T_co],
        *,
        target: str,
        calls: RequestCounter | None = None,
        outer: CallEvents | None = None,
        throttle: Throttle | None = None,
        open_journal: Callable[[], Journal] | None = None,
        on_outcome: OnOutcome[T_co] | None = None,
        on_pause: OnPause | None = None,
        give_up_after: float = 60.0,
        predicted: bool = False,
        waves: WavePlanner | None = None,
        observer: RunObserver | None = None,
    ) -> None:
        if inspect.iscoroutinefunction(on_outcome):
            raise InvalidInputError("on_outcome is called, not awaited. Pass a plain function.")
        self._action = action
        self._inputs = inputs
        self._options = options
        self._progress = progress
        self._target = target
        self._throttle = throttle
        self._open_journal = open_journal
        self._on_pause = on_pause
        self._pressure = Pressure(throttle)
        self._observer = observer
        self._predicted = predicted
        self._calls = calls or RequestCounter(progress.requests, outer)
        self._engine = Engine(
            action,
            inputs,
            options,
            progress,
            calls=self._calls,
            outer=outer,
            throttle=throttle,
            on_outcome=on_outcome,
            pressure=self._pressure,
            give_up_after=give_up_after,
            waves=None if waves is None else WaveRun(waves, inputs, progress),
        )
        self._abandoned = False
        self._task: asyncio.Task[None] | None = None
        self._started: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._taken_over = 0
        self.began = False

    # -- live numbers

    @property
    def action(self) -> str:
        """The action of the run."""
        return self._action.name

    @property
    def counts(self) -> Counter[Status]:
        """The number of apps with an outcome, by status."""
        return self._progress.by_status

    @property
    def total(self) -> int | None:
        """The number of apps; None while the input is still being read."""
        return len(self._inputs.keys) if self._inputs.exhausted else None

    @property
    def known(self) -> int:
        """The number of apps that are known so far."""
        return len(self._inputs.keys)

    @property
    def failures(self) -> int:
        """The number of apps that failed or timed out, with those that get a second round."""
        return self._progress.failures

    @property
    def waves(self) -> Sequence[Wave]:
        """The waves in their order; empty before they are planned, and for a run without waves."""
        return () if self._engine.waves is None else self._engine.waves.waves

    @property
    def wave(self) -> Wave | None:
        """The present wave, or the last one."""
        return None if self._engine.waves is None else self._engine.waves.present

    @property
    def wave_pause(self) -> float:
        """Seconds until the pause between two waves ends; 0 when there is none."""
        waves = self._engine.waves
        ends = None if waves is None else waves.pause_ends
        return 0.0 if ends is None else max(ends - loop_time(), 0.0)

    @property
    def in_flight(self) -> int:
        """The number of apps that a worker is busy with."""
        return self._progress.by_state[State.ASKING]

    @property
    def held(self) -> int:
        """The number of apps that are held back until others have come up."""
        return self._progress.by_state[State.HELD]

    @property
    def waiting(self) -> int:
        """The number of apps that are accepted and not verified yet."""
        return self._progress.by_state[State.VERIFYING]

    @property
    def retrying(self) -> int:
        """The number of apps that failed and get a second round."""
        return self._progress.by_state[State.RETRY_LATER]

    @property
    def taken_over(self) -> int:
        """The number of outcomes from the journal of an earlier run."""
        return self._taken_over

    @property
    def paused_for(self) -> float:
        """The seconds for which the rate limit still holds all requests back; 0 if it does not."""
        return 0.0 if self._throttle is None else self._throttle.closed_for

    @property
    def limit(self) -> int | None:
        """The present maximum of requests in flight; None for a run without requests."""
        return None if self._throttle is None else self._throttle.limit

    @property
    def rate_left(self) -> int | None:
        """The requests that are left in the server's window; None if unknown."""
        return None if self._throttle is None else self._throttle.rate_window.left

    @property
    def stopping(self) -> bool:
        """Whether the run begins no more apps."""
        return self._engine.stop_reason is not None

    @property
    def requests(self) -> Requests:
        """The requests that were sent so far."""
        return self._progress.requests

    @property
    def stop_reason(self) -> str | None:
        """Why the run ends early; None if it does not."""
        return self._engine.stop_reason

    @property
    def report(self) -> Report[T_co]:
        """The report of all outcomes so far; complete once the run has ended.

        Raises InvalidInputError with `keep=False`: then outcomes are counted and not kept.
        """
        if not self._progress.keep:
            text = "This run keeps no outcomes (keep=False), so it has no report; see its counts."
            raise InvalidInputError(text)
        return self._progress_report()

    def _progress_report(self) -> Report[T_co]:
        return Report(
            self._progress,
            action=self.action,
            target=self._target,
            started_at=self._progress.started_at,
            finished_at=self._progress.finished_at,
            requests=self._progress.requests + Requests(),
            complete=self.total == self._progress.done,
            stopped=self._engine.stop_reason,
            options=self._options.chosen(),
            pauses=self._pressure.pauses,
            limits=self._pressure.levels,
            predicted=self._predicted,
        )

    def stop(self, reason: str = "the run was stopped", *, grace: float = math.inf) -> None:
        """Begin no more apps. Apps in flight have `grace` seconds to end, then are cancelled."""
        self._engine.stop(reason)
        if grace < math.inf:
            self._abandoned = True
            scope = self._engine.scope
            scope.deadline = min(scope.deadline, loop_time() + grace)

    def end_by(self, at: float) -> None:
        """End the run at a time of the event loop's clock, at the latest."""
        self._engine.scope.deadline = min(self._engine.scope.deadline, at)

    def on_failure(self, call: Callable[[], object]) -> None:
        """Call a function whenever an app failed; it may stop this run and others."""
        self._engine.on_failure = call

    async def read_keys(self) -> None:
        """Read an async input to its end, before the run begins."""
        await self._inputs.read_all()

    def skip_all(self, reason: str) -> None:
        """End without having begun: every app gets the outcome that it has without a request."""
        self.began = True
        self._engine.stop(reason)
        self._engine.conclude(Why.STOPPED, reason)
        self._progress.end()

    # -- outcomes as they come

    async def __aenter__(self) -> Run[T_co]:
        self._progress.expect_followers()
        # The task below is outside the caller's scopes, so it gets their deadline.
        self._engine.scope.deadline = anyio.current_effective_deadline()
        self._task = asyncio.create_task(self._run_as_task(), name=f"aioappsapi bulk {self.action}")
        self._started = self._task
        self._task.add_done_callback(lambda _: self._progress.wake_followers())
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        await end_task(task)
        if task.cancelled():
            self._conclude_cancelled()  # a task that is cancelled at once would never run
        elif self._failure is not None and error is None:
            raise self._failure

    async def __aiter__(self) -> AsyncIterator[Outcome[T_co]]:
        """Yield each outcome as it comes. Raises InvalidInputError outside of ``async with``."""
        if (started := self._started) is None:
            raise InvalidInputError(
                "This run has not begun. Iterate over it inside of its `async with`: "
                f"async with client.bulk.stream({self.action!r}, guids) as run: …"
            )
        async for outcome in self._progress.follow(started.done):
            yield outcome

    async def _run_as_task(self) -> None:
        try:
            await self.run()
        except asyncio.CancelledError:
            raise
        except BaseException as failure:  # noqa: BLE001 - raised again at the end of the block
            self._failure = failure

    # -- the run

    async def run(self) -> None:
        """Work until every app has its outcome.

        Raises RunAbortedError if it cannot go on, and another AppsApiError if its waves cannot be
        planned. A CancelledError or KeyboardInterrupt passes
        through. `report_of` finds the report in each of them.
        """
        # First of all: without its journal the run must not begin.
        if self._open_journal is not None:
            self._engine.journal = self._take_journal(self._open_journal())
        try:
            with ExitStack() as stack:
                if self._throttle is not None:
                    listener = self._pressure.listener(self._on_pause)
                    stack.callback(self._throttle.on_pause(listener))
                if self._observer is not None:
                    self._follow(stack.enter_context(self._observer.run(self)))
                await self._run()
        except Exception as failure:
            # The processor of a span may raise when the run is over; its report must not be lost.
            if not self.began or report_of(failure) is not None:
                raise
            raise aborted(self.action, failure, self._progress_report()) from failure
        finally:
            if self._engine.journal is not None:
                await self._engine.journal.aclose()

    def _follow(self, events: RunEvents) -> None:
        self._engine.observer = events
        if self._engine.journal is not None:
            self._engine.journal.on_flush = events.flushed

    def _take_journal(self, journal: Journal) -> Journal:
        self._taken_over = journal.taken_over
        if self._taken_over:
            left = len(self._inputs.keys) - self._taken_over
            log.info(
                "%s: %s taken over from %s, %d left",
                self.action,
                counted(self._taken_over, "app"),
                journal.path,
                max(left, 0),
            )
        return journal

    async def _run(self) -> None:
        self._begin()
        begun = False
        try:
            with self._engine.scope:
                await self._arrange()
                begun = True
                await self._engine.work()
            self._conclude()
        except asyncio.CancelledError as cancelled:
            self._conclude_cancelled()
            attach_report(cancelled, self._progress_report())
            raise
        except Exception as failure:
            self._engine.interruption = innermost(failure)
            self._conclude()
            if not begun and isinstance(failure, AppsApiError):
                attach_report(failure, self._progress_report())
                raise
        if self._engine.interruption is not None:
            raise aborted(self.action, self._engine.interruption, self._progress_report())

    async def _arrange(self) -> None:
        """Put the apps into waves, if the run has any. Raises AppsApiError; nothing was sent."""
        if (waves := self._engine.waves) is not None:
            with logged_to(self._calls):
                await waves.arrange(self._engine.journal)

    def _begin(self) -> None:
        self.began = True
        self._progress.begin()
        self._pressure.begin()
        deadline = math.inf
        if self._options.deadline is not None:
            deadline = loop_time() + self._options.deadline
        scope = self._engine.scope
        callers = min(scope.deadline, anyio.current_effective_deadline())
        scope.deadline = min(deadline, callers)
        if self._engine.waves is not None:
            self._engine.waves.caller_deadline = callers

    def _conclude(self) -> None:
        engine = self._engine
        if (cause := engine.interruption) is not None:
            engine.conclude(Why.ABORTED, f"the run was aborted by {type(cause).__name__}")
        elif not self._abandoned and loop_time() >= engine.scope.deadline:
            # A scope of the caller may have the same deadline, and end first.
            engine.conclude(Why.DEADLINE, engine.stop_reason or "the deadline came first")
        else:
            engine.conclude(Why.STOPPED, engine.stop_reason or "the run ended")
        self._progress.end()

    def _conclude_cancelled(self) -> None:
        self._engine.conclude(Why.CANCELLED, "the run was cancelled")
        self._progress.end()
        if (failure := self._engine.interruption) is not None:
            log.error("on_outcome raised while the run was being cancelled", exc_info=failure)
