"""The geometry of the charts; the templates draw it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from aioappsapi.bulk.reports.text import counted, span
from aioappsapi.bulk.reports.timing import (
    LimitLevel,
    Moments,
    PauseSpan,
    Step,
    nice,
    percentiles,
    step_for,
    throughput,
)

# The area of a chart in its own units, without the labels around it.
WIDTH: Final = 560
HEIGHT: Final = 160
# The height of a line of labels above a chart, and the width of a character in it.
LABEL_HEIGHT: Final = 18
_LETTER: Final = 9

_LIMIT: Final = "limit of requests in flight (right axis)"

_BARS: Final = 40
# Instances are polled, so many come up "at once". They are spread over the seconds between polls.
_POLL: Final = 5.0
# A maximum of this many times the p99 would flatten all other bars: the axis then ends earlier.
_TAIL: Final = 3
_TAIL_VALUES: Final = 50


class Tick(msgspec.Struct, frozen=True):
    """A place on an axis and its label."""

    at: float
    label: str


class Mark(msgspec.Struct, frozen=True):
    """A line across a chart; labels are on several `level`s, so that they do not overlap."""

    at: float
    label: str
    level: int
    anchor: str


class Line(msgspec.Struct, frozen=True):
    """A line of a chart, as the points of an SVG polyline; `label` is for the legend."""

    name: str
    label: str
    points: str


class Area(msgspec.Struct, frozen=True):
    """A rectangle of a chart, with the text that is shown when the pointer is over it."""

    x: float
    y: float
    width: float
    height: float
    tip: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A chart: lines or bars over two axes, pauses behind them, marks across them."""

    lines: list[Line] = []
    bars: list[Area] = []
    pauses: list[Area] = []
    hovers: list[Area] = []
    marks: list[Mark] = []
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    right_ticks: list[Tick] = []
    x_title: str
    summary: str
    note: str = ""

    @property
    def top(self) -> int:
        """The height of the labels above the chart."""
        return LABEL_HEIGHT * max((mark.level + 1 for mark in self.marks), default=1)


# -- throughput


def throughput_chart(
    timeline: Sequence[Moments],
    pauses: Sequence[PauseSpan] = (),
    limits: Sequence[LimitLevel] = (),
    goal: str = "running",
) -> Chart | None:
    """Draw apps per second over time, with pauses and the limit; None if nothing was sent.

    `goal` is the state that was asked for.
    """
    if (step := step_for(timeline)) is None:
        return None
    rows = throughput(timeline, step)
    end = len(rows) * step
    running = _spread([row.running for row in rows], int(_POLL / step))
    rates = {
        "asked": [row.asked / step for row in rows],
        "accepted": [row.accepted / step for row in rows],
        "running": [count / step for count in running],
    }
    peak = max(map(max, rates.values()))
    top = _ceiling(peak)
    lines = [
        Line(name, goal if name == "running" else name, _points(rate, top))
        for name, rate in rates.items()
        if any(rate)
    ]
    levels = _levels(limits)
    most = _ceiling(max((level.limit for level in levels), default=1), least=1)
    if levels:
        lines.append(Line("limit", _LIMIT, _stairs(levels, end, most)))
    x_ticks, x_title = time_ticks(end, "since the start")
    return Chart(
        lines=lines,
        pauses=[_pause_area(one, end) for one in pauses if 0 <= one.second < end],
        hovers=_hovers(rows, step, levels, goal),
        x_ticks=x_ticks,
        x_title=x_title,
        y_ticks=_ticks(top, HEIGHT),
        right_ticks=_ticks(most, HEIGHT, least=1) if levels else [],
        summary=f"Apps per second over {span(end)}; at most {peak:.3g} per second.",
    )


def _spread(counts: Sequence[int], steps: int) -> list[float]:
    """Spread the instances of one poll over the empty steps since the previous poll."""
    spread = [float(count) for count in counts]
    empty = 0
    for at, count in enumerate(counts):
        if not count:
            empty += 1
            continue
        width = min(empty, steps) + 1
        for n in range(at - width + 1, at + 1):
            spread[n] = count / width
        empty = 0
    return spread


def _levels(limits: Sequence[LimitLevel]) -> list[LimitLevel]:
    """Return the levels of one target; several targets have no common limit."""
    return sorted(limits, key=lambda one: one.second) if _one_target(limits) else []


def _one_target(limits: Iterable[LimitLevel]) -> bool:
    return len({one.target for one in limits}) == 1


def _stairs(levels: Sequence[LimitLevel], end: float, top: float) -> str:
    points = []
    for level, later in zip(levels, [*levels[1:], None], strict=True):
        y = HEIGHT - level.limit / top * HEIGHT
        seconds = (level.second, end if later is None else later.second)
        points += [f"{min(max(one, 0.0), end) / end * WIDTH:.1f},{y:.1f}" for one in seconds]
    return " ".join(points)


