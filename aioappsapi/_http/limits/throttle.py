"""How much may be under way: a limit of requests in flight, and one gate for everybody.

Shared by everything that one Client sends. The gate is closed by a 429, and before that by the
pace, when the requests of the server's window are spent. It is one for all callers because the
server's limit is: if each call obeyed its own 429 only, the others would go on to be refused.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import anyio
import msgspec

from aioappsapi._http.clock import loop_time
from aioappsapi._http.limits.adaptive import AdaptiveLimit
from aioappsapi._http.pace import Clock, Pace
from aioappsapi.errors import DeadlineError

log = logging.getLogger("aioappsapi")

_REFUSED: Final = "rate limit reached"
_TOO_LONG: Final = "rate limit reached, for longer than max_retry_after"
_SPENT: Final = "the window's requests are spent"
# By so many seconds a closing has to be prolonged before it is told again.
_NOTABLE: Final = 1.0


class Pause(msgspec.Struct, frozen=True):
    """The server lets nothing new through for so many seconds, and why.

    Calls wait for that, but for one longer than `RetryPolicy.max_retry_after`: there they fail.
    """

    seconds: float
    reason: str


OnPause = Callable[[Pause], object]


class _Turn:
    """One who waits, until when at most; the future is true with a slot, false if too late."""

    __slots__ = ("deadline", "given")

    def __init__(self) -> None:
        self.deadline = anyio.current_effective_deadline()
        self.given: asyncio.Future[bool] = asyncio.get_running_loop().create_future()


class Throttle:
    """Slots for requests in flight, first come, first served, behind a gate.

    A slot is held for one attempt and freed before any pause. Times are in seconds of the event
    loop's clock. `longest_pause` is how long the pace may hold calls back; where it would take
    longer they are sent, and the server's refusal tells. `pace` is what is known of the server's
    rate limit.
    """

    def __init__(
        self,
        ceiling: int,
        *,
        clock: Clock = loop_time,
        wall: Clock = time.time,
        longest_pause: float = math.inf,
    ) -> None:
        self._adaptive = AdaptiveLimit(ceiling)
        self._clock = clock
        self._in_flight = 0
        self.pace = Pace(lambda: self._in_flight, clock=clock, wall=wall, longest=longest_pause)
        self._waiting: deque[_Turn] = deque()
        self._refused_until = -math.inf
        self._told_until = -math.inf
        self._dismissed_until = -math.inf
        self._opening: asyncio.TimerHandle | None = None
        self._listeners: list[OnPause] = []

    @property
    def limit(self) -> int:
        """How many slots there are at the moment; at most the ceiling."""
        return self._adaptive.limit

    @property
    def in_flight(self) -> int:
        """How many slots are taken."""
        return self._in_flight

    @property
    def closed_for(self) -> float:
        """For how many more seconds the gate is closed; 0 when it is open."""
        opens_at = self._opens_at
        return 0.0 if opens_at == -math.inf else max(opens_at - self._clock(), 0.0)

    @property
    def _opens_at(self) -> float:
        return max(self._refused_until, self.pace.opens_at)

    @property
    def _surely_closed_until(self) -> float:
        # What is in flight may still show that more is left than the pace dares to say.
        return self._refused_until if self._in_flight else self._opens_at

    def on_pause(self, callback: OnPause) -> Callable[[], None]:
        """Have a callback told of every pause, when it begins and when it gets notably longer.

        Gives a function that ends this. What the callback raises is logged and changes nothing.
        """
        self._listeners.append(callback)

        def end() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return end

    def try_acquire(self) -> bool:
        """Take a slot if one is free, the gate is open and nobody waits; true if it was taken."""
        # fast path: most calls find a free slot, and need no coroutine for it.
        if self._waiting or self._in_flight >= self._adaptive.limit or self.closed_for:
            return False
        self._in_flight += 1
        return True

    async def acquire(self) -> None:
        """Take a slot, waiting for the gate and for a free one.

        Raises DeadlineError as soon as it is sure that the gate opens only after the caller's
        deadline.
        """
        if self.try_acquire():
            return
        turn = _Turn()
        if turn.deadline >= self._surely_closed_until:
            self._waiting.append(turn)
            self._admit()
            if await self._given(turn):
                return
        raise DeadlineError(
            f"The server's rate limit opens again in {self.closed_for:.0f} s, "
            "which is after the deadline: nothing was sent."
        )

    async def _given(self, turn: _Turn) -> bool:
        try:
            return await turn.given
        except asyncio.CancelledError:
            if turn.given.cancelled():
                if turn in self._waiting:  # else it was passed over already
                    self._waiting.remove(turn)
            elif turn.given.result():
                self.release()  # it was given in the very moment of the cancellation
            raise

    def release(self) -> None:
        """Give a slot back."""
        self._in_flight -= 1
        if self._waiting:
            self._admit()

    def learn(self, latency: float, *, failed: bool) -> None:
        """Note how long a request took, and whether it failed as overload makes requests fail."""
        self._adaptive.ended(self._clock(), latency, failed=failed)

    def close_gate(self, seconds: float) -> None:
        """Let nothing new through for so many seconds, then little, and more as it goes well.

        Never shortens what was said before. Of all that is in flight when it closes each will be
        refused, and only the first of these refusals lowers the limit.
        """
        if self._refused_until <= self._clock():
            self._adaptive.refused(self._clock())
        self._refused_until = max(self._refused_until, self._clock() + seconds)
        self._tell(self._refused_until, _REFUSED)
        self._admit()

    def tell_of_refusal(self, seconds: float) -> None:
        """Tell of a pause that is so long that nobody waits for it; the gate stays open."""
        self._tell(self._clock() + seconds, _TOO_LONG, "calls fail rather than wait")

    def _admit(self) -> None:
        """Give free slots to those who wait."""
        while self._waiting and self._in_flight < self._adaptive.limit:
            if self.closed_for:
                break
            turn = self._waiting.popleft()
            if not turn.given.done():
                self._in_flight += 1
                turn.given.set_result(True)
        if self._waiting and self.closed_for:
            self._hold()

    def _hold(self) -> None:
        """Keep those who wait until the gate opens, and send those away who cannot."""
        until = self._surely_closed_until
        if until > self._refused_until:
            self._tell(until, _SPENT)
        if until > self._dismissed_until:
            self._dismissed_until = until
            for turn in [turn for turn in self._waiting if turn.deadline < until]:
                self._waiting.remove(turn)
                if not turn.given.done():
                    turn.given.set_result(False)
        if self._opening is not None:
            self._opening.cancel()
        self._opening = asyncio.get_running_loop().call_later(self.closed_for, self._admit)

    def _tell(self, until: float, reason: str, effect: str = "nothing new is sent for") -> None:
        if until <= self._told_until + _NOTABLE:
            return
        self._told_until = until
        pause = Pause(until - self._clock(), reason)
        log.warning("%s: %s %.1f s", reason, effect, pause.seconds)
        for listener in list(self._listeners):
            try:
                listener(pause)
            except Exception:
                log.exception("a listener of pauses raised")
