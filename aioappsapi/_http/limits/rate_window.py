"""The requests that the server's rate limit still allows, learned from its answers.

The server counts requests in windows. Each answer carries the limit, how many requests remain in
the window, and when the window ends. The remaining number is rounded down to a tenth of the limit.
These tenths are called buckets. If L is the limit and others have used C, then L - C of our
requests fit into the window. Each of our requests that is answered with "b or more remain" is one
of the first L - b of all requests. So for every bucket b that was seen

    fits >= b + (how many of ours were answered with b or more remaining).

This holds in any order of answers. The bound is never too high, and it is exact as soon as all
answers of one bucket are there. Other clients with the same login are detected: fewer requests
remain than our own requests explain. Then everything is learned again. Without a rate limit, as for
admins, nothing here costs anything.

Several API servers may count each on its own. Then this module follows the one that is used up
first. The 429s of the others close the gate of the throttle.
"""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable
from typing import Final

from aioappsapi._http.limits.server_clock import Clock, ServerClock
from aioappsapi._http.message import RateLimit, Response

# The server announces the end of a window in whole seconds, perhaps rounded down. We wait this much
# longer, but at most this share of a window once its length is known.
_EXTRA_WAIT: Final = 1.0
_EXTRA_SHARE: Final = 1 / 20
# The announced end may vary by this much within one window.
_CLOCK_SLACK: Final = 1.0
# More than the ten tenths of a window. A server that announces exact numbers has a bucket per
# answer, and only the lowest ones are needed.
_MOST_BUCKETS: Final = 12


class _Usage:
    """The least number of our requests that fit into one window, and those that are used."""

    __slots__ = ("_buckets", "answered", "fits", "lost")

    def __init__(self, fits: int) -> None:
        self.fits = fits
        self.answered = 0
        self.lost = 0  # without a count in the answer, or without an answer: perhaps counted
        self._buckets: dict[int, int] = {}  # answers with this many remaining, or more

    @property
    def unused(self) -> int:
        return self.fits - self.answered - self.lost

    @property
    def lowest(self) -> int | None:
        """The lowest bucket that was seen; None before the first answer."""
        return min(self._buckets, default=None)

    def count(self, remaining: int) -> None:
        """Count an answer, and raise `fits` if it proves more."""
        self.answered += 1
        buckets = self._buckets
        if remaining not in buckets:
            above = [bucket for bucket in buckets if bucket > remaining]
            buckets[remaining] = buckets[min(above)] if above else 0
            if len(buckets) > _MOST_BUCKETS:
                del buckets[max(buckets)]
        for bucket in buckets:
            if bucket <= remaining:
                buckets[bucket] += 1
                self.fits = max(self.fits, bucket + buckets[bucket])


