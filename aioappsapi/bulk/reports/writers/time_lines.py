"""The time lines of the slowest apps; the template draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from aioappsapi.bulk.reports.outcome import Outcome
from aioappsapi.bulk.reports.text import span
from aioappsapi.bulk.reports.timing import Moments, accepted_after
from aioappsapi.bulk.reports.writers.charts import WIDTH, Tick, time_ticks

_SLOWEST: Final = 15
# The parts of a time line; the third ends in the state that was asked for.
_SEGMENTS: Final = {
    "accepting": "until accepted",
    "starting": "until the first instance",
    "scaling": "until {goal}",
    "waiting": "until given up",
}


class Segment(msgspec.Struct, frozen=True):
    """A part of a time line; `start` and `width` in percent of the whole."""

    name: str
    start: float
    width: float


class TimeLine(msgspec.Struct, frozen=True, kw_only=True):
    """The time line of one app."""

    label: str
    status: str
    segments: list[Segment]
    tip: str


class TimeLines(msgspec.Struct, frozen=True, kw_only=True):
    """The time lines of several apps over one axis."""

    lines: list[TimeLine]
    ticks: list[Tick]
    x_title: str
    goal: str

    @property
    def legend(self) -> dict[str, str]:
        """The names of the segments that occur, with their meanings."""
        found = {segment.name for line in self.lines for segment in line.segments}
        return {
            name: label.format(goal=self.goal) for name, label in _SEGMENTS.items() if name in found
        }


def slowest(
    outcomes: Sequence[Outcome[object]], timeline: Sequence[Moments], goal: str = "running"
) -> TimeLines | None:
    """Draw the time lines of the slowest apps, slowest first; None if no duration is known."""
    known = [pair for pair in zip(outcomes, timeline, strict=True) if _over(pair[0])]
    # Failures have a section of their own; here they would hide how long a success takes.
    pairs = [pair for pair in known if pair[0].done] or known
    pairs.sort(key=lambda pair: -_over(pair[0]))
    if not pairs:
        return None
    end = _over(pairs[0][0])
    ticks, title = time_ticks(end, "since the first request")
    return TimeLines(
        lines=[_time_line(*pair, end, goal) for pair in pairs[:_SLOWEST]],
        ticks=[Tick(round(tick.at / WIDTH * 100, 2), tick.label) for tick in ticks],
        x_title=title,
        goal=goal,
    )


def _over(outcome: Outcome[object]) -> float:
    """Return when an app was done. The poll that saw it came a little later."""
    if outcome.done and outcome.time_to_running is not None:
        return outcome.time_to_running
    return outcome.duration or 0.0


def _time_line(outcome: Outcome[object], moments: Moments, end: float, goal: str) -> TimeLine:
    over = _over(outcome)
    stages = (
        ("accepting", accepted_after(outcome)),
        ("starting", outcome.time_to_first_instance),
        ("scaling", outcome.time_to_running),
    )
    segments, begin = [], 0.0
    for name, until in stages:
        if until is not None and until > begin:
            segments.append(_segment(name, begin, min(until, over), end))
            begin = min(until, over)
    if over > begin and not outcome.done:
        segments.append(_segment("waiting", begin, over, end))
    return TimeLine(
        label=outcome.name or outcome.key,
        status=outcome.status.value,
        segments=segments,
        tip=f"{outcome.label}: {', '.join(_moments_in_words(outcome, moments, goal))}",
    )


def _moments_in_words(outcome: Outcome[object], moments: Moments, goal: str) -> Iterator[str]:
    if moments.asked is not None and moments.asked >= 0:
        yield f"asked {span(moments.asked)} after the run began"
    for name, seconds in (
        ("accepted", accepted_after(outcome)),
        ("first instance", outcome.time_to_first_instance),
        (goal, outcome.time_to_running),
        (outcome.status.label, outcome.duration),
    ):
        if seconds is not None:
            yield f"{name} after {span(seconds)}"


def _segment(name: str, begin: float, until: float, end: float) -> Segment:
    return Segment(name, round(begin / end * 100, 3), round((until - begin) / end * 100, 3))
