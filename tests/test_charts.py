"""The positions of lines and bars in a chart."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioappsapi import Status
from aioappsapi.bulk.reports.timing import LimitLevel, Moments, PauseSpan, nice
from aioappsapi.bulk.reports.writers.charts import (
    HEIGHT,
    WIDTH,
    Chart,
    histogram,
    throughput_chart,
)
from aioappsapi.bulk.reports.writers.time_lines import slowest
from tests.reports import BEGAN, outcome, report

times = st.floats(0, 1e9)


@pytest.mark.parametrize(
    ("value", "nicer"), [(1, 1), (1.1, 2), (3, 5), (7, 10), (0.03, 0.05), (250, 500), (0.1, 0.1)]
)
def test_steps_are_round_numbers(value: float, nicer: float) -> None:
    assert nice(value) == pytest.approx(nicer)


def test_bars_are_where_the_values_are() -> None:
    chart = histogram([1.0] * 3 + [40.0])
    assert chart is not None
    first, last = chart.bars
    assert (first.tip, last.tip) == ("1–2 s: 3 apps", "40–41 s: 1 app")  # noqa: RUF001
    assert first.x < last.x
    assert first.height == pytest.approx(3 * last.height, abs=0.2)
    assert [mark.label for mark in chart.marks] == ["p50: 1.0 s", "p90, p99: 40.0 s"]


def test_equal_percentiles_share_a_mark() -> None:
    chart = histogram([2.0])
    assert chart is not None
    (mark,) = chart.marks
    assert mark.label == "p50, p90, p99: 2.0 s"


def test_the_axis_of_apps_has_whole_numbers() -> None:
    chart = histogram([2.0])
    assert chart is not None
    assert [tick.label for tick in chart.y_ticks] == ["0", "1"]


def test_events_that_did_not_happen_have_no_line() -> None:
    chart = throughput_chart([Moments(key="a", asked=0.0, accepted=1.0), Moments(key="b")])
    assert chart is not None
    assert [line.name for line in chart.lines] == ["asked", "accepted"]


def test_there_is_no_chart_without_values() -> None:
    assert histogram([]) is None
    assert throughput_chart([]) is None
    assert throughput_chart([Moments(key="a")]) is None
    assert throughput_chart([Moments(key="a", asked=-5.0, accepted=-4.0)]) is None


@given(st.lists(times, min_size=1))
def test_labels_of_percentiles_never_overlap(values: list[float]) -> None:
    chart = histogram(values)
    assert chart is not None
    extents: dict[int, float] = {}
    for mark in chart.marks:
        width = 8 * len(mark.label)
        left = {"start": mark.at, "middle": mark.at - width / 2, "end": mark.at - width}[
            mark.anchor
        ]
        assert left >= extents.get(mark.level, -1)
        assert left + width <= WIDTH + 1
        extents[mark.level] = left + width


def test_one_app_that_took_very_long_does_not_flatten_the_others() -> None:
    chart = histogram([1.0] * 200 + [2.0] * 50 + [500.0])
    assert chart is not None
    assert float(chart.x_ticks[-1].label) < 5
    assert chart.note == "Not shown: 1 app, up to 8 min 20 s."
    assert sum(int(bar.tip.split(": ")[1].split()[0]) for bar in chart.bars) == 250


def test_instances_found_by_one_poll_are_spread_over_the_time_since_the_last() -> None:
    timeline = [Moments(key=str(n), asked=0.0, all_instances=5.0 * (1 + n % 4)) for n in range(40)]
    chart = throughput_chart(timeline)
    assert chart is not None
    (running,) = [line for line in chart.lines if line.name == "running"]
    heights = {float(point.split(",")[1]) for point in running.points.split()}
    assert len(heights) <= 3, "two apps per second all the time, not ten in every fifth second"


def test_pauses_and_limits_are_drawn_with_a_text_on_hover() -> None:
    timeline = [Moments(key=str(n), asked=float(n), accepted=n + 0.5) for n in range(30)]
    pauses = [PauseSpan(second=10.0, seconds=5.0, reason="429")]
    limits = [LimitLevel(second=0.0, limit=50), LimitLevel(second=15.0, limit=25)]
    chart = throughput_chart(timeline, pauses, limits)
    assert chart is not None
    assert chart.pauses[0].tip == "paused 5.0 s: 429"
    assert chart.lines[-1].name == "limit"
    assert chart.right_ticks[-1].label == "60"
    assert "limit 50" in chart.hovers[0].tip
    assert "limit 25" in chart.hovers[-1].tip
    other = [*limits, LimitLevel(second=0.0, limit=9, target="us")]
    several = throughput_chart(timeline, pauses, other)
    assert several is not None
    assert [line.name for line in several.lines] == ["asked", "accepted"], "no common limit"


def test_a_long_run_is_measured_in_minutes() -> None:
    chart = throughput_chart([Moments(key="a", asked=0.0, accepted=1_200.0)])
    assert chart is not None
    assert chart.x_title == "minutes since the start"
    assert float(chart.x_ticks[-1].label) <= 21


def test_the_slowest_apps_have_time_lines_that_end_with_the_axis() -> None:
    some = [
        outcome(
            str(n),
            Status.OK,
            name=f"app-{n}",
            started_at=BEGAN,
            duration=float(n),
            time_to_accept=0.1,
            time_to_first_instance=n / 2,
            time_to_running=float(n),
        )
        for n in range(1, 31)
    ]
    # Its second poll came late: what counts is when it ran, which is what the bar shows.
    some[0] = msgspec.structs.replace(some[0], duration=50.0)
    one = report(*some, outcome("x", Status.TIMED_OUT, started_at=BEGAN, duration=99.0))
    found = slowest(one, one.timeline())
    assert found is not None
    assert [line.label for line in found.lines[:2]] == ["app-30", "app-29"]
    assert [segment.name for segment in found.lines[0].segments] == [
        "accepting",
        "starting",
        "scaling",
    ]
    last = found.lines[0].segments[-1]
    assert last.start + last.width == pytest.approx(100)
    assert slowest(report(), []) is None
    failed = report(outcome("x", Status.TIMED_OUT, started_at=BEGAN, duration=9.0))
    alone = slowest(failed, failed.timeline())
    assert alone is not None
    assert list(alone.legend) == ["waiting"]


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
