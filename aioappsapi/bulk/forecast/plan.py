"""The plan of a run: expected outcomes, requests, rate limit, and the earliest finish."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from aioappsapi._http.batches import BATCH
from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import CallLog, recorded
from aioappsapi._http.clock import loop_time
from aioappsapi._http.limits.rate_window import RateWindow
from aioappsapi._http.retry.policy import is_quota
from aioappsapi.api.info import Info
from aioappsapi.bulk.actions.footprint import Footprint
from aioappsapi.bulk.actions.prefetch import fits_in_list
from aioappsapi.bulk.actions.start_stop_restart import ActionName
from aioappsapi.bulk.actions.suspensions import Suspensions
from aioappsapi.bulk.forecast.platform_state import PlatformReader, PlatformState
from aioappsapi.bulk.forecast.predict import predict
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.reports.text import counted, span
from aioappsapi.bulk.reports.writers import write_plan
from aioappsapi.bulk.reports.writers.notebook import as_notebook
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.bulk.windows.wave_plan import WavePlanner, in_waves, numbered
from aioappsapi.bulk.windows.waves import Wave
from aioappsapi.errors import InvalidInputError, ResponseError
from aioappsapi.models.app import App
from aioappsapi.models.info import RateLimits

log = logging.getLogger("aioappsapi")

# The usual seconds until instances are up, or gone; and the seconds between polls.
_USUAL: Final[dict[ActionName, float]] = {"start": 30.0, "restart": 30.0, "stop": 10.0}
_POLL_EVERY: Final = 5.0
# The extra polls at the beginning, when the time between polls is short.
_FIRST_POLLS: Final = 4
# An answer that took longer was delayed by the rate limit.
_LONGEST_ANSWER: Final = 2.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The expected result and cost of a run.

    `report` predicts the outcome of each app. Requests are counted separately: `read` for states,
    `ask` for the action, `wait` for instances; `wait` is an estimate. `limit` and `window` (in
    seconds) are the rate limit and `left` is its minimum rest; all are None if this login has no
    limit. `seconds` is the shortest possible duration. It assumes that an action takes as long as
    the answers to the plan's own requests, and with `wait` that instances take the usual 30 s to
    come up (10 s to go). `waves` are those of the run in order, with their names; the usual time
    and the pause count for each of them, approvals do not.
    """

    report: Report[App]
    read: int
    ask: int
    wait: int
    limit: int | None
    window: float | None
    left: int | None
    seconds: float
    waves: tuple[Wave, ...] = ()

    @property
    def requests(self) -> int:
        """The number of requests in all."""
        return self.read + self.ask + self.wait

    @property
    def earliest_finish(self) -> datetime:
        """The earliest end of the run if it began now."""
        return datetime.now(UTC) + timedelta(seconds=self.seconds)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form of the numbers, without the report."""
        return {
            "requests": {"read": self.read, "ask": self.ask, "wait": self.wait},
            "rate_limit": None
            if self.limit is None
            else {"limit": self.limit, "window_s": self.window, "left": self.left},
            "seconds": round(self.seconds, 1),
            "earliest_finish": self.earliest_finish.isoformat(timespec="seconds"),
        }

    def __repr__(self) -> str:
        return f"<Plan of {self.report.action}: {'; '.join(self.lines())}>"

    def _repr_html_(self) -> str:
        return as_notebook(self.report, self.lines())

    def write(self, path: str | Path) -> None:
        """Write the plan to a file: the predicted report, and as ``.html`` also requests and time.

        Formats and errors are those of `Report.write`.
        """
        write_plan(self.report, list(self.lines()), Path(path))

    def lines(self) -> Iterator[str]:
        """Yield a few lines for people."""
        counts = self.report.counts
        yield (
            f"{counted(counts['total'], 'app')}: {counts['ok']:,} to {self.report.action}, "
            f"{counts['already']:,} already in the requested state, "
            f"{counts['failed']:,} would be refused"
        )
        waiting = f", about {self.wait} to wait" if self.wait else ""
        if self.waves:
            yield f"waves: {len(self.waves)}, the largest has {counted(self._largest, 'app')}"
        yield f"requests: {self.read} to read, {self.ask} to ask{waiting}"
        if self.limit is None:
            yield "rate limit: none for this login"
        else:
            window = f" in {self.window / 60:g} min" if self.window else ""
            yield f"rate limit: {self.limit}{window}, at least {self.left} left"
        finish = self.earliest_finish.strftime("%Y-%m-%d %H:%M:%S UTC")
        yield f"earliest finish: in {span(self.seconds)}, {finish}{self._provided()}"

    @property
    def _largest(self) -> int:
        return max(len(wave.keys) for wave in self.waves)

    def _provided(self) -> str:
        if not self.wait:
            return ""
        action = self.report.action
        comes = "goes" if action == "stop" else "comes up"
        usual = _USUAL["stop" if action == "stop" else "start"]
        return f", if an instance {comes} in {usual:g} s"


async def draw_up(
    caller: Caller, action: ActionName, inputs: Inputs, options: Options, *, target: str
) -> Plan:
    """Read the platform's state, predict each outcome, and count the requests of the run."""
    await inputs.read_all()
    started_at = datetime.now(UTC)
    with recorded(CallLog) as record:
        keys = [key for key in inputs.keys if fits_in_list(key)]
        state = await PlatformReader(caller).read(keys, weigh_all=options.is_bounded)
        waves = await _waves(caller, action, inputs, options)
        asked_at = loop_time()
        limits = await _rate_limits(caller)
        answer = min(loop_time() - asked_at, _LONGEST_ANSWER)
    skip = options.skip_unchanged and action != "restart"
    requests = Requests()
    requests.add(record)
    predicted = predict(inputs.keys, state, action, skip_unchanged=skip, in_doubt=inputs.in_doubt)
    report = Report(
        in_waves(predicted, waves),
        action=action,
        target=target,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        requests=requests,
        predicted=True,
    )
    working = _working(report, state, options, answer)
    return _plan(report, options, caller.throttle.rate_window, limits, working, waves)


