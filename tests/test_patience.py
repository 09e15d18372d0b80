from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioappsapi._http.limits.patience import Patience, tries_allowed


def test_a_run_gives_up_after_a_minute_of_failures() -> None:
    patience = Patience()
    for second in range(100):
        patience.failed(second)
        assert patience.gives_up(second) is (second >= 60)


def test_fewer_than_twenty_failures_prove_nothing() -> None:
    patience = Patience()
    for _ in range(19):
        patience.failed(0.0)
    assert not patience.gives_up(1_000.0)
    patience.failed(1_000.0)
    assert patience.gives_up(1_000.0)


def test_one_success_makes_a_run_patient_again() -> None:
    patience = Patience(give_up_after=10.0)
    for _ in range(50):
        patience.failed(0.0)
    patience.succeeded()
    assert not patience.gives_up(100.0)
    for _ in range(20):
        patience.failed(100.0)
    assert not patience.gives_up(109.0)
    assert patience.gives_up(110.0)


def test_the_reason_names_the_failures_and_the_remedy() -> None:
    patience = Patience(give_up_after=5.0)
    for second in range(20):
        patience.failed(float(second), "start app 1: 503 CF-ServiceUnavailable")
    assert patience.reason == (
        "The run gave up: its last 20 requests all failed, over 19 s. The last error: "
        "start app 1: 503 CF-ServiceUnavailable. Check that the server is up, then resume or "
        "repeat the run. To wait longer, raise RetryPolicy.give_up_after (--give-up-after)."
    )


@pytest.mark.parametrize(("usual", "tries"), [(0.01, 5), (0.05, 6), (0.15, 10), (0.4, 20)])
def test_more_attempts_are_allowed_if_more_requests_fail_by_chance(
    usual: float, tries: int
) -> None:
    assert tries_allowed(5, usual) == tries


def test_one_attempt_turns_retries_off() -> None:
    assert tries_allowed(1, 0.5) == 1


@given(attempts=st.integers(2, 20), usual=st.floats(0.01, 1.0))
def test_the_number_of_attempts_is_at_least_the_setting_and_never_endless(
    attempts: int, usual: float
) -> None:
    assert attempts <= tries_allowed(attempts, usual) <= 8 * attempts
    chance = min(usual, 0.6) ** tries_allowed(attempts, usual)
    assert chance <= 0.025 ** (attempts - 1)  # rounded, it may be half a try less than five
