from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi._http.call_log import CallLog, current_call_log
from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.protocol import Operation
from aioappsapi._http.response_errors import response_error
from aioappsapi._http.retry.loop import repeat
from aioappsapi.config import RetryPolicy
from aioappsapi.errors import (
    AppsApiError,
    AuthError,
    ConnectError,
    DeadlineError,
    DisconnectedError,
    NotFoundError,
    RateLimitedError,
    ReadTimeout,
    ResponseError,
    ServerError,
    UnauthorizedError,
)
from tests.fakes import GET, RESTART, START, Pauses, failure, request, run_virtual, virtual

POLICY = RetryPolicy(attempts=5, base=1.0, cap=4.0)


def error(status: int, title: str | None = None, **headers: str) -> ResponseError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return response_error(request(), failure(status, title, named))


def unknown() -> ResponseError:
    return error(500, "UnknownError")


def down() -> ResponseError:
    return error(503, "CF-ServiceUnavailable")


class Attempts:
    """Fails as it is told, then succeeds; counts how often it was asked."""

    def __init__(self, *failures: BaseException) -> None:
        self.failures = list(failures)
        self.count = 0

    async def __call__(self) -> str:
        self.count += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


async def go(
    *failures: AppsApiError,
    operation: Operation[Any] = START,
    policy: RetryPolicy = POLICY,
    renewable: bool = True,
    sleep: Callable[[float], Awaitable[None]] | None = None,
) -> tuple[str | BaseException, Attempts, Pauses]:
    """Go on after the first of the failures; give what came out, and what it took."""
    attempts, pauses = Attempts(*failures[1:]), Pauses()
    result: str | BaseException
    try:
        result = await repeat(
            failures[0],
            attempts,
            request(operation),
            policy,
            Throttle(10),
            renewable=renewable,
            sleep=sleep or pauses,
        )
    except AppsApiError as raised:
        result = raised
    return result, attempts, pauses


async def test_the_first_failure_counts_as_an_attempt_and_is_backed_off_from() -> None:
    result, attempts, pauses = await go(down())

    assert (result, attempts.count, len(pauses)) == ("done", 1, 1)


async def test_attempts_are_bounded_and_the_last_failure_is_raised() -> None:
    failures = [down() for _ in range(9)]
    result, attempts, pauses = await go(*failures)

    assert result is failures[4]
    assert (attempts.count, len(pauses)) == (4, 4)


async def test_one_attempt_means_no_retry() -> None:
    first = down()
    result, attempts, pauses = await go(first, policy=RetryPolicy(attempts=1))

    assert result is first
    assert (attempts.count, pauses) == (0, [])


async def test_a_final_failure_is_raised_at_once() -> None:
    first = error(404, "CF-ResourceNotFound")
    result, attempts, _ = await go(first)

    assert result is first
    assert isinstance(result, NotFoundError)
    assert attempts.count == 0


async def test_a_failure_of_another_kind_ends_it() -> None:
    last = error(404, "CF-ResourceNotFound")
    result, attempts, _ = await go(down(), last, down())

    assert result is last
    assert attempts.count == 1


async def test_a_bug_is_not_retried() -> None:
    attempts = Attempts(KeyError("bug"))
    with pytest.raises(KeyError):
        await repeat(
            down(), attempts, request(), POLICY, Throttle(10), renewable=True, sleep=Pauses()
        )

    assert attempts.count == 1


@given(st.floats(0, 10), st.floats(0, 20), st.integers(2, 12))
def test_pauses_are_drawn_between_zero_and_a_ceiling_that_doubles(
    base: float, cap: float, attempts: int
) -> None:
    async def scenario() -> None:
        policy = RetryPolicy(attempts=attempts, base=base, cap=cap)
        _, _, pauses = await go(*[down() for _ in range(attempts)], policy=policy)

        assert len(pauses) == attempts - 1
        for number, pause in enumerate(pauses):
            assert 0 <= pause <= min(base * 2**number, cap)

    run_virtual(scenario())


async def test_pauses_use_the_whole_range() -> None:
    firsts = [(await go(down()))[2][0] for _ in range(300)]

    assert min(firsts) < 0.1
    assert max(firsts) > 0.9
    assert 0.4 < sum(firsts) / 300 < 0.6


async def test_retry_after_of_any_failure_is_the_least_pause() -> None:
    _, _, pauses = await go(error(503, "CF-ServiceUnavailable", Retry_After="12"))

    assert pauses == [12.0]


async def test_a_429_that_says_when_leaves_the_waiting_to_the_gate() -> None:
    result, _, pauses = await go(error(429, "CF-RateLimitExceeded", Retry_After="12"))

    assert (result, pauses) == ("done", [0.0])


async def test_a_429_that_does_not_say_when_backs_off() -> None:
    _, _, pauses = await go(*[error(429) for _ in range(3)])

    assert len(pauses) == 3
    assert all(0 <= pause <= ceiling for pause, ceiling in zip(pauses, (1, 2, 4), strict=True))
    assert sum(pauses) > 0


async def test_429s_have_a_count_of_their_own() -> None:
    policy = RetryPolicy(attempts=2, rate_limited_attempts=6, base=0)
    limited = [error(429, Retry_After="1") for _ in range(6)]

    result, attempts, _ = await go(*limited[:5], policy=policy)
    assert (result, attempts.count) == ("done", 5)

    result, attempts, _ = await go(*limited, policy=policy)
    assert result is limited[5]
    assert isinstance(result, RateLimitedError)

    result, attempts, _ = await go(*limited[:4], down(), policy=policy)
    assert (result, attempts.count) == ("done", 5)


