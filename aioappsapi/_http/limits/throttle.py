"""How many requests may be in flight, and one gate for all of them.

Shared by everything that one Client sends. A 429 closes the gate; so does the rate window, when
the requests that it allows are spent. There is one gate for all calls because the server has one
limit for all: if each call obeyed only its own 429, the others would go on and be refused.
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
_UNAVAILABLE: Final = "the server is unavailable and says when to come back"
_SPENT: Final = "the window's requests are spent"
# A pause is announced again when it grows by more seconds than this.
_NOTABLE: Final = 1.0
# Nobody notices a shorter pause than this, so it is not announced.
_SHORTEST: Final = 0.05


class Pause(msgspec.Struct, frozen=True):
    """For how many seconds the server accepts nothing, and why.

    Calls wait for its end. Where it is longer than `RetryPolicy.max_retry_after`, they fail.
    """

    seconds: float
    reason: str


OnPause = Callable[[Pause], object]


class _Turn:
    """A call that waits, until its deadline. The future is true with a slot, false if too late."""

    __slots__ = ("deadline", "given")

    def __init__(self) -> None:
        self.deadline = anyio.current_effective_deadline()
        self.given: asyncio.Future[bool] = asyncio.get_running_loop().create_future()


class Throttle:
    """Slots for requests in flight, first come, first served, behind a gate.

    A slot is held for one attempt and freed before any back-off. Times are in seconds of the event
    loop's clock. `pace` knows the server's rate limit. It holds calls back for at most
    `longest_pause` seconds: beyond that they are sent, and the server refuses them.
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
        # Until when a pause was announced, by its effect.
        self._announced: dict[str, float] = {}
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
        """Call `callback` when a pause begins, and again when it grows by more than a second.

        Returns a function that ends this. Exceptions of the callback are logged and ignored.
        """
        self._listeners.append(callback)

        def end() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return end

    def try_acquire(self) -> bool:
        """Take a slot if one is free, the gate is open and nobody waits; true if it was taken."""
        # fast path: most calls find a free slot and a gate that was never closed.
        if self._waiting or self._in_flight >= self._adaptive.limit:
            return False
        if self._opens_at > -math.inf and self.closed_for:
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
            "which is after the deadline; nothing was sent."
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
        """Learn from a request: how long it took, and whether it failed as in an overload."""
        self._adaptive.ended(self._clock(), latency, failed=failed)

    def close_gate(self, seconds: float) -> None:
        """Hold all calls back for so many seconds; then admit a few, and more with each success.

        A gate that is closed for longer stays so. Requests that were in flight when the gate
        closed are refused too; only the first of these refusals lowers the limit.
        """
        if self._refused_until <= self._clock():
            self._adaptive.refused(self._clock())
        self._refused_until = max(self._refused_until, self._clock() + seconds)
        self._announce(self._refused_until, _REFUSED)
        self._admit()

    def announce_refusal(self, seconds: float) -> None:
        """Announce a pause that is so long that no call waits for it; the gate stays open."""
        self._announce(self._clock() + seconds, _TOO_LONG, "calls fail rather than wait")

    def announce_outage(self, seconds: float) -> None:
        """Announce for how long calls wait that found the server unavailable; the gate stays open.

        Others may reach a part of the server that works.
        """
        self._announce(self._clock() + seconds, _UNAVAILABLE, "failed calls wait")

    def _admit(self) -> None:
        """Give free slots to the calls that wait, in their order."""
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
        """Let calls wait until the gate opens; fail those whose deadline is earlier."""
        until = self._surely_closed_until
        if until > self._refused_until:
            self._announce(until, _SPENT)
        if until > self._dismissed_until:
            self._dismissed_until = until
            for turn in [turn for turn in self._waiting if turn.deadline < until]:
                self._waiting.remove(turn)
                if not turn.given.done():
                    turn.given.set_result(False)
        if self._opening is not None:
            self._opening.cancel()
        self._opening = asyncio.get_running_loop().call_later(self.closed_for, self._admit)

    def _announce(self, until: float, reason: str, effect: str = "nothing new is sent for") -> None:
        seconds = until - self._clock()
        if seconds < _SHORTEST or until <= self._announced.get(effect, -math.inf) + _NOTABLE:
            return
        self._announced[effect] = until
        pause = Pause(seconds, reason)
        log.warning("%s: %s %.1f s", reason, effect, pause.seconds)
        for listener in list(self._listeners):
            try:
                listener(pause)
            except Exception:
                log.exception("a listener of pauses raised")
