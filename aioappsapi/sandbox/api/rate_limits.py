"""Rate limits: how many requests a user or an address has left, and the refusal after that."""

from __future__ import annotations

import math
from collections.abc import Callable

from aioappsapi.sandbox.api.answer import TEXT, Answer
from aioappsapi.sandbox.api.errors import ApiError


class RateLimiter:
    """Counts requests by user and window as the API does; refused ones count too."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[int, float]] = {}

    def count(self, key: str, limit: int, window: float) -> tuple[bool, dict[str, str]]:
        """Count a request: whether it may pass, and the headers that tell the user."""
        now = self._clock()
        used, end = self._windows.get(key, (0, 0.0))
        if end <= now:
            used, end = 0, now + window
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


def _in_tenths(left: int, limit: int) -> int:
    # The API shows steps of 10 %, so the last requests are allowed at a remaining 0.
    return max(0, left) * 10 // limit * limit // 10 if limit else 0


def refused(error: ApiError, headers: dict[str, str], path: str) -> Answer:
    """Return a 429 as the API sends it: JSON, but typed as plain text.

    The path decides on the shape of the error; outside of the versions there is none.
    """
    bodies = {"/v2": error.old_body, "/v3": error.body}
    make = bodies.get(path[:3])
    body = "null" if make is None else make()
    return Answer(429, body, TEXT, framed=False, headers=headers)
