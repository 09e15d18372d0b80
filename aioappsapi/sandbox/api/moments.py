"""Moments in queries, and how rows are compared with them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

OPERATORS: Final = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def is_moment(text: str) -> bool:
    """Whether there is such a day and hour."""
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def comparing(comparison: str, moments: list[str]) -> Callable[[str], bool]:
    """Return whether a moment is one of these or, with an operator, before or after the first."""
    if not comparison:
        return moments.__contains__
    compare, bound = OPERATORS[comparison], moments[0]
    return lambda moment: bool(compare(moment, bound))
