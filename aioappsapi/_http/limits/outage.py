"""Detect that the server is away, and probe it until it answers again. No I/O, no clock."""

from __future__ import annotations

from math import inf
from typing import Final

# This many failures in a row are an outage, whatever the time between them.
_STREAK: Final = 20
# A few are enough if they are spread over some time. A run of one app never has twenty in flight,
# and would spend all its attempts during a short outage.
OUTAGE_FEW: Final = 4
_SPREAD: Final = 1.0
# Seconds between two probes: the first pause, its growth per failed probe, and the longest pause.
# The longest pause is also how late the end of an outage may be noticed.
_FIRST_PAUSE: Final = 0.25
_PAUSE_GROWTH: Final = 1.5
_LONGEST_PAUSE: Final = 2.0
# A probe without an answer blocks the next probe only for this time. Its request may hang.
_PROBE_PATIENCE: Final = 10.0


class Outage:
    """Decides from failures and successes in a row whether the server answers at all.

    During an outage one request at a time may go out, as a probe. Every time is in seconds of the
    caller's clock.
    """

    __slots__ = (
        "_began_at",
        "_failures",
        "_first_failure_at",
        "_pause",
        "_probe_at",
        "in_a_row",
        "is_on",
    )

    def __init__(self) -> None:
        self.is_on = False
        self.in_a_row = 0  # failures since the last success
        self._failures = 0  # those of them that were sent at the present level
        self._first_failure_at = -inf
        self._began_at = -inf
        self._pause = _FIRST_PAUSE
        self._probe_at = -inf

    @property
    def probe_at(self) -> float:
        """When the next probe may go out, if no probe ends before."""
        return self._probe_at

    def probe_started(self, now: float) -> None:
        """Hold the next probe back until this one ends, or takes too long."""
        self._probe_at = now + _PROBE_PATIENCE

    def probe_discarded(self, now: float) -> None:
        """Allow another probe at once: this one was cancelled, or got a 429."""
        self._probe_at = now

    def probe_failed(self, now: float) -> None:
        """Pause before the next probe, a little longer each time."""
        self._probe_at = now + self._pause
        self._pause = min(self._pause * _PAUSE_GROWTH, _LONGEST_PAUSE)

    def failed(self, now: float, *, at_present_level: bool) -> bool:
        """Count a failure outside an outage. Returns whether an outage begins with it.

        Above the server's capacity everything may fail for a moment. So only requests that were
        sent since the limit was lowered count for an outage.
        """
        self.in_a_row += 1
        if not at_present_level:
            return False
        if self._failures == 0:
            self._first_failure_at = now
        self._failures += 1
        enough = OUTAGE_FEW if now - self._first_failure_at >= _SPREAD else _STREAK
        if self._failures < enough:
            return False
        self.is_on = True
        self._began_at = now
        self._pause = _FIRST_PAUSE
        self.probe_failed(now)
        return True

    @property
    def shows_at(self) -> float:
        """When the failures in a row will be an outage if they go on; minus infinity without any.

        A single failure is not an outage.
        """
        return self._first_failure_at + _SPREAD if self._failures > 1 else -inf

    def succeeded(self) -> None:
        """End a series of failures outside an outage."""
        self.in_a_row = self._failures = 0

    def is_ended_by(self, sent_at: float) -> bool:
        """Check whether a success ends the outage; earlier requests prove nothing."""
        return sent_at > self._began_at

    def end(self) -> None:
        """Go back to normal."""
        self.is_on = False
        self.in_a_row = self._failures = 0
