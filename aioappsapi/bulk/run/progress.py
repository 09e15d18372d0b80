"""The counts and outcomes of a run, all derived from the states of its apps."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Generic

import msgspec

from aioappsapi._http.call_log import CallEvents
from aioappsapi._http.clock import loop_time
from aioappsapi._http.message import Response
from aioappsapi.bulk.reports.outcome import ALREADY, UNVERIFIED, Outcome, Status, T_co
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.states import ASKING, State
from aioappsapi.errors import UnverifiedError
from aioappsapi.models.app import App


class Progress(Generic[T_co]):
    """The numbers of apps by state and by status, and their outcomes.

    `keep` keeps the outcomes for the report. Without it memory stays constant. Without
    `keep_values` outcomes have no value, which is most of their memory.
    """

    def __init__(self, *, keep: bool = True, keep_values: bool = True) -> None:
        self.by_state = [0] * len(State)
        self.by_status: Counter[Status] = Counter()
        self.requests = Requests()
        self.started_at = self.finished_at = datetime.now(UTC)
        self.keep = keep
        self.keep_values = keep_values
        self._epoch = 0.0  # the wall time of the loop's zero
        self._by_index: dict[int, Outcome[T_co]] = {}
        self._new: deque[Outcome[T_co]] = deque()
        self._news = asyncio.Event()
        self._followed = False

    @property
    def done(self) -> int:
        """The number of apps with an outcome."""
        return self.by_status.total()

    @property
    def failures(self) -> int:
        """The number of apps that failed or timed out, with those that get a second round."""
        failed = self.by_status[Status.FAILED] + self.by_status[Status.TIMED_OUT]
        return failed + self.by_state[State.RETRY_LATER]

    def begin(self) -> None:
        """Start the clock of the run."""
        self.started_at = self.finished_at = datetime.now(UTC)
        self._epoch = self.started_at.timestamp() - loop_time()

    def end(self) -> None:
        """Record the end, and wake up the followers."""
        self.finished_at = datetime.now(UTC)
        self._news.set()

    def add(self, index: int, outcome: Outcome[T_co]) -> None:
        """Count an outcome, and keep it if outcomes are kept."""
        self.by_status[outcome.status] += 1
        if self.keep:
            self._by_index[index] = outcome
        if self._followed:
            self._new.append(outcome)
            self._news.set()

    def __iter__(self) -> Iterator[Outcome[T_co]]:
        """Return the kept outcomes in input order."""
        return (self._by_index[index] for index in sorted(self._by_index))

    def __contains__(self, index: int) -> bool:
        return index in self._by_index

    def expect_followers(self) -> None:
        """Queue outcomes from now on for `follow`."""
        self._followed = True

    async def follow(self, ended: Callable[[], bool]) -> AsyncIterator[Outcome[T_co]]:
        """Yield each outcome as it comes, once, until there are no more."""
        while True:
            while self._new:
                yield self._new.popleft()
            if ended():
                return
            self._news.clear()
            await self._news.wait()

    def wake_followers(self) -> None:
        """Let `follow` see that the run ended."""
        self._news.set()

    def outcome(self, run: AppRun) -> Outcome[T_co]:
        """Make the outcome of an app that is done; called once per app."""
        status, error, value = run.status, run.error, run.value
        # What a step read before its request is no result of the call.
        keep = self.keep_values and status is not ALREADY
        assert status is not None  # noqa: S101 - it is done
        if status is UNVERIFIED and error is None:
            error = _unproved(run)
        zero = run.first_sent_at
        began_at = None if zero is None else datetime.fromtimestamp(self._epoch + zero, UTC)
        # fast path: with more than 15 keyword arguments Python makes a dictionary of them first.
        outcome: Outcome[T_co] = Outcome(
            key=run.key,
            status=status,
            name=value.name if isinstance(value, App) else run.name,
            space=run.space,
            organization=run.organization,
            value=value if keep else None,  # type: ignore[arg-type]
            error=error,
            attempts=run.attempts,
            started_at=began_at,
            duration=_since(zero, run.done_at),
            time_to_accept=_since(zero, run.accepted_at),
            # fast path: a run that does not wait for instances sees none.
            time_to_first_instance=_since(zero, at) if (at := run.first_at) else None,
            time_to_running=_since(zero, at) if (at := run.all_at) else None,
            request_ids=run.request_ids,
            warnings=run.warnings,
        )
        if run.wave is None:
            return outcome
        return msgspec.structs.replace(outcome, wave=run.wave)


def _since(zero: float | None, at: float | None) -> float | None:
    if at is None or zero is None:
        return None
    return at - zero if at > zero else 0.0


def _unproved(run: AppRun) -> UnverifiedError:
    return UnverifiedError(
        f"{run.what}: the server accepted this only after an attempt that may already have "
        "taken effect, so its answer proves nothing. Run again with wait= (--wait) to verify."
    )


class RequestCounter(CallEvents):
    """Counts the requests that a run sends for many apps together."""

    __slots__ = ("_outer", "_requests", "stop_reason")

    def __init__(self, requests: Requests, outer: CallEvents | None) -> None:
        self._requests = requests
        self._outer = outer
        self.stop_reason: str | None = None

    def sent(self, at: float) -> None:
        """Forward it."""
        if self._outer is not None:
            self._outer.sent(at)

    def answered(
        self,
        result: str,
        request_id: str,
        response: Response | None,
        warnings: tuple[str, ...],
    ) -> None:
        """Count an attempt."""
        self._requests.sent += 1
        self._requests.by_status[result] += 1
        if self._outer is not None:
            self._outer.answered(result, request_id, response, warnings)

    def repeated(self) -> None:
        """Count a retry."""
        self._requests.retried += 1
        if self._outer is not None:
            self._outer.repeated()

    def doubted(self, *, repeat_proves_nothing: bool) -> None:
        """Forward it."""
        if self._outer is not None:
            self._outer.doubted(repeat_proves_nothing=repeat_proves_nothing)

    def gave_up(self, reason: str) -> None:
        """Record why the run should stop."""
        self.stop_reason = reason
        if self._outer is not None:
            self._outer.gave_up(reason)


class AppCalls(RequestCounter):
    """Turns what the call layer reports into events of one app.

    A function that `map` calls may leave tasks behind. Their later requests are counted, but do not
    change an app that is done.
    """

    __slots__ = ("_run",)

    def __init__(self, run: AppRun, requests: Requests, outer: CallEvents | None) -> None:
        # fast path: one is made per app, so the code of the base class is repeated here.
        self._requests = requests
        self._outer = outer
        self.stop_reason = None
        self._run = run

    def sent(self, at: float) -> None:
        """The bytes of an attempt leave."""
        if self._run.state is ASKING:
            self._run.sent(at)
        if self._outer is not None:
            self._outer.sent(at)

    def answered(
        self,
        result: str,
        request_id: str,
        response: Response | None,
        warnings: tuple[str, ...],
    ) -> None:
        """An attempt ended. The effect of a cancelled attempt stays unknown."""
        run = self._run
        run.attempts += 1
        run.request_ids += (request_id,)
        if warnings:
            run.warnings += warnings
        if result != "cancelled":
            run.answered()
        requests = self._requests
        requests.sent += 1
        requests.by_status[result] += 1
        if self._outer is not None:
            self._outer.answered(result, request_id, response, warnings)

    def doubted(self, *, repeat_proves_nothing: bool) -> None:
        """An attempt failed, but may have taken effect."""
        if self._run.state is ASKING:
            self._run.doubted(repeat_proves_nothing=repeat_proves_nothing)
        super().doubted(repeat_proves_nothing=repeat_proves_nothing)
