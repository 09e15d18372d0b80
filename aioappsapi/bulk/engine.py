"""The engine of bulk runs: a fixed pool of workers over one input, one outcome per app.

Not a task per app: a hundred thousand tasks cost hundreds of megabytes, workers next to nothing.
The workers live in one cancel scope, whose deadline every call below inherits. Whatever ends the
run, `_conclude` gives every app that has none yet its outcome, so the counts always add up.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar, cast

import anyio
import msgspec

from aioappsapi._http.trace import CallRecord, current_record
from aioappsapi.bulk.endings import RunAbortedError, attach_report
from aioappsapi.bulk.inputs import Inputs, Keys
from aioappsapi.bulk.journal import Journal
from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.bulk.report import Report, Requests
from aioappsapi.errors import (
    AbandonedError,
    AppsApiError,
    AuthError,
    DeadlineError,
    InvalidInputError,
    NotAttemptedError,
    TargetError,
)
from aioappsapi.models.app import App

T = TypeVar("T")

OnOutcome = Callable[[Outcome[T]], object]
# Looks at an app: what can be said of it as it is, or None if it has to be asked.
Look = Callable[[str], Awaitable[tuple[Status | None, T | None]]]

log = logging.getLogger("aioappsapi")

_MOST_WORKERS: Final = 10_000


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a run goes; see `Bulk.start`."""

    concurrency: int = 50
    deadline: float | None = None
    max_failures: int | float | None = None

    def __post_init__(self) -> None:
        workers: object = self.concurrency
        if type(workers) is not int or not 1 <= workers <= _MOST_WORKERS:
            raise InvalidInputError(f"concurrency={workers!r}: 1 to {_MOST_WORKERS}.")
        if self.deadline is not None and not self.deadline > 0:
            raise InvalidInputError(f"deadline={self.deadline}: seconds > 0, or None.")
        limit = self.max_failures
        if limit is not None and (not limit > 0 or (isinstance(limit, float) and limit >= 1)):
            raise InvalidInputError(
                f"max_failures={limit}: a count of 1 or more, or a share like 0.1."
            )


