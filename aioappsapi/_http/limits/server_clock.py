"""The server's time of day, learned from its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aioappsapi._headers import date_of

Clock = Callable[[], float]


class ServerClock:
    """The server's time of day, from the `Date` of its answers; our own time until one came.

    A date is rounded down, and its answer took some time to arrive. So the largest difference that
    was seen is the closest to the truth.
    """

    def __init__(self, clock: Clock, wall: Clock) -> None:
        self._clock = clock
        self._wall = wall
        self._ahead: float | None = None
        self._last_date = ""

    def observe(self, headers: Mapping[str, str]) -> None:
        """Learn from the headers of an answer."""
        date = headers.get("Date", "")
        if date == self._last_date:  # fast path: many answers come within one second
            return
        self._last_date = date
        if (seconds := date_of(headers)) is None:
            return
        ahead = seconds - self._clock()
        self._ahead = ahead if self._ahead is None else max(self._ahead, ahead)

    def now(self) -> float:
        """Return the server's time, in seconds of the epoch."""
        return self._wall() if self._ahead is None else self._clock() + self._ahead
