"""The engine: a fixed pool of workers that takes apps through the steps of an action.

It knows steps, not verbs. A worker claims an app and sends its requests. If a
step has to be proved, a watcher takes the app over, and the worker claims the next one. Failed apps
that may succeed later get a second round when the others are done.

Everything that happens to an app is an event of its `AppRun`, and every move comes to `moved`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic

import anyio

from aioappsapi._http.call_log import CallEvents, current_call_log
from aioappsapi._http.clock import loop_time
from aioappsapi._http.limits.patience import Patience, current_patience
from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.protocol import checked_segment
from aioappsapi._http.retry.policy import is_final, is_refusal_of_app
from aioappsapi.bulk.actions.action import Action, ActionStep, Watcher
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.reports.outcome import Outcome, T_co
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.changes import Changes
from aioappsapi.bulk.run.conclude import deadline_error, ending_error, is_cancelled, why_final
from aioappsapi.bulk.run.findings import apply_finding
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.bulk.run.journal import Journal
from aioappsapi.bulk.run.observer import RunEvents
from aioappsapi.bulk.run.pressure import Pressure
from aioappsapi.bulk.run.progress import AppCalls, Progress, RequestCounter
from aioappsapi.bulk.run.states import ASKING, DONE, MAYBE, RETRY_LATER, VERIFYING, State, Why
from aioappsapi.bulk.run.wave_run import WaveRun
from aioappsapi.errors import AppsApiError, DeadlineError, NotAttemptedError

OnOutcome = Callable[[Outcome[T_co]], object]


class Engine(Generic[T_co]):
    """The workers of one run.

    `calls` counts the requests that are sent for many apps together. `on_outcome` is called with
    each outcome; an exception of it ends the run.
    """

    def __init__(
        self,
        action: Action,
        inputs: Inputs,
        options: Options,
        progress: Progress[T_co],
        *,
        calls: RequestCounter,
        outer: CallEvents | None,
        throttle: Throttle | None,
        on_outcome: OnOutcome[T_co] | None,
        pressure: Pressure,
        give_up_after: float,
        waves: WaveRun | None = None,
    ) -> None:
        self.observer: RunEvents | None = None
        self.stop_reason: str | None = None
        self.interruption: BaseException | None = None
        self.journal: Journal | None = None
        self.on_failure: Callable[[], object] | None = None
        self.waves = waves
        self.scope = anyio.CancelScope()
        self._action = action
        self._inputs = inputs
        self._options = options
        self._progress = progress
        self._calls = calls
        self._outer = outer
        self._throttle = throttle
        self._on_outcome = on_outcome
        self._pressure = pressure
        self._patience = Patience(give_up_after, calls=calls)
        self._runs: dict[str, AppRun] = {}
        self._ready: deque[AppRun] = deque()
        self._retry_later: deque[AppRun] = deque()
        self._changes = Changes()

    # -- the run

    async def work(self) -> None:
        """Work until every app has its outcome, or the run is stopped."""
        watchers = self._action.watchers
        async with anyio.create_task_group() as group:
            for watcher in watchers:
                group.start_soon(self._watch, watcher)
            async with anyio.create_task_group() as feeding:
                feeding.start_soon(self._inputs.feed, self._changes.wake)
                await (self._rounds() if self.waves is None else self._in_waves(self.waves))
                self._inputs.read_rest()
            for watcher in watchers:
                watcher.complete()

    def stop(self, reason: str) -> None:
        """Begin nothing new."""
        self.stop_reason = self.stop_reason or reason
        if self.waves is not None:
            self.waves.stop()
        self._changes.wake()

    async def _watch(self, watcher: Watcher) -> None:
        current_call_log.set(self._calls)
        current_patience.set(None)
        runs, wait = self._runs, self._options.wait
        await watcher.run(
            lambda finding: apply_finding(finding, runs[finding.key], wait),
            lambda key: runs[key].crashed(),
        )

    async def _in_waves(self, waves: WaveRun) -> None:
        """Work on one wave after the other, each until all of its apps have an outcome."""
        for wave in waves.waves:
            if (reason := await waves.why_not(wave, self.scope)) is not None:
                self.stop(reason)
            if self.stop_reason is not None:
                return
            waves.begin(wave)
            await self._rounds()
            while self._runs and self.stop_reason is None:
                await self._changes.wait()

    async def _rounds(self) -> None:
        await self._round()
        while self._retry_later and self.stop_reason is None:
            self._ready.extend(self._retry_later)
            self._retry_later.clear()
            await self._round()

    async def _round(self) -> None:
        workers = self._options.concurrency
        if self._inputs.exhausted:
            workers = min(workers, self._inputs.claimable + len(self._ready))
        async with anyio.create_task_group() as group:
            for _ in range(workers):
                group.start_soon(self._worker)

    async def _worker(self) -> None:
        # fast path: set once; only what is awaited before a request is not the app's own.
        current_patience.set(self._patience)
        try:
            # fast path: a coroutine only where an app has to be waited for.
            while (run := self._next() or await self._claim()) is not None:
                await self._take_on(run)
        except (KeyboardInterrupt, SystemExit, GeneratorExit) as interruption:
            # Out of a task these would break the event loop, and the report would be lost.
            self._interrupt(interruption)

    def _interrupt(self, interruption: BaseException) -> None:
        """End the run with an error that belongs to no app; do not call a broken callback again."""
        self.interruption = self.interruption or interruption
        self._on_outcome = None
        self.stop(f"the run was aborted by {type(interruption).__name__}")
        self.scope.cancel()

    # -- claiming

    async def _claim(self) -> AppRun | None:
        """Claim the next app; None when no more come."""
        while self.stop_reason is None:
            if (run := self._next()) is not None:
                return run
            if not self._may_become_ready():
                return None
            await self._changes.wait()
        return None

    def _next(self) -> AppRun | None:
        """Return an app that waits for a worker. Further steps of apps go before new apps."""
        if self.stop_reason is not None:
            return None
        if self._ready:
            return self._ready.popleft()
        while (index := self._inputs.claim()) is not None:
            if (run := self._open(index)) is not None:
                return run
        return None

    def _open(self, index: int) -> AppRun | None:
        """Make the AppRun of an app, or take it from the journal; None if it is done there."""
        inputs = self._inputs
        key = inputs.keys[index]
        run = None if self.journal is None else self.journal.take(key)
        if run is None:
            run = AppRun(index, key, self._action.steps, self)
            if key in inputs.in_doubt and self._action.steps[0].visible:
                run.did = MAYBE
        else:
            run.index, run.steps, run.listener = index, self._action.steps, self
        if inputs.names:
            run.name = inputs.names.get(key)
        if inputs.places:
            run.space, run.organization = inputs.places.get(key, (None, None))
        if self.waves is not None:
            run.wave = self.waves.number(index)
        self._progress.by_state[run.state] += 1
        if run.state is DONE:
            assert self.journal is not None  # noqa: S101 - only a journal has apps that are done
            self._finish(run, self.journal.outcome(run.key))  # type: ignore[arg-type]
            return None
        self._runs[key] = run
        return run

    def _may_become_ready(self) -> bool:
        """Check whether an app may still become ready: a new app, or a further step of an app."""
        if not self._inputs.exhausted:
            return True
        return len(self._action.steps) > 1 and any(
            not run.is_last and run.state in (ASKING, State.HELD, VERIFYING)
            for run in self._runs.values()
        )

    # -- one app

    async def _take_on(self, run: AppRun) -> None:
        """Take an app through the requests of its steps."""
        run.claimed()
        try:
            while run.state is ASKING:
                at = run.step
                step = self._action.steps[at]
                looking = step.look(run)
                # fast path: a coroutine only where something has to be waited for.
                may_wait = looking or step.limiter or self.journal or run.retried
                if may_wait and run.step == at:  # else this step has nothing to change
                    await self._prepare(run, step, looking)
                elif self.stop_reason is not None:
                    self._skip(run)
                if run.state is not ASKING or run.step != at:
                    continue
                # What is sent from here on is a fact of the app.
                calls = AppCalls(run, self._progress.requests, self._outer)
                current_call_log.set(calls)
                try:
                    sending = step.send(run)
                    await (sending if self.observer is None else self.observer.step(run, sending))
                except AppsApiError as error:
                    self._failed(run, error.detached(), settles=is_refusal_of_app(error))
                if calls.stop_reason is not None:
                    self.stop(calls.stop_reason)
        except AppsApiError as error:
            self._failed(run, error.detached(), settles=False)
        except asyncio.CancelledError as stray:
            if is_cancelled():
                raise
            # Not a cancellation of the run: if the worker just ended, its apps would be lost.
            raise RuntimeError(f"{run.what} was cancelled from within") from stray

    async def _prepare(
        self, run: AppRun, step: ActionStep, looking: Awaitable[None] | None
    ) -> None:
        """Wait for what comes before the request of a step; any of it may move the app."""
        at = run.step
        # What is read here is the run's: no app has it in its record, and no outage is outlasted.
        current_call_log.set(self._calls)
        current_patience.set(None)
        try:
            if looking is not None:
                await looking
            if run.step != at:
                return
            if run.state is ASKING and step.limiter is not None:
                await step.limiter.admit(run)
            if self.stop_reason is not None:
                self._skip(run)
            if run.state is ASKING and self.journal is not None:
                if step.takes_guids:
                    checked_segment(run.key)  # refused before it is journaled
                await self._wait_for_open_gate(run)
                await self.journal.sending(run)
            if run.state is ASKING and run.retried:
                self._calls.repeated()
        finally:
            current_patience.set(self._patience)

    def _skip(self, run: AppRun) -> None:
        if run.state is ASKING:
            run.skipped(loop_time(), NotAttemptedError(f"{run.what}: {self.stop_reason}."))

    async def _wait_for_open_gate(self, run: AppRun) -> None:
        # If an app waited after its journal line, it would be in doubt after a kill.
        if self._throttle is not None and self._throttle.closed_for:
            goes_on = None if self.observer is None else self.observer.at_gate(run)
            await self._throttle.wait_until_open()
            if goes_on is not None:
                goes_on()

    def _failed(self, run: AppRun, error: AppsApiError, *, settles: bool) -> None:
        now = loop_time()
        if isinstance(error, DeadlineError):
            run.ended(now, Why.DEADLINE, deadline_error(run, error))
            return
        if isinstance(error, NotAttemptedError) and not run.attempts:
            run.skipped(now, error)
            return
        step = self._action.steps[run.step]
        later = not run.retried and step.may_do_better_later(error)
        run.failed(now, error, later=later, settles=settles)
        if is_final(error):
            self.stop(why_final(error))

    # -- moves

    def moved(self, run: AppRun, before: State) -> None:
        """Follow a move: counts, journal, limiter, report, and `on_outcome` last."""
        state, by_state = run.state, self._progress.by_state
        by_state[before] -= 1
        by_state[state] += 1
        if self.observer is not None:
            self.observer.moved(run, before)
        if state is ASKING:  # fast path: claimed or admitted, which concerns nobody else
            return
        outcome = self._progress.outcome(run) if state is DONE else None
        if self.journal is not None:
            self.journal.moved(run, outcome)
        for limiter in self._action.limiters:
            limiter.moved(run)
        if outcome is not None:
            self._finish(run, outcome)
        elif state is VERIFYING and before is ASKING:
            watcher = self._action.steps[run.step].watcher
            assert watcher is not None  # noqa: S101 - only a step with a watcher waits
            watcher.watch(run)
        elif state is State.READY:
            self._ready.append(run)
        elif state is RETRY_LATER:
            self._retry_later.append(run)
            self._check_failures()
        if self._changes.idle:  # fast path: most moves wake nobody
            self._changes.wake()

    def _finish(self, run: AppRun, outcome: Outcome[T_co]) -> None:
        self._runs.pop(run.key, None)
        index = run.index if self.waves is None else self._inputs.place(run.index)
        self._progress.add(index, outcome)
        if run.done_at is not None and run.done_at >= self._pressure.next_level_at:
            self._pressure.note_limit(run.done_at)
        if self.observer is not None:
            self.observer.ended(run, outcome)
        if outcome.error is not None:
            self._check_failures()
        if self._on_outcome is not None:
            try:
                self._on_outcome(outcome)
            except BaseException as failure:  # noqa: BLE001 - the run raises it, with its report
                self._interrupt(failure)

    def _check_failures(self) -> None:
        reason = self._options.enough(self._progress.failures, len(self._inputs.keys))
        if reason is None and self.waves is not None:
            reason = self.waves.too_many_failures()
        if reason is not None:
            self.stop(reason)
        if self.on_failure is not None:
            self.on_failure()

    # -- the end

    def conclude(self, why: Why, reason: str) -> None:
        """Give an outcome to every app that has none."""
        for run in list(self._runs.values()):
            self._end(run, why, reason)
        self._inputs.open_until(None)
        while (index := self._inputs.claim()) is not None:
            if (unclaimed := self._open(index)) is not None:
                self._end(unclaimed, why, reason)

    def _end(self, run: AppRun, why: Why, reason: str) -> None:
        watcher = self._action.steps[run.step].watcher
        seen = "nothing" if watcher is None else watcher.last_seen(run.key)
        run.ended(loop_time(), why, ending_error(run, why, reason, seen))