class RateWindow:
    """The requests that fit into the present window of the server's rate limit.

    `in_flight` returns how many requests are under way: each of them may still be counted. Times
    are those of `clock`; `wall` is the time of day, for servers that send no date. An end that is
    more than `longest` seconds away is not waited for.
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
        self._server = ServerClock(clock, wall)
        self._longest = longest
        self._limit: int | None = None  # None: the server has no rate limit, as far as we know
        self._resets_at = 0.0  # on the server's clock
        self._length = math.inf  # of a window, once two of them were seen
        self._longest_rest = 0.0  # of a window, that was announced
        self._most_remaining = sys.maxsize  # what was announced before everything was forgotten
        self._begin(0)

    def _begin(self, fits: int) -> None:
        """Begin a window into which at least this many of our requests fit."""
        self._usage = _Usage(fits)
        self._ends_at = math.inf  # on our clock, with some extra time
        self._is_assumed = False  # it began by our clock, and no answer has confirmed it yet
        self._is_shared = False  # with other clients, or with an unknown number of lost requests
        self._jitter = random.uniform(1.0, 1.25)  # noqa: S311 - not for secrets

    # -- what is known

    @property
    def limit(self) -> int | None:
        """The requests that the server allows per window; None without a rate limit."""
        self._roll_over()
        return self._limit

    @property
    def left(self) -> int | None:
        """The requests that surely still fit into this window; None without a rate limit.

        Up to a tenth of the limit more may fit: the server announces rounded numbers.
        """
        self._roll_over()
        if self._limit is None:
            return None
        in_flight = self._in_flight()
        left = self._usage.unused - in_flight
        if left <= 0 and not in_flight and 10 * self._usage.lost > self._limit:
            return 1  # many were lost, so one request has to show whether they counted
        return max(left, 0)

    @property
    def resets_in(self) -> float | None:
        """The seconds until the next window has surely begun; None without a rate limit."""
        self._roll_over()
        return None if self._limit is None else self._ends_at - self._clock()

    def has_less_than(self, needed: int) -> bool:
        """Check whether fewer than `needed` requests surely fit into this window."""
        left = self.left
        return left is not None and left < needed

    @property
    def opens_at(self) -> float:
        """When the next request surely fits; minus infinity if one fits now."""
        # fast path: most logins have no rate limit.
        if self._limit is None or self.left != 0:
            return -math.inf
        return self._ends_at if self._ends_at - self._clock() <= self._longest else -math.inf

    def _roll_over(self) -> None:
        """Begin the next window by our own clock, if no answer has shown it yet."""
        if self._limit is None or self._clock() < self._ends_at:
            return
        if self._is_shared:
            self._forget()
            return
        ends_at = self._clock() + min(self._length, self._longest_rest)
        self._begin(self._limit)
        self._ends_at, self._is_assumed = ends_at, True

    # -- learning

    def observe(self, response: Response | None) -> None:
        """Learn from an answer; None means it was lost, and its request may have been counted.

        Call this while the request still counts as in flight.
        """
        if response is None:
            self._usage.lost += 1
        elif response.status == 429:
            # The throttle closes its gate. The next window is trusted less.
            self._usage.lost += 1
            self._is_shared = True
        elif (announced := response.rate_limit) is None:
            if response.status >= 500:  # a gateway answered, perhaps on the way back
                self._usage.lost += 1
        elif response.status != 401:  # which is counted for the address, not for the user
            self._server.observe(response.headers)
            self._learn(announced)

    def _forget(self) -> None:
        """Forget the window, except how few requests are left in it."""
        self._limit = None
        if (lowest := self._usage.lowest) is not None:
            self._most_remaining = min(self._most_remaining, lowest)

    def _learn(self, announced: RateLimit) -> None:
        later = announced.resets_at - self._resets_at
        if later < -_CLOCK_SLACK:
            return  # a late answer of an earlier window
        moved = later > _CLOCK_SLACK or (later > 0 and self._has_moved(announced))
        if moved:
            self._most_remaining = sys.maxsize
        if announced.limit != self._limit:
            self._begin(0)
        elif moved:
            self._length = min(self._length, later)
            self._begin(announced.limit if self._has_ended() and not self._is_shared else 0)
        elif self._is_assumed:
            return
        self._resets_at = max(self._resets_at, announced.resets_at)
        self._take(announced)
        self._check(announced)

    def _take(self, announced: RateLimit) -> None:
        """Count an answer of the present window."""
        self._limit = announced.limit
        rest = self._resets_at - self._server.now()
        self._longest_rest = max(self._longest_rest, rest)
        extra = min(_EXTRA_WAIT, self._length * _EXTRA_SHARE) * self._jitter
        self._ends_at = self._clock() + rest + extra
        # A request whose answer was forgotten may have been sent after this one.
        self._usage.count(min(announced.remaining, self._most_remaining))

    def _check(self, announced: RateLimit) -> None:
        """Compare the announced number with ours; other clients and lost answers falsify ours."""
        usage = self._usage
        in_flight = self._in_flight() - 1  # without this request
        most = announced.remaining - (-announced.limit // 10)  # a tenth more, rounded up
        lowest = usage.lowest
        # By our count more requests remain than the server announces, even if it has already
        # counted the requests in flight: another client uses the same limit.
        if usage.unused > in_flight + most:
            self._relearn(announced, shared=True)
        # Some answers were lost, and the server has more left than we thought: it did not count
        # all of the lost requests.
        elif usage.lost and lowest is not None and lowest > usage.unused:
            self._relearn(announced, shared=self._is_shared)

    def _has_moved(self, announced: RateLimit) -> bool:
        lowest = self._usage.lowest
        return self._is_assumed or (lowest is not None and announced.remaining > lowest)

    def _has_ended(self) -> bool:
        """Check whether the window has ended; if not, another server counts separately."""
        return self._is_assumed or self._server.now() >= self._resets_at - _CLOCK_SLACK

    def _relearn(self, announced: RateLimit, *, shared: bool) -> None:
        """Trust only the announced number."""
        self._forget()
        self._begin(0)
        self._is_shared = shared
        self._take(announced)
