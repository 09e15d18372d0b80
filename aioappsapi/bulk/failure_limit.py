"""The limit of failures of a run or a wave: a count, or a share of its apps."""

from __future__ import annotations

from aioappsapi.errors import refuse_unless

FailureLimit = int | float | None


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
    return failures >= (limit if isinstance(limit, int) else max(1.0, limit * apps))
