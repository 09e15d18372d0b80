"""Counts and shares of apps: how many a share is, and the limit of failures."""

from __future__ import annotations

from aioappsapi.errors import refuse_unless

FailureLimit = int | float | None


def share_of(share: float, apps: int) -> float:
    """Return a share of some apps, without the error of floats: 0.07 of 100 are 7, not more."""
    return round(share * apps, 6)


def check_limit(limit: FailureLimit) -> None:
    """Raise InvalidInputError for a limit that no run can have."""
    refuse_unless(
        limit is None or (limit > 0 and not (isinstance(limit, float) and limit >= 1)),
        f"max_failures={limit}: a count of 1 or more, or a share like 0.1.",
    )


def is_reached(limit: FailureLimit, failures: int, apps: int) -> bool:
    """Check whether this number of failures among these apps is too large."""
    if limit is None:
        return False
    return failures >= (limit if isinstance(limit, int) else max(1.0, share_of(limit, apps)))


def is_enough(done: int, apps: int, share: float) -> bool:
    """Check whether so many of some apps are at least a share of them."""
    return done >= share_of(share, apps)
