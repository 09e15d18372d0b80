"""Where the lines and bars of a chart are; the template draws them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from aioappsapi.bulk.reports.timing import Moments, nice, percentiles, step_for, throughput

# The area of a chart, in units of its own, without the labels around it.
WIDTH: Final = 560
HEIGHT: Final = 160

_BARS: Final = 40
# How wide the name of a percentile is.
_LABEL: Final = 28


class Tick(msgspec.Struct, frozen=True):
    """A place on an axis, and what is written there."""

    at: float
    label: str


class Line(msgspec.Struct, frozen=True):
    """A line of a chart, as the points of an SVG polyline."""

    name: str
    points: str


class Bar(msgspec.Struct, frozen=True):
    """A bar of a chart."""

    x: float
    y: float
    width: float
    height: float
    label: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A chart: lines or bars over two axes, `marks` across them."""

    lines: list[Line] = []
    bars: list[Bar] = []
    marks: list[Tick] = []
    x_ticks: list[Tick]
    y_ticks: list[Tick]


def throughput_chart(timeline: Sequence[Moments]) -> Chart | None:
    """Draw apps per second over time; None where nothing was asked."""
    if (step := step_for(timeline)) is None:
        return None
    rows = throughput(timeline, step)
    rates = {
        "asked": [row.asked / step for row in rows],
        "accepted": [row.accepted / step for row in rows],
        "running": [row.running / step for row in rows],
    }
    top = _ceiling(max(map(max, rates.values())))
    end = len(rows) * step
    return Chart(
        lines=[Line(name, _points(rate, top)) for name, rate in rates.items() if any(rate)],
        x_ticks=_ticks(end, WIDTH),
        y_ticks=_ticks(top, HEIGHT),
    )


def histogram(values: Sequence[float]) -> Chart | None:
    """Draw how many took how long, with the percentiles across; None of nothing."""
    if not values:
        return None
    step = nice(max(*values, 0.01) / _BARS)
    counted = Counter(int(value // step) for value in values)
    number = max(counted) + 1
    top, end = _ceiling(max(counted.values()), least=1), number * step
    width = WIDTH / number
    bars = [
        Bar(
            round(n * width, 1),
            round(HEIGHT - count / top * HEIGHT, 1),
            round(max(width - 1, 1), 1),
            round(count / top * HEIGHT, 1),
            f"{n * step:.6g}–{(n + 1) * step:.6g} s: {count}",  # noqa: RUF001 - a range
        )
        for n, count in sorted(counted.items())
    ]
    return Chart(
        bars=bars,
        marks=_marks(values, end),
        x_ticks=_ticks(end, WIDTH),
        y_ticks=_ticks(top, HEIGHT, least=1),
    )


def _points(rates: Sequence[float], top: float) -> str:
    """Join the middles of the steps."""
    width = WIDTH / len(rates)
    return " ".join(
        f"{(n + 0.5) * width:.1f},{HEIGHT - rate / top * HEIGHT:.1f}"
        for n, rate in enumerate(rates)
    )


def _marks(values: Sequence[float], end: float) -> list[Tick]:
    """Mark the percentiles; where two would be written over each other, they share a mark."""
    marks: list[Tick] = []
    for name, value in percentiles(values).items():
        at = round(value / end * WIDTH, 1)
        if name == "max":
            continue
        if marks and at - marks[-1].at < _LABEL:
            marks[-1] = Tick(marks[-1].at, f"{marks[-1].label}, {name}")
        else:
            marks.append(Tick(at, name))
    return marks


def _ceiling(value: float, *, least: float = 0.001) -> float:
    """Give the end of an axis that has room for a value."""
    step = max(nice(max(value, least) / 4), least)
    return math.ceil(value / step * (1 - 1e-9)) * step or step


def _ticks(end: float, length: float, *, least: float = 0.0) -> list[Tick]:
    step = max(nice(end / 6), least)
    return [
        Tick(round(n * step / end * length, 1), f"{n * step:.6g}")
        for n in range(int(end / step * (1 + 1e-9)) + 1)
    ]
