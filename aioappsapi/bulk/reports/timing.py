"""The times of a run: percentiles, time lines, throughput, pauses."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.errors import InvalidInputError

_STEPS: Final = 60


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """The moments of one app, in seconds since the run started; None if not observed.

    `asked` is the first request; `all_instances` is when as many ran as `wait` requires. Moments
    that a resumed run takes from its journal lie before its start and are below 0.
    """

    key: str
    name: str | None = None
    asked: float | None = None
    accepted: float | None = None
    first_instance: float | None = None
    all_instances: float | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """The number of apps that were sent, accepted and running in one step of time."""

    second: float
    asked: int = 0
    accepted: int = 0
    running: int = 0


class PauseSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which the server accepted no request; in seconds since the run started."""

    second: float
    seconds: float
    reason: str = ""
    target: str | None = None


class LimitLevel(msgspec.Struct, frozen=True, kw_only=True):
    """The maximum of requests in flight from `second` on, until the next level."""

    second: float
    limit: int
    target: str | None = None


COUNTED: Final = ("asked", "accepted", "running")


_EITHER: Final = "running or stopped"
_GOALS: Final = {"stop": "stopped", "restore": _EITHER}


def goal_of(*actions: str) -> str:
    """Return the state that apps reach by these actions: ``running``, ``stopped``, or either."""
    goals = {_GOALS.get(action, "running") for action in actions}
    return goals.pop() if len(goals) == 1 else _EITHER


def labels(*actions: str) -> dict[str, str]:
    """Return the names of `timings` in words."""
    return {
        "accept_s": "accepted",
        "first_instance_s": "first instance",
        "running_s": goal_of(*actions),
    }


def timings(outcomes: Sequence[Outcome[object]]) -> dict[str, dict[str, float]]:
    """Return the percentiles of the time to acceptance, to a first instance and to running."""
    return {
        "accept_s": percentiles(_known(accepted_after(one) for one in outcomes)),
        "first_instance_s": percentiles(_known(one.time_to_first_instance for one in outcomes)),
        "running_s": percentiles(_known(one.time_to_running for one in outcomes)),
    }


def accepted_after(outcome: Outcome[object]) -> float | None:
    """Return the seconds until the server accepted an app, None if it did not.

    If the acceptance was not observed separately, the end of the app counts as its acceptance.
    """
    if outcome.time_to_accept is not None:
        return outcome.time_to_accept
    return outcome.duration if outcome.status in {Status.OK, Status.UNVERIFIED} else None


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return p50, p90, p99 (nearest rank) and max; empty if there are no values."""
    if not values:
        return {}
    ordered = sorted(values)
    ranks = {f"p{p}": ordered[math.ceil(p / 100 * len(ordered)) - 1] for p in (50, 90, 99)}
    return {name: round(value, 4) for name, value in (ranks | {"max": ordered[-1]}).items()}


def moments_of(outcome: Outcome[object], start: datetime) -> Moments:
    """Return the moments of one app in a run that began at `start`."""
    asked = None
    if outcome.started_at is not None:
        asked = (outcome.started_at - start).total_seconds()
    return Moments(
        key=outcome.key,
        name=outcome.name,
        asked=asked,
        accepted=_later(asked, accepted_after(outcome)),
        first_instance=_later(asked, outcome.time_to_first_instance),
        all_instances=_later(asked, outcome.time_to_running),
    )


def throughput(timeline: Sequence[Moments], step: float) -> list[Step]:
    """Count apps in each step of `step` seconds, up to the last observed moment.

    Raises InvalidInputError if `step` is not above 0.
    """
    if not step > 0:
        raise InvalidInputError(f"step={step}: a step needs more than 0 seconds.")
    asked = _per_step((one.asked for one in timeline), step)
    accepted = _per_step((one.accepted for one in timeline), step)
    running = _per_step((one.all_instances for one in timeline), step)
    last = max([*asked, *accepted, *running], default=-1)
    return [
        Step(second=round(n * step, 6), asked=asked[n], accepted=accepted[n], running=running[n])
        for n in range(last + 1)
    ]


def step_for(timeline: Sequence[Moments]) -> float | None:
    """Choose a step so that the run has about 60; None if no request was sent."""
    moments = (at for one in timeline for at in (one.asked, one.accepted, one.all_instances))
    last = max(_known(moments), default=-1.0)
    return None if last < 0 else nice(max(last, 0.1) / _STEPS)


def nice(value: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is at least `value`, above 0."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * (1 - 1e-9))


def _per_step(moments: Iterable[float | None], step: float) -> Counter[int]:
    return Counter(int(moment // step) for moment in _known(moments) if moment >= 0)


def _later(asked: float | None, seconds: float | None) -> float | None:
    return None if asked is None or seconds is None else round(asked + seconds, 6)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
