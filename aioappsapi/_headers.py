"""Times in the headers of an answer: its date, and the requested wait.

Used for the API and for the UAA.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def date_of(headers: Mapping[str, str]) -> float | None:
    """Return the `Date` of an answer in epoch seconds; None if it is missing or invalid."""
    try:
        return _epoch_seconds(headers["Date"])
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return the seconds to wait by `Retry-After` or by the rate limit's window, or None.

    `Retry-After` is a number of seconds or a date. `now` is in epoch seconds, by default the
    server's own clock (`Date`), so that a wrong clock here does no harm.
    Source: RFC 9110, section 10.2.3; the API's rate limit headers.
    """
    if now is None:
        now = date_of(headers)
    if now is None:
        now = time.time()
    for name, parse in (
        ("Retry-After", float),
        ("Retry-After", lambda text: _epoch_seconds(text) - now),
        ("X-RateLimit-Reset", lambda text: float(text) - now),
    ):
        try:
            seconds = parse(headers[name])
        except (KeyError, ValueError, TypeError, OverflowError):
            continue
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    return None


def _epoch_seconds(date: str) -> float:
    return parsedate_to_datetime(date).timestamp()
