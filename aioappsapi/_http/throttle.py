"""How much may be under way: a limit of requests in flight, and one gate that a 429 closes.

Shared by everything that one Client sends. The gate is one for all callers because the server's
limit is: if each call obeyed its own 429 only, the others would go on to be refused.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable

import anyio

from aioappsapi._http.adaptive import AdaptiveLimit
from aioappsapi.errors import DeadlineError

Clock = Callable[[], float]


class Throttle:
    """Slots for requests in flight, first come, first served, behind a gate.

    A slot is held for one attempt and freed before any pause. Times are in seconds of the event
    loop's clock.
    """

    def __init__(self, ceiling: int, *, clock: Clock = anyio.current_time) -> None:
        self._adaptive = AdaptiveLimit(ceiling)
        self._clock = clock
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._opens_at = -math.inf
        self._opening: asyncio.TimerHandle | None = None

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
        return max(self._opens_at - self._clock(), 0.0)

    async def acquire(self) -> None:
        """Take a slot, waiting for the gate and for a free one.

        Raises DeadlineError at once if the gate opens only after the caller's deadline.
        """
        # fast path: most calls find a free slot, and then nothing is awaited.
        if self._in_flight < self._adaptive.limit and not self._waiting and not self.closed_for:
            self._in_flight += 1
            return
        if self._opens_at > anyio.current_effective_deadline():
            raise DeadlineError(
                f"The server's rate limit opens again in {self.closed_for:.0f} s, "
                "which is after the deadline: nothing was sent."
            )
        await self._wait()

    async def _wait(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.release()  # it was given in the very moment of the cancellation
            elif turn in self._waiting:  # else it was passed over already
                self._waiting.remove(turn)
            raise

    def release(self) -> None:
        """Give a slot back."""
        self._in_flight -= 1
        self._admit()

    def learn(self, latency: float, *, failed: bool) -> None:
        """Note how long a request took, and whether it failed as overload makes requests fail."""
        self._adaptive.ended(self._clock(), latency, failed=failed)

    def close_gate(self, seconds: float) -> bool:
        """Let nothing new through for so many seconds, and less at a time from then on.

        Never shortens what was said before. Tells whether it was open until now: of all that is in
        flight then, each will be refused, and it is one refusal that counts.
        """
        was_open = not self.closed_for
        self._opens_at = max(self._opens_at, self._clock() + seconds)
        if was_open:
            self._adaptive.refused()
        self._admit()
        return was_open

    def _admit(self) -> None:
        if self._waiting and self.closed_for:
            self._admit_later()
            return
        while self._waiting and self._in_flight < self._adaptive.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._in_flight += 1
                turn.set_result(None)

    def _admit_later(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        self._opening = asyncio.get_running_loop().call_later(self.closed_for, self._admit)
