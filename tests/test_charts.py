"""Where the lines and bars of a chart are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioappsapi.bulk.reports.timing import Moments, nice
from aioappsapi.bulk.reports.writers.charts import HEIGHT, WIDTH, Chart, histogram, throughput_chart

times = st.floats(0, 1e9)


@pytest.mark.parametrize(
    ("value", "nicer"), [(1, 1), (1.1, 2), (3, 5), (7, 10), (0.03, 0.05), (250, 500), (0.1, 0.1)]
)
def test_steps_are_nice_figures(value: float, nicer: float) -> None:
    assert nice(value) == pytest.approx(nicer)


def test_bars_stand_where_the_values_are() -> None:
    chart = histogram([1.0] * 3 + [40.0])
    assert chart is not None
    first, last = chart.bars
    assert (first.label, last.label) == ("1–2 s: 3", "40–41 s: 1")  # noqa: RUF001
    assert first.x < last.x
    assert first.height == pytest.approx(3 * last.height, abs=0.2)
    assert [mark.label for mark in chart.marks] == ["p50", "p90, p99"]


def test_percentiles_that_fall_together_share_a_mark() -> None:
    chart = histogram([2.0])
    assert chart is not None
    (mark,) = chart.marks
    assert mark.label == "p50, p90, p99"


def test_apps_are_counted_in_whole_ones() -> None:
    chart = histogram([2.0])
    assert chart is not None
    assert [tick.label for tick in chart.y_ticks] == ["0", "1"]


def test_lines_are_of_what_happened() -> None:
    chart = throughput_chart([Moments(key="a", asked=0.0, accepted=1.0), Moments(key="b")])
    assert chart is not None
    assert [line.name for line in chart.lines] == ["asked", "accepted"]


def test_of_nothing_nothing_is_drawn() -> None:
    assert histogram([]) is None
    assert throughput_chart([]) is None
    assert throughput_chart([Moments(key="a")]) is None
    assert throughput_chart([Moments(key="a", asked=-5.0, accepted=-4.0)]) is None


def all_inside(chart: Chart) -> bool:
    points = [tuple(map(float, at.split(","))) for one in chart.lines for at in one.points.split()]
    points += [(bar.x, bar.y) for bar in chart.bars]
    points += [(bar.x + bar.width, bar.y + bar.height) for bar in chart.bars]
    points += [(mark.at, 0) for mark in [*chart.marks, *chart.x_ticks]]
    points += [(0, tick.at) for tick in chart.y_ticks]
    return all(-1 <= x <= WIDTH + 1 and -1 <= y <= HEIGHT + 1 for x, y in points)


@given(st.lists(times, min_size=1))
def test_any_histogram_fits_its_area(values: list[float]) -> None:
    chart = histogram(values)
    assert chart is not None
    assert all_inside(chart)
    assert 1 <= len(chart.bars) <= 42
    assert 2 <= len(chart.x_ticks) <= 8
    assert 2 <= len(chart.y_ticks) <= 8


@given(st.lists(st.builds(Moments, key=st.just("a"), asked=times, accepted=times), min_size=1))
def test_any_throughput_fits_its_area(timeline: list[Moments]) -> None:
    chart = throughput_chart(timeline)
    assert chart is not None
    assert all_inside(chart)
    assert all(len(line.points.split()) <= 62 for line in chart.lines)
