"""The answers at one level of concurrency, counted as the basis of a decision."""

from __future__ import annotations

from typing import Final

# Below this share of requests at a full limit the demand is low, so no decision is made.
_FULL_ENOUGH: Final = 0.4


class Window:
    """Counts of the requests that ended since the window began.

    The depth of a request is how many were in flight when it was sent. Depths are kept instead of
    the limit, because a limit that grows within the window is not the level that was tried.
    """

    __slots__ = ("_depths_failed", "_depths_ok", "_full", "_latencies", "failures", "successes")

    def __init__(self) -> None:
        self.successes = 0
        self.failures = 0
        self._latencies = 0.0
        self._depths_ok = 0
        self._depths_failed = 0
        self._full = 0

    def add_success(self, latency: float, depth: int, full: bool) -> None:
        """Count a success. `full` says whether the limit was about used up when it was sent."""
        self.successes += 1
        self._latencies += latency
        self._depths_ok += depth
        self._full += full

    def add_failure(self, depth: int) -> None:
        """Count a failure."""
        self.failures += 1
        self._depths_failed += depth

    @property
    def count(self) -> int:
        """Successes and failures together."""
        return self.successes + self.failures

    @property
    def failed_share(self) -> float:
        """The share of requests that failed."""
        return self.failures / self.count

    @property
    def latency(self) -> float:
        """The mean latency of the successes. There must be one."""
        return self._latencies / self.successes

    @property
    def depth(self) -> float:
        """The mean depth of the successes. There must be one."""
        return self._depths_ok / self.successes

    @property
    def failed_depth(self) -> float:
        """The mean depth of the failures. There must be one."""
        return self._depths_failed / self.failures

    @property
    def was_full(self) -> bool:
        """Whether the demand was high enough for a decision about the level."""
        return self._full > _FULL_ENOUGH * self.successes
