"""The pauses and limits by which the server held a run back."""

from __future__ import annotations

import math
from typing import Final

from aioappsapi._http.clock import loop_time
from aioappsapi._http.limits.throttle import OnPause, Pause, Throttle
from aioappsapi.bulk.reports.timing import LimitLevel, PauseSpan

# A report shows one level per second at most: the limit may change with every answer.
_RESOLUTION: Final = 1.0


class Pressure:
    """Records the pauses and the levels of the limit during a run."""

    def __init__(self, throttle: Throttle | None) -> None:
        self.pauses: list[PauseSpan] = []
        self.levels: list[LimitLevel] = []
        self._throttle = throttle
        self._zero = 0.0
        self.next_level_at = -math.inf

    def begin(self) -> None:
        """Start the clock of the run."""
        self._zero = loop_time()
        self.note_limit(self._zero)

    def note_limit(self, now: float) -> None:
        """Record the present limit, if it has changed."""
        if self._throttle is None or now < self.next_level_at:
            return
        self.next_level_at = now + _RESOLUTION
        limit = self._throttle.limit
        if not self.levels or self.levels[-1].limit != limit:
            self.levels.append(LimitLevel(second=round(now - self._zero, 3), limit=limit))

    def listener(self, on_pause: OnPause | None) -> OnPause:
        """Return a listener that records each pause and calls `on_pause`."""

        def listen(pause: Pause) -> None:
            second = round(loop_time() - self._zero, 3)
            span = PauseSpan(second=second, seconds=pause.seconds, reason=pause.reason)
            # A pause is announced again when it grows: then it replaces the one that it extends.
            if self.pauses and second < self.pauses[-1].second + self.pauses[-1].seconds:
                first = self.pauses.pop().second
                span = PauseSpan(
                    second=first, seconds=second + pause.seconds - first, reason=pause.reason
                )
            self.pauses.append(span)
            if on_pause is not None:
                on_pause(pause)

        return listen