class Run(Generic[T]):
    """One bulk run, while it goes on and afterwards.

    Made by `Bulk`. Iterated over inside `async with client.bulk.stream(...)`, it gives outcomes as
    they come; `total`, `counts` and `in_flight` are live, `report` is what is known so far.
    """

    def __init__(
        self,
        func: Callable[[str], Awaitable[T]],
        keys: Keys,
        *,
        action: str,
        target: str,
        options: Options,
        on_outcome: OnOutcome[T] | None = None,
        open_journal: Callable[[], Journal] | None = None,
        look: Look[T] | None = None,
    ) -> None:
        if inspect.iscoroutinefunction(on_outcome):
            raise InvalidInputError("on_outcome is called, not awaited: give a plain function.")
        self._func = func
        self._action = action
        self._target = target
        self._options = options
        self._on_outcome = on_outcome
        self._open_journal = open_journal
        self._journal: Journal | None = None
        self._look = look
        self._inputs = Inputs(keys)
        self._outcomes: dict[int, Outcome[T]] = {}
        self._begun: dict[int, tuple[float, CallRecord]] = {}
        self._settled: list[Outcome[T]] = []
        self._news = asyncio.Event()
        self._stopped: str | None = None
        self._abandoned = False
        self._scope = anyio.CancelScope()
        self._requests = Requests()
        self._started_at = self._finished_at = datetime.now(UTC)
        self._clock_zero = 0.0
        self._outer = current_record.get()
        self._task: asyncio.Task[None] | None = None
        self.counts: Counter[Status] = Counter()

    # -- what users see

    @property
    def total(self) -> int | None:
        """How many apps there are; None as long as the input is still coming."""
        return len(self._inputs.keys) if self._inputs.exhausted else None

    @property
    def in_flight(self) -> int:
        """How many apps are being worked on."""
        return len(self._begun)

    @property
    def stopping(self) -> bool:
        """Whether nothing new is begun any more."""
        return self._stopped is not None

    @property
    def report(self) -> Report[T]:
        """The report of all outcomes that are known; complete once the run has ended."""
        return Report(
            (self._outcomes[index] for index in sorted(self._outcomes)),
            action=self._action,
            target=self._target,
            started_at=self._started_at,
            finished_at=self._finished_at,
            requests=self._requests,
            complete=self.total == len(self._outcomes),
        )

    def stop(self, reason: str = "the run was stopped", *, grace: float = math.inf) -> None:
        """Begin nothing new; what is in flight has `grace` seconds to end, then it is cancelled."""
        self._stopped = self._stopped or reason
        if grace < math.inf:
            self._abandoned = True
            self._scope.deadline = min(self._scope.deadline, anyio.current_time() + grace)

    async def __aenter__(self) -> Run[T]:
        # The task below is not inside of the caller's scopes, but is bound by them.
        self._scope.deadline = anyio.current_effective_deadline()
        self._task = asyncio.create_task(self.run(), name=f"aioappsapi bulk {self._action}")
        self._task.add_done_callback(lambda _: self._news.set())
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

    async def __aiter__(self) -> AsyncIterator[Outcome[T]]:
        given = 0
        while True:
            while given < len(self._settled):
                given += 1
                yield self._settled[given - 1]
            if self._task is None or self._task.done():
                return
            self._news.clear()
            await self._news.wait()

    # -- the run

    async def run(self) -> None:
        """Work until every app has its outcome.

        Raises RunAbortedError if it cannot go to its end. A CancelledError goes its way, and
        `report_of` finds the report in it.
        """
        # Before anything else: a journal that cannot be had is no run.
        self._journal = self._open_journal() if self._open_journal is not None else None
        try:
            await self._run()
        finally:
            if self._journal is not None:
                await self._journal.aclose()

    async def _run(self) -> None:
        self._begin()
        try:
            with self._scope:
                await self._work()
            self._conclude(self._stopped or "the deadline came first")
        except asyncio.CancelledError as cancelled:
            self._conclude_cancelled()
            attach_report(cancelled, self.report)
            raise
        except Exception as failure:  # noqa: BLE001 - whatever it was, the outcomes must not be lost
            cause = _innermost(failure)
            self._conclude(f"the run was aborted by {type(cause).__name__}", quietly=True)
            raise RunAbortedError(
                f"{self._action}: aborted by {type(cause).__name__}; "
                "the report has what happened until then.",
                report=self.report,
            ) from cause

    def _begin(self) -> None:
        self._started_at = datetime.now(UTC)
        self._clock_zero = anyio.current_time()
        mine = math.inf
        if self._options.deadline is not None:
            mine = self._clock_zero + self._options.deadline
        self._scope.deadline = min(mine, self._scope.deadline, anyio.current_effective_deadline())

    async def _work(self) -> None:
        workers = self._options.concurrency
        if self.total is not None:
            workers = min(workers, self.total)
        async with anyio.create_task_group() as group:
            for _ in range(workers):
                group.start_soon(self._worker)
        await self._inputs.read_rest()

    async def _worker(self) -> None:
        # Asked again after the input gave one, which may take time.
        while not self.stopping and (index := await self._inputs.next()) is not None:
            if not self.stopping:
                await self._handle(index)

    async def _handle(self, index: int) -> None:
        key = self._inputs.keys[index]
        if self._journal is not None and (done := self._journal.past.done.get(key)) is not None:
            self._keep(index, cast("Outcome[T]", done))
            return
        record = CallRecord(self._outer)
        current_record.set(record)
        self._begun[index] = (anyio.current_time(), record)
        value: T | None = None
        error: AppsApiError | None = None
        seen: Status | None = None
        try:
            seen, value = await self._ask(key, record)
        except AppsApiError as caught:
            error = caught.detached()
        except asyncio.CancelledError as stray:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            # Nobody cancelled the run: a worker that just went would leave its share undone.
            raise RuntimeError(f"{self._action} {key} was cancelled from within") from stray
        status = seen if seen is not None else self._status(error, record)
        self._settle(index, status, value, error)
        if isinstance(error, TargetError) or (isinstance(error, AuthError) and error.refused):
            self.stop(f"nobody can log in: {error}")
        elif record.gave_up is not None:
            self.stop(record.gave_up)

    async def _ask(self, key: str, record: CallRecord) -> tuple[Status | None, T | None]:
        """Ask for an app; first look, if an earlier run may have asked for it already."""
        if self._journal is not None:
            if key in self._journal.past.doubtful and self._look is not None:
                record.doubt(unproven=False)  # a look that fails leaves it as open as before
                seen, value = await self._look(key)
                if seen is not None:
                    return seen, value
                record.doubt(unproven=True)
            await self._journal.begun(key)
        return None, await self._func(key)

    def _status(self, error: AppsApiError | None, record: CallRecord) -> Status:
        if error is None:
            return Status.UNVERIFIED if record.unproven else Status.OK
        if isinstance(error, DeadlineError):
            return Status.TIMED_OUT if record.attempts else Status.NOT_ATTEMPTED
        return Status.FAILED

    def _settle(
        self,
        index: int,
        status: Status,
        value: T | None = None,
        error: AppsApiError | None = None,
        *,
        quietly: bool = False,
    ) -> None:
        """Give an app its one outcome, and tell everybody."""
        key = self._inputs.keys[index]
        was_begun = index in self._begun
        began, record = self._begun.pop(index, (None, CallRecord()))
        began = None if status is Status.NOT_ATTEMPTED else began
        self._requests.add(record.results)
        name = value.name if isinstance(value, App) else self._inputs.names.get(key)
        outcome = Outcome(
            key=key,
            status=status,
            name=name,
            value=value,
            error=error,
            attempts=record.attempts,
            started_at=None if began is None else self._wall(began),
            duration=None if began is None else anyio.current_time() - began,
            request_ids=tuple(record.request_ids),
            warnings=tuple(record.warnings),
        )
        if self._journal is not None and was_begun:
            self._journal.ended(outcome, ambiguous=record.ambiguous)
        self._keep(index, outcome, quietly=quietly)

    def _keep(self, index: int, outcome: Outcome[T], *, quietly: bool = False) -> None:
        self._outcomes[index] = outcome
        self._settled.append(outcome)
        self.counts[outcome.status] += 1
        self._news.set()
        if not outcome.as_asked:
            self._mind_failures()
        if self._on_outcome is not None and not quietly:
            self._on_outcome(outcome)

    def _wall(self, clock: float) -> datetime:
        return self._started_at + timedelta(seconds=clock - self._clock_zero)

    def _mind_failures(self) -> None:
        limit = self._options.max_failures
        if limit is None:
            return
        failures = self.counts[Status.FAILED] + self.counts[Status.TIMED_OUT]
        allowed = limit if isinstance(limit, int) else max(1.0, limit * len(self._inputs.keys))
        if failures >= allowed:
            self.stop(f"{failures} apps failed, which is as many as max_failures={limit} allows")

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
        late = not self._abandoned and anyio.current_time() >= self._scope.deadline
        for index in list(self._begun):
            what = f"{self._action} {self._inputs.keys[index]}"
            error: AppsApiError = AbandonedError(f"{what}: cancelled in flight.")
            status = Status.CANCELLED
            if late:
                error, status = DeadlineError(f"{what}: the deadline came first."), Status.TIMED_OUT
            self._settle(index, status, error=error, quietly=quietly)
        for index, key in enumerate(self._inputs.keys):
            if index not in self._outcomes:
                reason = NotAttemptedError(f"{self._action} {key}: {why}.")
                self._settle(index, Status.NOT_ATTEMPTED, error=reason, quietly=quietly)
        self._finished_at = datetime.now(UTC)


def _innermost(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
