"""Latencies of different operations on one scale."""

from __future__ import annotations

from typing import Final

# The unit of an operation is the mean of this many of its first answers.
_SAMPLES: Final = 20
# One answer counts at most this many times the recent mean. A single start whose runner cannot
# be reached takes two minutes, and must not make a whole window look slow.
_OUTLIER: Final = 8.0
_SMOOTHING: Final = 16
_LEAST: Final = 1e-6  # seconds; a clock may stand still


class RelativeLatency:
    """Divides each latency by the first latencies of its operation.

    A page of 5,000 apps takes a hundred times longer than a start. With one unit for both, a
    change in their mixture would look like a queue. The unit of an operation need not be its
    unqueued latency; it must only stay the same.
    """

    __slots__ = ("_counts", "_settled", "_units", "recent")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._units: dict[str, float] = {}
        self._settled: dict[str, float] = {}  # the units that do not change any more
        self.recent = 0.0  # a moving average; 0 before the first answer

    def measure(self, operation: str, seconds: float) -> float:
        """Return a latency in units of its operation, and add it to the recent ones."""
        unit = self._settled.get(operation) or self._unit(operation, max(seconds, _LEAST))
        latency = max(seconds, _LEAST) / unit
        recent = self.recent
        if not recent:
            self.recent = latency
            return latency
        if latency > _OUTLIER * recent:
            latency = _OUTLIER * recent
        self.recent = recent + (latency - recent) / _SMOOTHING
        return latency

    def _unit(self, operation: str, seconds: float) -> float:
        """Return the unit of an operation that has not had its samples, with one more of them."""
        count = self._counts.get(operation, 0) + 1
        unit = self._units.get(operation, 0.0)
        unit += (seconds - unit) / count
        self._counts[operation], self._units[operation] = count, unit
        if count >= _SAMPLES:
            self._settled[operation] = unit
        return unit
