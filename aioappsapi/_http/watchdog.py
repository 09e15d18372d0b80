"""Timeouts of all attempts in flight, with one timer of the event loop.

aiohttp starts up to three timers per request, which cost a fifth of a call, and nearly all are
cancelled unused. Here an attempt costs an entry in a dictionary. A single timer checks all
entries when the first of them can be due, and cancels late tasks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from math import inf

import msgspec

from aioappsapi._http.call_log import current_call_log
from aioappsapi.config import Timeouts


class Attempt(msgspec.Struct, eq=False):
    """One attempt in flight. `is_sent` says that its bytes have left; `is_late` that it timed out.

    Before the bytes leave, the connect timeout counts; afterwards the read timeout. The total
    timeout counts in both. `headers` are those that only this attempt sends. A Struct, because it
    is made in C.
    """

    task: asyncio.Task[object]
    timeouts: Timeouts
    headers: Mapping[str, str]
    started: float
    since: float
    cancelling: int
    is_sent: bool = False
    is_late: bool = False

    def sent(self, now: float) -> None:
        """Note and report that the bytes leave: from now on the read timeout counts."""
        self.is_sent = True
        self.since = now
        if (log := current_call_log.get()) is not None:  # fast path: what `report_sent` does
            log.sent(now)

    def received(self, now: float) -> None:
        """Note that a part of the answer has arrived."""
        self.since = now

    def due_at(self) -> float:
        """Return the time at which it is late."""
        patience = self.timeouts.read if self.is_sent else self.timeouts.connect
        total = self.timeouts.total
        return min(
            inf if patience is None else self.since + patience,
            inf if total is None else self.started + total,
        )

    def cancel(self) -> None:
        """Interrupt the task. It gets a CancelledError, which `is_timeout` recognises."""
        self.is_late = True
        self.task.cancel()

    def is_timeout(self) -> bool:
        """Check whether the CancelledError is the watchdog's, and the only one."""
        return self.is_late and self.task.cancelling() - 1 <= self.cancelling

    def ended(self) -> None:
        """Take the watchdog's own cancellation back, as `asyncio.timeout` does."""
        self.task.uncancel()


class Watchdog:
    """Cancels late attempts. Belongs to one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self._attempts: dict[asyncio.Task[object], Attempt] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = inf
        self._timeouts: Timeouts | None = None  # of the latest attempt, and the shortest of them
        self._shortest = inf

    def begin(self, timeouts: Timeouts, headers: Mapping[str, str]) -> Attempt:
        """Watch the current task until `end`. Raises RuntimeError outside of a task."""
        if (task := asyncio.current_task(self._loop)) is None:
            raise RuntimeError("only a task of the event loop can send a request")
        now = self.now()
        attempt = Attempt(task, timeouts, headers, now, now, task.cancelling())
        self._attempts[task] = attempt
        if timeouts is not self._timeouts:  # fast path: most attempts have the same ones
            self._timeouts, self._shortest = timeouts, shortest(timeouts)
        # The next check is early enough, unless all earlier attempts have more time.
        due_at = now + self._shortest
        if due_at < self._looks_at:
            self._look_at(due_at)
        return attempt

    def current(self) -> Attempt | None:
        """Return the attempt of the current task."""
        task = asyncio.current_task(self._loop)
        return None if task is None else self._attempts.get(task)

    def end(self, attempt: Attempt) -> None:
        """Stop watching the task of this attempt."""
        del self._attempts[attempt.task]
        if attempt.is_late:
            attempt.ended()

    def stop(self) -> None:
        """Cancel the timer; requests in flight are not watched any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._looks_at = inf

    def _look_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._looks_at = when
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        self._timer, self._looks_at = None, inf
        next_look = inf
        for attempt in self._attempts.values():
            if attempt.is_late:
                continue
            due_at = attempt.due_at()
            if due_at <= now:
                attempt.cancel()
            elif attempt.is_sent:
                next_look = min(next_look, due_at)
            else:
                # Its bytes may leave at any moment, and then another timeout counts.
                next_look = min(next_look, due_at, now + shortest(attempt.timeouts))
        if next_look < inf:
            self._look_at(next_look)


@lru_cache(maxsize=64)
def shortest(timeouts: Timeouts) -> float:
    """Return the shortest timeout: no attempt is due earlier."""
    given = (timeouts.connect, timeouts.read, timeouts.total)
    return min((one for one in given if one is not None), default=inf)
