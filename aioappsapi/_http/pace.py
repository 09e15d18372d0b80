"""How many requests the server's rate limit still allows, learnt from what it tells.

The server counts requests in windows and tells with each answer the limit, what remains of it and
when the window ends. What remains is told in tenths, rounded down. With L the limit and C what
others used, L - C of our requests fit into a window. Each one that is answered with "e or more
remain" is one of the first L - e of all, so that

    what fits >= e + (how many of ours were answered with e or more), for every e that was told.

That holds in whatever order answers come, never promises too much, and is exact once all answers
of one tenth are there. Others who use the same login make themselves known by less remaining than
we can account for; then all is learnt anew. Where the server does not count, as for admins,
nothing here costs anything.

Several API machines may count each on its own: then this is about the one that is spent first, and
the 429s of the others are met at the gate.
"""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from aioappsapi._http.message import RateLimit, Response

Clock = Callable[[], float]

# The end of a window is told in whole seconds, perhaps rounded down: so long is waited beyond it,
# but for no more than a twentieth of a window, once it is known how long one takes.
_TOLERANCE: Final = 1.0
_SHARE: Final = 1 / 20
# By so much the end that is told may differ within one window.
_WOBBLE: Final = 1.0
# More than the tenths of a window; a server that tells the very number has an edge per answer.
_MOST_EDGES: Final = 12


