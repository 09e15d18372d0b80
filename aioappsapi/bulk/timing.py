"""How long it took: percentiles of what the outcomes saw."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from aioappsapi.bulk.outcome import Outcome, Status


def timings(outcomes: Sequence[Outcome[object]]) -> dict[str, dict[str, float]]:
    """Give the percentiles of the time to acceptance, to a first instance and to running."""
    return {
        "accept_s": percentiles(_known(accepted_after(one) for one in outcomes)),
        "first_instance_s": percentiles(_known(one.time_to_first_instance for one in outcomes)),
        "running_s": percentiles(_known(one.time_to_running for one in outcomes)),
    }


def accepted_after(outcome: Outcome[object]) -> float | None:
    """Give the seconds until an app was accepted, None if it was not.

    Where nobody told acceptance from the end, the end was it.
    """
    if outcome.time_to_accept is not None:
        return outcome.time_to_accept
    return outcome.duration if outcome.status in {Status.OK, Status.UNVERIFIED} else None


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Give p50, p90, p99 (nearest rank) and max; nothing of nothing."""
    if not values:
        return {}
    ordered = sorted(values)
    ranks = {f"p{p}": ordered[math.ceil(p / 100 * len(ordered)) - 1] for p in (50, 90, 99)}
    return {name: round(value, 4) for name, value in (ranks | {"max": ordered[-1]}).items()}


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
