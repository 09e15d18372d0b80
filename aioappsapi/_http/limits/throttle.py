"""Admission: which request may go out now, and which one waits.

Everything that one client sends passes here. A request needs a ticket of the concurrency limiter,
and an open gate. A 429 closes the gate for all, because they share the server's limit: if each
call obeyed only its own 429, the other calls would go on and be refused. The gate also closes
before a 429, when the rate window has no request left.

While the server is away, one request at a time goes out as a probe. Single calls come first then,
and wait only for a moment; calls of bulk runs wait until the server is back or their run gives up.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterator
from typing import Final

import anyio
import msgspec

from aioappsapi._http.clock import loop_time
from aioappsapi._http.limits.concurrency import ConcurrencyLimiter, Ticket
from aioappsapi._http.limits.patience import Patience
from aioappsapi._http.limits.rate_window import RateWindow
from aioappsapi._http.limits.server_clock import Clock
from aioappsapi._http.limits.waiting import SAFE, Turn, Waiting
from aioappsapi._http.message import Request
from aioappsapi.errors import DeadlineError, NotAttemptedError

log = logging.getLogger("aioappsapi")

_REFUSED: Final = "rate limit reached"
_TOO_LONG: Final = "rate limit reached, for longer than max_retry_after"
_UNAVAILABLE: Final = "the server is unavailable and asks for a pause"
_USED_UP: Final = "the rate window has no requests left"
# A pause is announced again when it grows by more seconds than this.
_NOTABLE: Final = 1.0
# A shorter pause than this is not worth announcing.
_SHORTEST: Final = 0.05
# During an outage a single call waits at most this many seconds for its turn. Then it is sent.
_SINGLE_CALL_WAITS: Final = 2.0
_LOOK_AGAIN: Final = 1.0
# After a 429 requests go out evenly over this many seconds, or this share of the closed time, since
# other clients wait for the same moment.
_SPREAD: Final = 1.0
_SPREAD_SHARE: Final = 1 / 20


class Pause(msgspec.Struct, frozen=True):
    """A pause of all new requests because of the rate limit: its seconds and its reason.

    Calls wait that long. A pause longer than `RetryPolicy.max_retry_after` makes them fail instead.
    """

    seconds: float
    reason: str


OnPause = Callable[[Pause], object]


class Throttle:
    """Gives tickets for requests in flight, in order of arrival, behind a gate.

    A ticket is held for one attempt, and ended before any pause. Times are in seconds of the event
    loop's clock. `longest_pause` is the maximum time that an empty rate window may hold calls
    back; after it they are sent, and the server decides.
    """

    def __init__(
        self,
        ceiling: int,
        *,
        clock: Clock = loop_time,
        wall: Clock = time.time,
        longest_pause: float = math.inf,
    ) -> None:
        self.limiter = ConcurrencyLimiter(ceiling)
        self.rate_window = RateWindow(
            lambda: self.limiter.in_flight, clock=clock, wall=wall, longest=longest_pause
        )
        self._clock = clock
        self._waiting = Waiting()
        self._closed_until = -math.inf  # by a 429
        self._spread_until = -math.inf
        self._next_start_at = -math.inf  # while requests are spread
        self._announced: dict[str, float] = {}  # until when, by its effect
        self._timer: asyncio.TimerHandle | None = None
        self._listeners: list[OnPause] = []

    # -- the state

    @property
    def limit(self) -> int:
        """The present maximum of requests in flight; at most the ceiling."""
        return self.limiter.limit

    @property
    def in_flight(self) -> int:
        """The number of requests in flight."""
        return self.limiter.in_flight

    @property
    def closed_for(self) -> float:
        """The seconds until the gate opens; 0 when it is open."""
        opens_at = max(self._closed_until, self.rate_window.opens_at)
        return 0.0 if opens_at == -math.inf else max(opens_at - self._clock(), 0.0)

    def in_outage(self, request: Request) -> bool:
        """Check whether requests of this kind, reads or writes, get nothing but failures."""
        return self.limiter.in_outage(write=request.replay is not SAFE)

    def outage_shows_at(self, request: Request) -> float:
        """When the failures of such requests will be an outage if they go on."""
        return self.limiter.outage_shows_at(write=request.replay is not SAFE)

    def on_pause(self, callback: OnPause) -> Callable[[], None]:
        """Call `callback` when a pause begins, and again when it grows by more than a second.

        Returns a function that ends this. Errors of the callback are logged and change nothing.
        """
        self._listeners.append(callback)

        def end() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return end

    # -- admission

    def try_admit(self, request: Request) -> Ticket | None:
        """Return a ticket if the gate is open, a slot is free, and no request waits."""
        # fast path: most requests need not wait, and need no coroutine for it.
        now = self._clock()
        if self._waiting.count or now < self._spread_until or now < self.rate_window.opens_at:
            return None
        return self.limiter.try_start(now, request.operation, request.replay is not SAFE)

    async def admit(
        self, request: Request, *, patience: Patience | None = None, retried: bool = False
    ) -> Ticket:
        """Wait for a ticket. `patience` is that of the bulk run that the request belongs to.

        `retried`: the request has failed before. Raises DeadlineError as soon as it is
        certain that the gate opens only after the caller's deadline, and NotAttemptedError when
        the run gives up.
        """
        self._check_patience(request, patience)
        turn = Turn(request, patience, self._clock(), retried=retried)
        if turn.deadline >= self._closed_until:
            self._waiting.add(turn)
            self._admit_all()
            if (ticket := await self._given(turn)) is not None:
                return ticket
        self._check_patience(request, patience)
        raise self._too_late()

    def _check_patience(self, request: Request, patience: Patience | None) -> None:
        if patience is not None and patience.gives_up(self._clock()):
            raise NotAttemptedError(f"{request}: {patience.reason}")

    async def _given(self, turn: Turn) -> Ticket | None:
        try:
            return await turn.given
        except asyncio.CancelledError:
            if turn.given.cancelled():
                self._waiting.remove(turn)
            elif (ticket := turn.given.result()) is not None:
                self.discarded(ticket)  # it was given in the very moment of the cancellation
            raise

    async def wait_until_open(self) -> None:
        """Wait for the gate, but take no ticket. Raises DeadlineError like `admit`.

        Call this before a journal line is written: an app must not wait here after it.
        """
        deadline = anyio.current_effective_deadline()
        while self.closed_for:
            if deadline < self._closed_until:
                raise self._too_late()
            if deadline < self.rate_window.opens_at:
                return  # only the server can tell
            # An answer may show that more requests fit into the window.
            await anyio.sleep(min(self.closed_for, _LOOK_AGAIN))

    def _too_late(self) -> DeadlineError:
        return DeadlineError(
            f"The server's rate limit opens again in {self.closed_for:.0f} s, "
            "which is after the deadline; nothing was sent."
        )

    def only_retries_wait(self) -> bool:
        """Check whether every request that waits has failed before."""
        return self._waiting.only_retries

    def dismiss(self, patience: Patience) -> None:
        """Dismiss all waiting requests of a run that gives up."""
        self._dismiss(self._waiting.of_run(patience))

    # -- the end of a request

    def succeeded(self, ticket: Ticket) -> None:
        """End a request that the server answered, if only with a refusal of the app."""
        if self.limiter.succeeded(self._clock(), ticket):
            log.warning("The server answers again.")
        if self._waiting.count:
            self._admit_all()

    def failed(self, ticket: Ticket) -> None:
        """End a request that failed as an overloaded server makes requests fail."""
        was_away = self.limiter.in_outage(write=ticket.write)
        if self.limiter.failed(self._clock(), ticket) and not was_away:
            kind = "writes" if ticket.write else "reads"
            log.warning("All %s fail: one at a time is sent until the server recovers.", kind)
        if self._waiting.count:
            self._admit_all()

    def discarded(self, ticket: Ticket) -> None:
        """End a request that says nothing about the load: cancelled, not sent, or a 429."""
        self.limiter.discarded(self._clock(), ticket)
        if self._waiting.count:
            self._admit_all()

    # -- the gate

    def close_gate(self, seconds: float) -> None:
        """Close the gate for some seconds. This never shortens an earlier closing."""
        until = self._clock() + seconds
        if until > self._closed_until:
            self._closed_until = until
            self._spread_until = until + min(_SPREAD, seconds * _SPREAD_SHARE)
        self._announce(until, _REFUSED)
        self._dismiss(self._waiting.late(self._closed_until))
        if self._waiting.count:
            self._admit_all()

    def announce_refusal(self, seconds: float) -> None:
        """Announce a pause that is too long for any call to wait; the gate stays open."""
        self._announce(self._clock() + seconds, _TOO_LONG, "calls fail rather than wait")

    def announce_outage(self, seconds: float) -> None:
        """Announce the pause of calls that found the server unavailable; the gate stays open.

        Other calls may reach a part of the server that works.
        """
        self._announce(self._clock() + seconds, _UNAVAILABLE, "failed calls wait")

    # -- internals

    def _admit_all(self) -> None:
        """Give all free tickets to waiting requests, and schedule the next check."""
        now = self._clock()
        while self._waiting.count and (turn := self._next_turn(now)) is not None:
            self._waiting.remove(turn)
            turn.given.set_result(self.limiter.start(now, turn.operation, write=turn.write))
            if now < self._spread_until:
                gap = (self._spread_until - self._closed_until) / self.limit
                self._next_start_at = now + gap
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting.count:
            self._look_again(now)

    def _look_again(self, now: float) -> None:
        opens_at = self.rate_window.opens_at
        if opens_at > max(now, self._closed_until):
            self._announce(opens_at, _USED_UP)
        wake_at = min((at for at in self._wake_times(opens_at) if at > now), default=math.inf)
        if wake_at < math.inf:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wake_at - now, self._admit_all)

    def _wake_times(self, opens_at: float) -> list[float]:
        """Return the moments at which a request may go out although no other one ended."""
        moments = [self._closed_until, self._next_start_at, opens_at]
        for write in (False, True) if self.limiter.is_away else ():
            if self.limiter.in_outage(write=write):
                moments.append(self.limiter.wake_at(write=write))
                for before in (opens_at, math.inf):
                    turn = self._waiting.next(write=write, single=True, before=before)
                    if turn is not None:
                        moments.append(turn.since + _SINGLE_CALL_WAITS)
        return moments

    def _next_turn(self, now: float) -> Turn | None:
        """Return the first request that may go out now. In an outage, single calls come first."""
        if now < self._closed_until or now < self._next_start_at:
            return None
        limiter = self.limiter
        if limiter.in_flight >= limiter.limit and not limiter.is_away:
            return None  # fast path: it would be found out for each kind below
        found = [
            first
            for write in (False, True)
            if self._waiting.counts[write] and (first := self._first_of(now, write=write))
        ]
        return min(found)[2] if found else None

    def _first_of(self, now: float, *, write: bool) -> tuple[bool, int, Turn] | None:
        """Return the first request that may go out; before it, whether it is a probe of a run.

        The announced number of requests is rounded down, so the window may not be used up yet. A
        request waits for the next window if that begins before its deadline. Otherwise it is sent,
        and the server decides.
        """
        away = self.limiter.in_outage(write=write)
        allowed = self.limiter.allows(now, write=write)
        if not (allowed or away):
            return None
        opens_at = self.rate_window.opens_at
        before = opens_at if now < opens_at else math.inf
        found = []
        single = self._waiting.next(write=write, single=True, before=before)
        if single and (allowed or now >= single.since + _SINGLE_CALL_WAITS):
            found.append((False, single.number, single))
        if allowed and (of_run := self._waiting.next(write=write, single=False, before=before)):
            found.append((away, of_run.number, of_run))
        return min(found, default=None)

    def _dismiss(self, turns: Iterator[Turn]) -> None:
        for turn in turns:
            if not turn.given.done():
                turn.given.set_result(None)

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
