"""How many requests in flight do a server good, found out as it goes.

Judged window by window, so that a single failure, or one slow app, changes nothing. A window in
which more than a tenth failed, or in which answers took more than twice their best while no more
of them came, shrinks the limit; a good one lets it grow again. A 429 halves it at once.
"""

from __future__ import annotations

from statistics import median
from typing import Final

_SHORTEST: Final = 20
_BAD_SHARE: Final = 0.1
_SLOW: Final = 2.0
_MORE: Final = 1.05


class AdaptiveLimit:
    """A limit between 1 and a ceiling, where it begins."""

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._limit = float(ceiling)
        self._latencies: list[float] = []
        self._failures = 0
        self._begun = 0.0
        self._best = float("inf")
        self._pace = 0.0

    @property
    def limit(self) -> int:
        """How many requests may be in flight."""
        return int(self._limit)

    def refused(self) -> None:
        """Note that the rate limit was met."""
        self._limit = max(self._limit / 2, 1.0)
        self._forget()

    def ended(self, now: float, latency: float, *, failed: bool) -> None:
        """Note the end of a request that took so many seconds; `failed` is for overload only."""
        if not self._latencies:
            self._begun = now - latency
        self._latencies.append(latency)
        self._failures += failed
        if len(self._latencies) >= max(self._limit, _SHORTEST):
            self._judge(now)

    def _judge(self, now: float) -> None:
        count = len(self._latencies)
        typical = median(self._latencies)
        pace = count / max(now - self._begun, 1e-9)
        self._best = min(self._best, typical)
        if self._failures > _BAD_SHARE * count:
            self._limit = max(self._limit * 0.7, 1.0)
        elif typical > _SLOW * self._best and pace < _MORE * self._pace:
            self._limit = max(self._limit * 0.9, 1.0)
        else:
            self._limit = min(self._limit + max(1.0, self._limit * 0.1), float(self._ceiling))
        self._pace = pace
        self._forget()

    def _forget(self) -> None:
        self._latencies = []
        self._failures = 0
