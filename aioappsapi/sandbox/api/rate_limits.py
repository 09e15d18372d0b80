"""Rate limits: the remaining requests of a user or an address, and the 429 after them."""

from __future__ import annotations

import math
from collections.abc import Callable

from aioappsapi.sandbox.api.answer import TEXT, Answer
from aioappsapi.sandbox.api.errors import ApiError


class RateLimiter:
    """Counts requests per user and window, refused requests too, as the API does."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[int, float]] = {}

    def count(self, key: str, limit: int, window: float) -> tuple[bool, dict[str, str]]:
        """Count a request. Return whether it may pass, and the rate limit headers."""
        now = self._clock()
        used, end = self._windows.get(key, (0, 0.0))
        if end <= now:
            used, end = 0, _end_of_window(now, window)
        used += 1
        self._windows[key] = (used, end)
        headers = {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-reset": str(math.ceil(end)),
            "x-ratelimit-remaining": str(_in_tenths(limit - used, limit)),
        }
        if used > limit:
            headers["retry-after"] = str(max(1, math.ceil(end - now)))
        return used <= limit, headers


def _end_of_window(now: float, window: float) -> float:
    # The API's windows end on whole seconds. Shorter windows than a second are the sandbox's own.
    return math.floor(now) + window if window >= 1 else now + window


def _in_tenths(left: int, limit: int) -> int:
    # The API rounds down to steps of 10 %, so the last requests pass with 0 remaining.
    return max(0, left) * 10 // limit * limit // 10 if limit else 0


def refused(error: ApiError, headers: dict[str, str], path: str) -> Answer:
    """Return a 429 as the API sends it: JSON with the content type of plain text.

    The version in the path decides the shape of the error. The body of other paths is `null`.
    """
    bodies = {"/v2": error.old_body, "/v3": error.body}
    make = bodies.get(path[:3])
    body = "null" if make is None else make()
    return Answer(429, body, TEXT, framed=False, headers=headers)