def _pause_area(pause: PauseSpan, end: float) -> Area:
    x = pause.second / end * WIDTH
    width = min(pause.seconds / end * WIDTH, WIDTH - x)
    why = f": {pause.reason}" if pause.reason else ""
    return Area(
        round(x, 1), 0, round(max(width, 1), 1), HEIGHT, f"paused {span(pause.seconds)}{why}"
    )


def _hovers(
    rows: Sequence[Step], step: float, levels: Sequence[LimitLevel], goal: str
) -> list[Area]:
    width = WIDTH / len(rows)
    areas = []
    for n, row in enumerate(rows):
        begin, end = row.second, row.second + step
        tip = f"{begin:.6g}–{end:.6g} s: {row.asked} asked, {row.accepted} accepted, "  # noqa: RUF001
        tip += f"{row.running} {goal}"
        if limit := _limit_at(levels, end):
            tip += f"; limit {limit}"
        areas.append(Area(round(n * width, 1), 0, round(width, 1), HEIGHT, tip))
    return areas


def _limit_at(levels: Sequence[LimitLevel], second: float) -> int | None:
    return next((one.limit for one in reversed(levels) if one.second <= second), None)


def _points(rates: Sequence[float], top: float) -> str:
    """Join the middles of the steps."""
    width = WIDTH / len(rates)
    return " ".join(
        f"{(n + 0.5) * width:.1f},{HEIGHT - rate / top * HEIGHT:.1f}"
        for n, rate in enumerate(rates)
    )


# -- durations


def histogram(values: Sequence[float]) -> Chart | None:
    """Draw the distribution of durations, with percentiles; None if there are no values."""
    if not values:
        return None
    ranks = percentiles(values)
    longest = max(values)
    shown = longest
    if len(values) >= _TAIL_VALUES and longest > _TAIL * ranks["p99"] > 0:
        shown = 1.25 * ranks["p99"]
    step = nice(max(shown, 0.01) / _BARS)
    counted_in = Counter(int(value // step) for value in values if value <= shown)
    number = max(counted_in) + 1
    beyond = sum(value > shown for value in values)
    end = number * step
    top = _ceiling(max(counted_in.values()), least=1)
    x_ticks, x_title = time_ticks(end, "")
    return Chart(
        bars=[_bar(n, count, number, step, top) for n, count in sorted(counted_in.items())],
        marks=_marks(ranks, end),
        x_ticks=x_ticks,
        x_title=x_title,
        y_ticks=_ticks(top, HEIGHT, least=1),
        summary=", ".join(f"{name} {span(value)}" for name, value in ranks.items()),
        note=f"Not shown: {counted(beyond, 'app')}, up to {span(longest)}." if beyond else "",
    )


def _bar(n: int, count: int, number: int, step: float, top: float) -> Area:
    width = WIDTH / number
    height = count / top * HEIGHT
    return Area(
        round(n * width, 1),
        round(HEIGHT - height, 1),
        round(max(width - 1, 1), 1),
        round(height, 1),
        f"{n * step:.6g}–{(n + 1) * step:.6g} s: {counted(count, 'app')}",  # noqa: RUF001
    )


def _marks(ranks: dict[str, float], end: float) -> list[Mark]:
    """Mark the percentiles. Equal values share a mark, and labels move up until none overlap."""
    shared: dict[float, list[str]] = {}
    for name, value in ranks.items():
        if name != "max" and value <= end:
            shared.setdefault(value, []).append(name)
    marks: list[Mark] = []
    taken: list[float] = []  # where the last label of each level ends
    for value, names in sorted(shared.items()):
        at = round(value / end * WIDTH, 1)
        label = f"{', '.join(names)}: {span(value)}"
        left, right, anchor = _extent(at, len(label) * _LETTER)
        level = next((n for n, until in enumerate(taken) if until < left), len(taken))
        taken[level : level + 1] = [right]
        marks.append(Mark(at, label, level, anchor))
    return marks


def _extent(at: float, width: float) -> tuple[float, float, str]:
    """Place a label so that it does not leave the chart on either side."""
    if at < width / 2:
        return at, at + width, "start"
    if at > WIDTH - width / 2:
        return at - width, at, "end"
    return at - width / 2, at + width / 2, "middle"


# -- axes


def _ceiling(value: float, *, least: float = 0.001) -> float:
    """Return the end of an axis that can show a value."""
    step = max(nice(max(value, least) / 4), least)
    return math.ceil(value / step * (1 - 1e-9)) * step or step


def _ticks(end: float, length: float, *, least: float = 0.0) -> list[Tick]:
    step = max(nice(end / 6), least)
    return [
        Tick(round(n * step / end * length, 1), f"{n * step:.6g}")
        for n in range(int(end / step * (1 + 1e-9)) + 1)
    ]


def time_ticks(end: float, since: str) -> tuple[list[Tick], str]:
    """Return the ticks of a time axis and its title: in seconds, or in minutes for long times."""
    unit, name = (60, "minutes") if end > 300 else (1, "seconds")
    return _ticks(end / unit, WIDTH), f"{name} {since}".strip()
