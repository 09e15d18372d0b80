"""What a run would take: outcomes, requests, the rate limit, and when it can be over."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from aioappsapi._http.failures import is_quota
from aioappsapi._http.pace import Pace
from aioappsapi._http.trace import CallRecord, recorded
from aioappsapi.bulk.ahead import is_askable
from aioappsapi.bulk.asking import Action
from aioappsapi.bulk.facts import FactFinder
from aioappsapi.bulk.inputs import Inputs
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.preflight import Oracle
from aioappsapi.bulk.report import Report, Requests
from aioappsapi.bulk.suspensions import Suspensions
from aioappsapi.errors import InvalidInputError, ResponseError
from aioappsapi.models.app import App
from aioappsapi.models.info import RateLimits
from aioappsapi.resources.apps import Apps
from aioappsapi.resources.info import Info
from aioappsapi.resources.waiter import BATCH

log = logging.getLogger("aioappsapi")

# What one small API machine was measured to accept.
_ASKED_PER_SECOND: Final = 60.0
# How long instances usually take, and how far polls then are apart.
_USUAL_STARTUP: Final = 30.0
_POLL_EVERY: Final = 5.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be expected of a run.

    `report` predicts each app's outcome. The requests are counted apart: those that `read` states,
    `ask` for apps and `wait` for instances; the last are an estimate. `limit` and `window` (in
    seconds) are the rate limit, `left` what is left of it at least; None where this login is not
    limited. `seconds` is how long it takes at the earliest.
    """

    report: Report[App]
    read: int
    ask: int
    wait: int
    limit: int | None
    window: float | None
    left: int | None
    seconds: float

    @property
    def requests(self) -> int:
        """How many requests it takes in all."""
        return self.read + self.ask + self.wait

    @property
    def earliest_finish(self) -> datetime:
        """When it would be over, if it began now."""
        return datetime.now(UTC) + timedelta(seconds=self.seconds)

    def to_dict(self) -> dict[str, object]:
        """Give the numbers as JSON has them, without the report."""
        return {
            "requests": {"read": self.read, "ask": self.ask, "wait": self.wait},
            "rate_limit": None
            if self.limit is None
            else {"limit": self.limit, "window_s": self.window, "left": self.left},
            "seconds": round(self.seconds, 1),
            "earliest_finish": self.earliest_finish.isoformat(timespec="seconds"),
        }

    def lines(self) -> Iterator[str]:
        """Say it in a few lines for people."""
        counts = self.report.counts
        yield (
            f"{counts['total']} apps: {counts['ok']} to {self.report.action}, "
            f"{counts['already']} already as asked, {counts['failed']} would be refused"
        )
        waiting = f", about {self.wait} to wait" if self.wait else ""
        yield f"requests: {self.read} to read, {self.ask} to ask{waiting}"
        if self.limit is None:
            yield "rate limit: none for this login"
        else:
            window = f" in {self.window / 60:g} min" if self.window else ""
            yield f"rate limit: {self.limit}{window}, at least {self.left} left"
        finish = self.earliest_finish.strftime("%Y-%m-%d %H:%M:%S UTC")
        yield f"earliest finish: in {_duration(self.seconds)}, {finish}"


async def draw_up(
    apps: Apps, action: Action, inputs: Inputs, options: Options, *, target: str
) -> Plan:
    """Read the facts, predict each app's outcome, and count what the run would take."""
    await inputs.read_rest()
    started_at = datetime.now(UTC)
    with recorded(CallRecord) as record:
        facts = await FactFinder(apps).find([key for key in inputs.keys if is_askable(key)])
        limits = await _rate_limits(apps)
    skip = options.skip_unchanged and action != "restart"
    requests = Requests()
    requests.add(record)
    report = Report(
        Oracle(facts, action, skip_unchanged=skip).predict(inputs.keys),
        action=action,
        target=target,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        requests=requests,
        predicted=True,
    )
    return _plan(report, options, apps.caller.throttle.pace, limits)


async def _rate_limits(apps: Apps) -> RateLimits | None:
    try:
        return await Info(apps.caller).rate_limits()
    except ResponseError as failure:
        log.info("the rate limit is not known: %s", failure)
        return None


def _plan(report: Report[App], options: Options, pace: Pace, limits: RateLimits | None) -> Plan:
    total, ask = len(report), report.counts["ok"] + _in_vain(report, options.concurrency)
    reads = math.ceil(total / BATCH) if options.skip_unchanged else 0
    if options.max_starting is not None or options.max_starting_mb is not None:
        reads += math.ceil(total / BATCH)
    watched = 0 if options.wait == "none" else total - report.counts["failed"]
    working = max(ask / _ASKED_PER_SECOND, ask * 0.2 / options.concurrency)
    wait = math.ceil(_polls(watched, working))
    window = None if limits is None else limits.reset_interval_in_minutes
    seconds = working + (_USUAL_STARTUP if watched else 0.0)
    seconds += _waiting(pace, reads + ask + wait, 60.0 * (window or 60))
    return Plan(
        report=report,
        read=reads,
        ask=ask,
        wait=wait,
        limit=pace.limit,
        window=None if window is None else 60.0 * window,
        left=pace.left,
        seconds=seconds,
    )


def _in_vain(report: Report[App], concurrency: int) -> int:
    """Count the requests for what is refused, which only a run finds out.

    What a quota refuses is asked for twice, what is no GUID never; of a suspended place only those
    apps are asked for that are under way together.
    """
    errors = [one.error for one in report.failed if not isinstance(one.error, InvalidInputError)]
    suspended = sum(one is not None and Suspensions.is_one(one) for one in errors)
    quotas = sum(one is not None and is_quota(one) for one in errors)
    return len(errors) + quotas - max(suspended - concurrency, 0)


def _polls(watched: int, working: float) -> float:
    """Estimate the polls: at each one those are waited for that came within the usual time."""
    if not watched:
        return 0
    ticks = (working + _USUAL_STARTUP) / _POLL_EVERY
    at_a_time = watched * min(_USUAL_STARTUP / max(working, _USUAL_STARTUP), 1.0)
    return ticks * math.ceil(at_a_time / BATCH)


def _waiting(pace: Pace, requests: int, window: float) -> float:
    """Tell how many seconds pass until the window comes in which the last request fits."""
    limit, left, resets_in = pace.limit, pace.left, pace.resets_in
    if limit is None or left is None or requests <= left:
        return 0.0
    windows = math.ceil((requests - left) / max(limit, 1))
    return max(resets_in or 0.0, 0.0) + (windows - 1) * window


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