async def _waves(
    caller: Caller, action: ActionName, inputs: Inputs, options: Options
) -> tuple[Wave, ...]:
    if options.waves is None:
        return ()
    return tuple(numbered(await WavePlanner(options.waves, inputs, caller, action).plan()))


async def _rate_limits(caller: Caller) -> RateLimits | None:
    try:
        return await Info(caller).rate_limits()
    except ResponseError as failure:
        log.info("The rate limit could not be read: %s", failure)
        return None


def _working(report: Report[App], state: PlatformState, options: Options, answer: float) -> float:
    """Return the seconds until the request for the last app is sent."""
    asked = report.counts["ok"] + _in_vain(report, options.concurrency)
    seconds = math.ceil(asked / options.concurrency) * answer
    if report.action == "stop" or not options.is_bounded:
        return seconds
    loads = [state.loads.get(one.key, Footprint(1)) for one in report if one.status is Status.OK]
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
    waves: tuple[Wave, ...],
) -> Plan:
    total, ask = len(report), report.counts["ok"] + _in_vain(report, options.concurrency)
    restarts, stops = report.action == "restart", report.action == "stop"
    batches = sum(math.ceil(apps / BATCH) for apps in [len(one.keys) for one in waves] or [total])
    reads = batches if options.skip_unchanged and not restarts else 0
    if options.is_bounded and not stops:
        reads += batches
    if options.waves is not None and options.waves.reads:
        reads += math.ceil(total / BATCH)
    watched = 0 if options.wait == "none" else total - report.counts["failed"]
    usual = _USUAL["stop" if stops else "start"] * max(len(waves), 1) if watched else 0.0
    pauses = 0.0 if options.waves is None else options.waves.pause * max(len(waves) - 1, 0)
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
        seconds=working + usual + pauses + paused,
        waves=waves,
    )


def _in_vain(report: Report[App], concurrency: int) -> int:
    """Count the requests that the server would refuse; a run sends them, too.

    An app that a quota refuses is sent twice, and a key that is no GUID is not sent. In a suspended
    space only as many apps are sent as are in flight together.
    """
    errors = [one.error for one in report.failed if not isinstance(one.error, InvalidInputError)]
    suspended = sum(one is not None and Suspensions.is_one(one) for one in errors)
    quotas = sum(one is not None and is_quota(one) for one in errors)
    return len(errors) + quotas - max(suspended - concurrency, 0)


def _polls(watched: int, working: float, usual: float) -> int:
    """Estimate the polls: each one covers the apps that were sent within the usual time."""
    if not watched:
        return 0
    ticks = _FIRST_POLLS + math.ceil((working + usual) / _POLL_EVERY)
    at_a_time = watched * min(usual / max(working, usual), 1.0)
    return ticks * math.ceil(at_a_time / BATCH)


def _waiting(pace: RateWindow, requests: int, window: float) -> float:
    """Return the seconds until the rate limit has room for the last request."""
    limit, left, resets_in = pace.limit, pace.left, pace.resets_in
    if limit is None or left is None or requests <= left:
        return 0.0
    windows = math.ceil((requests - left) / max(limit, 1))
    return max(resets_in or 0.0, 0.0) + (windows - 1) * window
