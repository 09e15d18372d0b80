"""Durations, time lines and throughput."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioappsapi import InvalidInputError, Status
from aioappsapi.bulk.reports.timing import Moments, Step, goal_of, labels, percentiles
from tests.reports import BAD, BEGAN, OK, REST, outcome, report


def test_percentiles_are_nearest_rank() -> None:
    hundred = [float(n) for n in range(100, 0, -1)]
    assert percentiles(hundred) == {"p50": 50, "p90": 90, "p99": 99, "max": 100}
    assert percentiles([3.0, 1.0]) == {"p50": 1, "p90": 3, "p99": 3, "max": 3}
    assert percentiles([0.25]) == {"p50": 0.25, "p90": 0.25, "p99": 0.25, "max": 0.25}
    assert percentiles([]) == {}


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_members_of_the_input(values: list[float]) -> None:
    found = percentiles(values)
    assert set(found.values()) <= {round(value, 4) for value in values}
    assert found["p50"] <= found["p90"] <= found["p99"] <= found["max"]
    assert found["max"] == round(max(values), 4)
    below = sum(round(value, 4) <= found["p90"] for value in values)
    assert below >= 0.9 * len(values)


def test_timings_cover_accepted_requests() -> None:
    doubted = outcome("d", Status.UNVERIFIED, duration=2.0)
    assert report(OK, BAD, doubted).timings == {
        "accept_s": {"p50": 0.25, "p90": 2.0, "p99": 2.0, "max": 2.0},
        "first_instance_s": {"p50": 2.5, "p90": 2.5, "p99": 2.5, "max": 2.5},
        "running_s": {"p50": 4.5, "p90": 4.5, "p99": 4.5, "max": 4.5},
    }
    nothing: dict[str, dict[str, float]] = {"accept_s": {}, "first_instance_s": {}, "running_s": {}}
    assert report(BAD, REST).timings == nothing


def test_acceptance_and_end_are_separate_times_if_both_were_seen() -> None:
    waited = outcome(
        "w",
        Status.FAILED,
        time_to_accept=0.5,
        time_to_first_instance=3.0,
        duration=60.0,
    )
    timings = report(waited).timings
    assert timings["accept_s"]["max"] == 0.5
    assert timings["first_instance_s"]["max"] == 3.0
    assert timings["running_s"] == {}


# -- the time line


def test_the_time_line_has_the_moments_of_each_app_since_the_start() -> None:
    late = outcome(
        "d",
        Status.OK,
        started_at=BEGAN + timedelta(seconds=2),
        time_to_accept=0.5,
        time_to_first_instance=1.5,
        time_to_running=3.0,
        duration=3.1,
    )
    assert report(OK, BAD, REST, late).timeline() == [
        Moments(
            key="a", name="wéb", asked=0.0, accepted=0.25, first_instance=2.5, all_instances=4.5
        ),
        Moments(key="b", name="worker", asked=0.0),
        Moments(key="c"),
        Moments(key="d", asked=2.0, accepted=2.5, first_instance=3.5, all_instances=5.0),
    ]


def test_throughput_counts_the_events_of_each_step() -> None:
    late = outcome(
        "d",
        Status.OK,
        started_at=BEGAN + timedelta(seconds=1.5),
        time_to_accept=0.25,
        time_to_running=1.0,
    )
    assert report(OK, BAD, REST, late).throughput() == [
        Step(second=0.0, asked=2, accepted=1),
        Step(second=1.0, asked=1, accepted=1),
        Step(second=2.0, running=1),
        Step(second=3.0),
        Step(second=4.0, running=1),
    ]
    assert report(OK).throughput(10) == [Step(second=0.0, asked=1, accepted=1, running=1)]
    assert report(REST).throughput() == report().throughput() == []


def test_work_of_an_earlier_run_does_not_count_for_throughput() -> None:
    earlier = outcome("a", Status.OK, started_at=BEGAN - timedelta(seconds=60), duration=1.0)
    (moments,) = report(earlier).timeline()
    assert (moments.asked, moments.accepted) == (-60, -59)
    assert report(earlier).throughput() == []


@given(st.lists(st.tuples(st.floats(0, 300), st.floats(0, 60)), max_size=20), st.floats(0.1, 100))
def test_throughput_loses_nothing(times: list[tuple[float, float]], step: float) -> None:
    rows = report(
        *(
            outcome(
                str(n),
                Status.OK,
                started_at=BEGAN + timedelta(seconds=at),
                time_to_accept=0.0,
                time_to_running=running,
            )
            for n, (at, running) in enumerate(times)
        )
    ).throughput(step)
    for name in ("asked", "accepted", "running"):
        assert sum(getattr(row, name) for row in rows) == len(times)
    assert [row.second for row in rows] == [round(n * step, 6) for n in range(len(rows))]


@pytest.mark.parametrize("step", [0, -1.0, float("nan")])
def test_a_step_must_be_above_zero(step: float) -> None:
    with pytest.raises(InvalidInputError, match="more than 0 seconds"):
        report(OK).throughput(step)


@pytest.mark.parametrize(
    ("actions", "goal"),
    [
        (["start"], "running"),
        (["stop", "stop"], "stopped"),
        (["stop", "start"], "running or stopped"),
        (["restore"], "running or stopped"),
        (["restage"], "running"),
    ],
)
def test_the_state_at_the_end_is_that_of_the_action(actions: list[str], goal: str) -> None:
    assert goal_of(*actions) == goal
    assert labels(*actions)["running_s"] == goal