@pytest.mark.parametrize("status", [429, 503])
async def test_an_answer_with_an_absurd_wait_is_raised_at_once(status: int) -> None:
    title = {503: "CF-ServiceUnavailable"}.get(status)
    first = error(status, title, Retry_After="4000")
    result, attempts, pauses = await go(first)

    assert result is first
    assert (attempts.count, pauses) == (0, [])


async def test_a_wait_of_a_whole_window_is_not_absurd() -> None:
    result, _, _ = await go(error(429, Retry_After="3600"))

    assert result == "done"


async def test_an_unknown_error_is_tried_twice() -> None:
    result, attempts, _ = await go(unknown(), unknown(), unknown())
    assert isinstance(result, ServerError)
    assert attempts.count == 1

    result, attempts, _ = await go(unknown())
    assert (result, attempts.count) == ("done", 1)


async def test_a_call_gets_at_most_two_new_tokens() -> None:
    result, attempts, pauses = await go(error(401, "CF-InvalidAuthToken"))
    assert (result, attempts.count, pauses) == ("done", 1, [0.0])

    third = error(401, "CF-InvalidAuthToken")
    result, attempts, _ = await go(*[error(401, "CF-InvalidAuthToken")] * 2, third)
    assert result is third
    assert attempts.count == 2


async def test_without_another_token_there_is_no_retry() -> None:
    result, attempts, _ = await go(error(401, "CF-InvalidAuthToken"), renewable=False)

    assert isinstance(result, UnauthorizedError)
    assert attempts.count == 0


async def test_a_new_token_costs_no_attempt() -> None:
    policy = RetryPolicy(attempts=2, base=0)
    result, attempts, _ = await go(error(401, "CF-InvalidAuthToken"), down(), policy=policy)

    assert (result, attempts.count) == ("done", 2)


@pytest.mark.parametrize(
    ("first", "repeated"),
    [
        (ConnectError("-"), True),
        (error(503, X_Cf_RouterError="no_endpoints"), True),
        (error(429, Retry_After="1"), True),
        (error(401, "CF-InvalidAuthToken"), True),
        (AuthError("-", refused=False), True),
        (ReadTimeout("-"), False),
        (DisconnectedError("-"), False),
        (error(500, "UnknownError"), False),
        (error(503, "CF-RunnerUnavailable"), False),
        (error(502), False),
    ],
    ids=lambda value: None if isinstance(value, bool) else f"{type(value).__name__}",
)
async def test_a_restart_is_retried_only_if_it_surely_was_not_delivered(
    first: AppsApiError, repeated: bool
) -> None:
    result, attempts, _ = await go(first, operation=RESTART)
    assert attempts.count == int(repeated)
    assert result == "done" if repeated else result is first

    for other in (START, GET):
        assert (await go(first, operation=other))[0] == "done"


async def test_the_call_log_notes_an_ambiguous_attempt() -> None:
    record = CallLog()
    token = current_call_log.set(record)
    try:
        await go(ConnectError("-"))
        assert not record.ambiguous
        await go(ReadTimeout("-"), operation=RESTART)
        assert record.ambiguous
    finally:
        current_call_log.reset(token)


@virtual
async def test_no_pause_goes_beyond_the_deadline() -> None:
    first = error(503, "CF-ServiceUnavailable", Retry_After="30")
    began = anyio.current_time()
    with anyio.fail_after(20):
        result, attempts, pauses = await go(first)

    assert isinstance(result, DeadlineError)
    assert result.last is first
    assert str(first) in str(result)
    assert (attempts.count, pauses) == (0, [])
    assert anyio.current_time() == began


@virtual
async def test_a_429_that_ends_after_the_deadline_is_the_last_failure() -> None:
    first = error(429, "CF-RateLimitExceeded", Retry_After="30")
    with anyio.fail_after(20):
        result, attempts, _ = await go(first)

    assert isinstance(result, DeadlineError)
    assert result.last is first
    assert attempts.count == 0


@virtual
async def test_a_pause_before_the_deadline_is_made() -> None:
    with anyio.fail_after(20):
        result, attempts, _ = await go(
            error(503, "CF-ServiceUnavailable", Retry_After="10"), sleep=anyio.sleep
        )

    assert (result, attempts.count) == ("done", 1)


@virtual
async def test_a_final_failure_is_raised_rather_than_a_deadline_error() -> None:
    first = error(404, "CF-ResourceNotFound")
    with anyio.move_on_after(0):
        result, _, _ = await go(first)
    assert result is first


@virtual
async def test_the_error_of_a_late_call_keeps_no_frames() -> None:
    try:
        raise error(503, "CF-ServiceUnavailable", Retry_After="30")
    except AppsApiError as raised:
        first = raised
    assert first.__traceback__ is not None
    with anyio.fail_after(20):
        result, _, _ = await go(first)

    assert isinstance(result, DeadlineError)
    assert result.last is first
    assert first.__traceback__ is None


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 6), st.lists(st.sampled_from(["down", "reset", "unknown"]), max_size=8))
def test_no_mixture_of_failures_gets_more_attempts_than_allowed(
    attempts: int, kinds: list[str]
) -> None:
    make = {"down": down, "reset": lambda: DisconnectedError("-"), "unknown": unknown}

    async def scenario() -> None:
        failures = [make[kind]() for kind in ["down", *kinds]]
        policy = RetryPolicy(attempts=attempts, base=0)
        result, tried, _ = await go(*failures, policy=policy)

        assert 1 + tried.count <= attempts
        assert (result == "done") == (not tried.failures and tried.count == len(failures))

    run_virtual(scenario())


async def test_retries_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="aioappsapi.retry"):
        await go(down())

    (line,) = caplog.messages
    assert line.startswith("retry in ")
    assert "CF-ServiceUnavailable" in line
