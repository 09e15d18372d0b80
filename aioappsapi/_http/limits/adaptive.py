"""How many requests in flight do a server good, found out as it goes.

Judged window by window, so that a single failure, or one slow app, changes nothing. A window in
which more than a tenth failed, or in which answers took more than twice their best while no more
of them came, shrinks the limit by a share; a good one lets it grow by a fixed step. A 429 halves
it, and what is sent after it begins with a few and becomes one more with each success.
"""

from __future__ import annotations

from math import inf
from statistics import median
from typing import Final

_SHORTEST: Final = 20
_BAD_SHARE: Final = 0.1
_SLOW: Final = 2.0
_MORE: Final = 1.05
# So many are let through at first after a 429.
_RAMP: Final = 4
# So often in a row the limit shrinks for slowness; if answers are then as slow as before, they are
# so by nature: other requests, or another time of the day.
_PATIENCE: Final = 5
_NO_FASTER: Final = 0.8


class AdaptiveLimit:
    """A limit between 1 and a ceiling, where it begins."""

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._limit = float(ceiling)
        self._ramp = float(ceiling)
        self._refused_at = -inf
        self._step = max(1.0, ceiling / 20)
        self._latencies: list[float] = []
        self._failures = 0
        self._begun = 0.0
        self._best = inf
        self._pace = 0.0
        self._slow: list[float] = []

    @property
    def limit(self) -> int:
        """How many requests may be in flight."""
        return int(min(self._limit, self._ramp))

    def refused(self, now: float) -> None:
        """Note that the rate limit was met."""
        self._refused_at = now
        self._limit = max(self._limit / 2, 1.0)
        self._ramp = float(_RAMP)
        self._forget()

    def ended(self, now: float, latency: float, *, failed: bool) -> None:
        """Note the end of a request that took so many seconds; `failed` is for overload only."""
        if self._ramp < self._limit and not failed and now - latency >= self._refused_at:
            self._ramp += 1  # it was sent since, not left from before
        if not self._latencies:
            self._begun = now - latency
        self._latencies.append(latency)
        self._failures += failed
        if len(self._latencies) >= max(int(self._limit), _SHORTEST):
            self._judge(now)

    def _judge(self, now: float) -> None:
        count = len(self._latencies)
        typical = median(self._latencies)
        pace = count / max(now - self._begun, 1e-9)
        self._best = min(self._best, typical)
        slow = typical > _SLOW * self._best and pace < _MORE * self._pace
        if self._failures > _BAD_SHARE * count:
            self._limit = max(self._limit * 0.7, 1.0)
        elif slow and not self._is_so_by_nature(typical):
            self._limit = max(self._limit * 0.9, 1.0)
        else:
            self._slow = []
            self._limit = min(self._limit + self._step, float(self._ceiling))
        self._pace = pace
        self._forget()

    def _is_so_by_nature(self, typical: float) -> bool:
        """Tell whether fewer requests have made answers no faster; then this is the new best."""
        self._slow.append(typical)
        if len(self._slow) <= _PATIENCE or typical < _NO_FASTER * self._slow[0]:
            return False
        self._best = typical
        return True

    def _forget(self) -> None:
        self._latencies = []
        self._failures = 0
