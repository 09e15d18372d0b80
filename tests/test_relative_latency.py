from __future__ import annotations

import pytest

from aioappsapi._http.limits.relative_latency import RelativeLatency


def warm(**seconds: float) -> RelativeLatency:
    latency = RelativeLatency()
    for _ in range(30):
        for operation, took in seconds.items():
            latency.measure(operation, took)
    return latency


def test_operations_of_different_cost_share_one_scale() -> None:
    latency = warm(start=0.1, page=4.0)
    assert latency.measure("start", 0.1) == pytest.approx(latency.measure("page", 4.0))


def test_an_answer_that_takes_twice_as_long_is_twice_as_much() -> None:
    assert warm(start=0.1).measure("start", 0.2) == pytest.approx(2.0)


def test_a_single_answer_that_hung_is_bounded() -> None:
    assert warm(start=0.1).measure("start", 120.0) == pytest.approx(8.0)


def test_answers_that_stay_slow_soon_count_fully() -> None:
    latency = warm(start=0.1)
    assert [latency.measure("start", 10.0) for _ in range(12)][-1] == pytest.approx(100.0)


def test_an_answer_in_no_time_divides_nothing_by_zero() -> None:
    assert RelativeLatency().measure("start", 0.0) == 1.0
