from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aioappsapi._http.limits.adaptive import AdaptiveLimit


class Simulation:
    """A server that works on so many requests at once, and makes the others wait."""

    def __init__(self, limit: AdaptiveLimit) -> None:
        self.limit = limit
        self.now = 0.0
        self.latency = 0.1

    def windows(self, count: int, *, width: int, failing: float = 0.0) -> None:
        for _ in range(count):
            size = max(self.limit.limit, 20)
            in_flight = self.limit.limit
            latency = self.latency * max(1.0, in_flight / width)
            for n in range(size):
                self.now += latency / in_flight
                self.limit.ended(self.now, latency, failed=n < failing * size)


def test_it_stays_at_the_ceiling_while_all_is_well() -> None:
    limit = AdaptiveLimit(100)
    Simulation(limit).windows(50, width=1000)
    assert limit.limit == 100


def test_a_single_failure_changes_nothing() -> None:
    limit = AdaptiveLimit(50)
    Simulation(limit).windows(20, width=1000, failing=0.02)
    assert limit.limit == 50


def test_failures_shrink_it_to_one_and_successes_let_it_grow_again() -> None:
    limit = AdaptiveLimit(100)
    simulation = Simulation(limit)
    simulation.windows(30, width=1000, failing=1.0)
    assert limit.limit == 1
    simulation.windows(60, width=1000)
    assert limit.limit == 100


def test_a_refusal_halves_it_and_it_is_come_to_success_by_success() -> None:
    limit = AdaptiveLimit(100)
    limit.refused(10.0)
    seen = []
    for n in range(60):
        seen.append(limit.limit)
        limit.ended(11.0 + n, 0.5, failed=False)
    assert seen[:47] == list(range(4, 51))
    assert 50 <= seen[-1] <= 55


def test_what_was_sent_before_the_refusal_or_failed_after_it_lets_no_more_through() -> None:
    limit = AdaptiveLimit(100)
    limit.refused(10.0)
    for _ in range(10):
        limit.ended(10.2, 0.5, failed=False)
        limit.ended(12.0, 0.5, failed=True)
    assert limit.limit == 4


def test_a_refusal_of_few_lets_half_of_them_through() -> None:
    limit = AdaptiveLimit(4)
    limit.refused(0.0)
    assert limit.limit == 2


def test_it_grows_by_the_same_step_wherever_it_is() -> None:
    limit = AdaptiveLimit(200)
    simulation = Simulation(limit)
    simulation.windows(20, width=1000, failing=1.0)
    seen = []
    for _ in range(10):
        seen.append(limit.limit)
        simulation.windows(1, width=1000)
    assert {after - before for before, after in pairwise(seen)} == {10}


def test_answers_that_are_slow_whatever_is_sent_do_not_starve_it() -> None:
    limit = AdaptiveLimit(100)
    simulation = Simulation(limit)
    simulation.windows(5, width=1000)
    simulation.latency = 2.0  # starts after lists, or the day after the night
    simulation.windows(8, width=1000)
    assert 40 <= limit.limit < 100
    simulation.windows(20, width=1000)
    assert limit.limit == 100


def test_latency_that_grows_without_more_answers_shrinks_it_to_what_does_the_server_good() -> None:
    limit = AdaptiveLimit(200)
    for _ in range(6):
        limit.refused(0.0)  # so that the best latency is known
    simulation = Simulation(limit)
    simulation.windows(300, width=20)
    assert 20 <= limit.limit <= 80


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=300), st.integers(1, 300))
def test_it_is_always_between_one_and_the_ceiling(
    ends: list[tuple[float, bool]], ceiling: int
) -> None:
    limit = AdaptiveLimit(ceiling)
    now = 0.0
    for latency, failed in ends:
        now += latency
        limit.ended(now, latency, failed=failed)
        if failed and latency > 90:
            limit.refused(now)
        assert 1 <= limit.limit <= ceiling
