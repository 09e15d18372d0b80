"""What a run would take: outcomes, requests, the rate limit, and when it can be over."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from aioappsapi._http.call_log import CallLog, recorded
from aioappsapi._http.clock import loop_time
from aioappsapi._http.limits.rate_window import RateWindow
from aioappsapi._http.retry.policy import is_quota
from aioappsapi.bulk.ahead import is_askable
from aioappsapi.bulk.asking import Action
from aioappsapi.bulk.facts import FactFinder, Facts
from aioappsapi.bulk.inputs import Inputs
from aioappsapi.bulk.load import Load
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.outcome import Status
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

# How many seconds instances usually take to come up, and to go; and how far polls then are apart.
_USUAL: Final[dict[Action, float]] = {"start": 30.0, "restart": 30.0, "stop": 10.0}
_POLL_EVERY: Final = 5.0
# How many more polls there are at the beginning, when pauses are short.
_FIRST_POLLS: Final = 4
# An answer that took longer was held back by the rate limit.
_LONGEST_ANSWER: Final = 2.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be expected of a run.

    `report` predicts each app's outcome. The requests are counted apart: those that `read` states,
    `ask` for apps and `wait` for instances; the last are an estimate. `limit` and `window` (in
    seconds) are the rate limit, `left` what is left of it at least; None where this login is not
    limited. `seconds` is how long it takes at the earliest: if an action takes no longer than the
    answers to this plan's own requests, and where somebody waits, if an instance takes the usual
    30 s to come up (10 s to go).
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
        yield f"earliest finish: in {_duration(self.seconds)}, {finish}{self._provided()}"

    def _provided(self) -> str:
        if not self.wait:
            return ""
        action = self.report.action
        comes = "goes" if action == "stop" else "comes up"
        usual = _USUAL["stop" if action == "stop" else "start"]
        return f", if an instance {comes} in {usual:g} s"


async def draw_up(
    apps: Apps, action: Action, inputs: Inputs, options: Options, *, target: str
) -> Plan:
    """Read the facts, predict each app's outcome, and count what the run would take."""
    await inputs.read_rest()
    started_at = datetime.now(UTC)
    with recorded(CallLog) as record:
        keys = [key for key in inputs.keys if is_askable(key)]
        facts = await FactFinder(apps).find(keys, weigh_all=options.is_bounded)
        asked_at = loop_time()
        limits = await _rate_limits(apps)
        answer = min(loop_time() - asked_at, _LONGEST_ANSWER)
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
    working = _working(report, facts, options, answer)
    return _plan(report, options, apps.caller.throttle.rate_window, limits, working)


async def _rate_limits(apps: Apps) -> RateLimits | None:
    try:
        return await Info(apps.caller).rate_limits()
    except ResponseError as failure:
        log.info("the rate limit is not known: %s", failure)
        return None


def _working(report: Report[App], facts: Facts, options: Options, answer: float) -> float:
    """Tell how many seconds pass until the last app was asked for."""
    asked = report.counts["ok"] + _in_vain(report, options.concurrency)
    seconds = math.ceil(asked / options.concurrency) * answer
    if report.action == "stop" or not options.is_bounded:
        return seconds
    loads = [facts.loads.get(one.key, Load(1)) for one in report if one.status is Status.OK]
    instances = sum(load.instances for load in loads) / (options.max_starting or math.inf)
    memory = sum(load.memory for load in loads) / (options.max_starting_mb or math.inf)
    turns = math.ceil(max(instances, memory))
    return max(seconds, (turns - 1) * _USUAL["start"])


def _plan(
    report: Report[App],
    options: Options,
    pace: RateWindow,
    limits: RateLimits | None,
    working: float,
) -> Plan:
    total, ask = len(report), report.counts["ok"] + _in_vain(report, options.concurrency)
    restarts, stops = report.action == "restart", report.action == "stop"
    reads = math.ceil(total / BATCH) if options.skip_unchanged and not restarts else 0
    if options.is_bounded and not stops:
        reads += math.ceil(total / BATCH)
    watched = 0 if options.wait == "none" else total - report.counts["failed"]
    usual = _USUAL["stop" if stops else "start"] if watched else 0.0
    wait = _polls(watched, working, usual)
    window = None if limits is None else limits.reset_interval_in_minutes
    paused = _waiting(pace, reads + ask + wait, 60.0 * (window or 60))
    return Plan(
        report=report,
        read=reads,
        ask=ask,
        wait=wait,
        limit=pace.limit,
        window=None if window is None else 60.0 * window,
        left=pace.left,
        seconds=working + usual + paused,
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


def _polls(watched: int, working: float, usual: float) -> int:
    """Estimate the polls: at each one those are waited for that came within the usual time."""
    if not watched:
        return 0
    ticks = _FIRST_POLLS + math.ceil((working + usual) / _POLL_EVERY)
    at_a_time = watched * min(usual / max(working, usual), 1.0)
    return ticks * math.ceil(at_a_time / BATCH)


def _waiting(pace: RateWindow, requests: int, window: float) -> float:
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