class Pace:
    """The requests that fit into the present window of the rate limit.

    `in_flight` tells how many requests are under way: each of them may be counted yet. Times are
    those of `clock`; `wall` is the time of day, for servers that do not tell theirs. An end that
    is more than `longest` seconds away is not waited for.
    """

    def __init__(
        self,
        in_flight: Callable[[], int],
        *,
        clock: Clock,
        wall: Clock = time.time,
        longest: float = math.inf,
    ) -> None:
        self._in_flight = in_flight
        self._clock = clock
        self._server = _ServerClock(clock, wall)
        self._longest = longest
        self._limit: int | None = None  # None: not counted, as far as we know
        self._resets_at = 0.0
        self._window = math.inf  # how long one takes, once two were seen
        self._cap = sys.maxsize  # what was told to remain before all was forgotten
        self._rest = 0.0  # of a window, the longest that was seen
        self._begin(0)

    def _begin(self, fits: int) -> None:
        """Begin a window, into which so many of our requests fit at least."""
        self._fits = fits
        self._counted = 0
        self._lost = 0
        self._edges: dict[int, int] = {}  # what was told to remain, and how often that or more
        self._over_at = math.inf
        self._is_over = False  # by our clock, before an answer said so
        self._shared = False
        self._jitter = random.uniform(1.0, 1.25)  # noqa: S311 - not for secrets

    # -- what is known

    @property
    def limit(self) -> int | None:
        """How many requests the server allows in a window; None where it does not count."""
        self._roll()
        return self._limit

    @property
    def left(self) -> int | None:
        """How many more may be sent in this window, at least; None where nobody counts."""
        self._roll()
        if self._limit is None:
            return None
        in_flight = self._in_flight()
        left = self._fits - self._counted - self._lost - in_flight
        if left <= 0 and not in_flight and 10 * self._lost > self._limit:
            return 1  # so many were lost that one has to find out whether they were counted
        return max(left, 0)

    @property
    def resets_in(self) -> float | None:
        """In how many seconds the next window is sure to be there; None where nobody counts."""
        self._roll()
        return None if self._limit is None else self._over_at - self._clock()

    def scarce(self, needed: int) -> bool:
        """Tell whether fewer than so many requests are left in this window."""
        left = self.left
        return left is not None and left < needed

    @property
    def opens_at(self) -> float:
        """When the next request may go out; minus infinity while there is one left."""
        # fast path: for most logins nothing is counted.
        if self._limit is None or self.left != 0:
            return -math.inf
        return self._over_at if self._over_at - self._clock() <= self._longest else -math.inf

    def _roll(self) -> None:
        """Go on to the next window, if the time has come before an answer said so."""
        if self._limit is None or self._clock() < self._over_at:
            return
        if self._shared:
            self._forget()
            return
        over_at = self._clock() + min(self._window, self._rest)
        self._begin(self._limit)
        self._over_at, self._is_over = over_at, True

    # -- what teaches it

    def heed(self, response: Response | None) -> None:
        """Learn from an answer; None is one that was lost, whose request may have been counted.

        Called while the request still is in flight.
        """
        if response is None:
            self._lost += 1
        elif response.status == 429:
            # The gate will wait, and the next window is believed less.
            self._lost += 1
            self._shared = True
        elif (told := response.rate_limit) is None:
            self._lost += response.status >= 500  # from something in front, perhaps on the way back
        elif response.status != 401:  # which is counted for the address, not for the user
            self._server.heed(response.headers)
            self._learn(told)

    def _forget(self) -> None:
        """Know of no window any more, but for how little is left in this one."""
        self._limit = None
        self._cap = min([self._cap, *self._edges])

    def _learn(self, told: RateLimit) -> None:
        later = told.resets_at - self._resets_at
        if later < -_WOBBLE:
            return  # of a window that is over
        moved = later > _WOBBLE or (later > 0 and self._has_moved(told))
        if moved:
            self._cap = sys.maxsize
        if told.limit != self._limit:
            self._begin(0)
        elif moved:
            self._window = min(self._window, later)
            self._begin(told.limit if self._has_ended() and not self._shared else 0)
        elif self._is_over:
            return
        self._limit = told.limit
        self._resets_at = max(self._resets_at, told.resets_at)
        self._mind_end()
        self._count(told.remaining)
        self._check(told)

    def _check(self, told: RateLimit) -> None:
        """Compare what is told with what we think, which others and lost answers falsify."""
        under_way = self._in_flight() - 1  # but for this one
        most = told.remaining + math.ceil(told.limit / 10)
        if self._fits > self._counted + self._lost + under_way + most:
            self._learn_anew(told, shared=True)
        elif self._lost and min(self._edges) > self._fits - self._counted - self._lost:
            self._learn_anew(told, shared=self._shared)

    def _has_moved(self, told: RateLimit) -> bool:
        return self._is_over or told.remaining > min(self._edges)

    def _has_ended(self) -> bool:
        """Tell whether the window has had its time; else somebody counts apart from the others."""
        return self._is_over or self._server.now() >= self._resets_at - _WOBBLE

    def _learn_anew(self, told: RateLimit, *, shared: bool) -> None:
        """Take what is told for all that is left."""
        self._forget()
        self._begin(0)
        self._limit = told.limit
        self._shared = shared
        self._mind_end()
        self._count(told.remaining)

    def _mind_end(self) -> None:
        rest = self._resets_at - self._server.now()
        self._rest = max(self._rest, rest)
        extra = min(_TOLERANCE, self._window * _SHARE) * self._jitter
        self._over_at = self._clock() + rest + extra

    def _count(self, told: int) -> None:
        # What was forgotten may have been sent after this one, if more remained for it.
        remaining = min(told, self._cap)
        self._counted += 1
        edges = self._edges
        if remaining not in edges:
            above = [edge for edge in edges if edge > remaining]
            edges[remaining] = edges[min(above)] if above else 0
            if len(edges) > _MOST_EDGES:
                del edges[max(edges)]
        for edge in edges:
            if edge <= remaining:
                edges[edge] += 1
                self._fits = max(self._fits, edge + edges[edge])


class _ServerClock:
    """The server's time of day, from the dates of its answers; ours, as long as none came.

    A date is rounded down and some time on its way, so the latest that was seen is the closest.
    """

    def __init__(self, clock: Clock, wall: Clock) -> None:
        self._clock = clock
        self._wall = wall
        self._ahead: float | None = None
        self._seen = ""

    def heed(self, headers: Mapping[str, str]) -> None:
        date = headers.get("Date", "")
        if date == self._seen:
            return
        self._seen = date
        try:
            ahead = parsedate_to_datetime(date).timestamp() - self._clock()
        except (ValueError, TypeError, OverflowError):
            return
        self._ahead = ahead if self._ahead is None else max(self._ahead, ahead)

    def now(self) -> float:
        return self._wall() if self._ahead is None else self._clock() + self._ahead
