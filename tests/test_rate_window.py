"""The rate window against a server that counts as the real one does."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from math import ceil, inf

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi import (
    Client,
    DeadlineError,
    DisconnectedError,
    PasswordGrant,
    RateLimitedError,
    RetryPolicy,
)
from aioappsapi._http.limits.rate_window import RateWindow
from aioappsapi._http.limits.throttle import Pause, Throttle
from aioappsapi._http.message import Response
from aioappsapi.sandbox import Faults, Sandbox
from tests.counting import EPOCH, Counting, run, told
from tests.fakes import (
    GET,
    GUID,
    FakeTransport,
    app,
    caller,
    recording,
    request,
    run_virtual,
    settle,
    virtual,
)


class Sent:
    """A window on a clock that is turned by hand, with requests one after the other."""

    def __init__(self, **options: float) -> None:
        self.now = 0.0
        self.in_flight = 0
        self.window = RateWindow(
            lambda: self.in_flight, clock=lambda: self.now, wall=lambda: EPOCH + self.now, **options
        )

    def get(self, response: Response | None) -> int | None:
        self.in_flight += 1
        self.window.observe(response)
        self.in_flight -= 1
        return self.window.left


# -- what is known


def test_a_server_without_a_rate_limit_sets_no_window() -> None:
    sent = Sent()
    assert sent.get(app()) is None
    assert (sent.window.limit, sent.window.resets_in, sent.window.opens_at) == (None, None, -inf)
    assert not sent.window.has_less_than(1_000_000)


def test_the_announced_remainder_is_a_lower_bound_until_its_first_change() -> None:
    sent = Sent()
    # Twenty, of which somebody has used three: 16, 15 and 14 remain, then.
    assert [sent.get(told(n, EPOCH + 60)) for n in (16, 14, 14, 12)] == [16, 15, 14, 13]
    assert sent.window.limit == 20


def test_a_recorded_window_is_read() -> None:
    sent = Sent()
    assert sent.get(recording("rate-limit__first-200").response) == 18
    assert sent.get(recording("rate-limit__404-counts").response) == 6
    assert sent.get(recording("rate-limit__403-counts").response) == 5


def test_requests_in_flight_count_as_spent() -> None:
    sent = Sent()
    sent.get(told(18, EPOCH + 60))
    sent.in_flight = 5
    assert sent.window.left == 13
    assert sent.window.has_less_than(14)
    assert not sent.window.has_less_than(13)


def test_a_lost_answer_may_have_been_counted() -> None:
    sent = Sent()
    sent.get(told(18, EPOCH + 60))
    assert sent.get(None) == 17
    assert sent.get(Response(status=502, headers={}, body=b"")) == 16
    assert sent.get(Response(status=200, headers={}, body=b"")) == 16  # the root is not counted


def test_an_outage_leaves_one_request_at_a_time() -> None:
    sent = Sent()
    sent.get(told(18, EPOCH + 60))
    for _ in range(100):
        sent.get(Response(status=503, headers={}, body=b""))
    assert (sent.window.left, sent.window.opens_at) == (1, -inf)  # to find out
    sent.in_flight = 1
    assert (sent.window.left, sent.window.opens_at > 0) == (0, True)  # and no more than that
    sent.in_flight = 0
    assert sent.get(told(16, EPOCH + 60)) == 16


def test_failures_before_the_first_window_do_not_count() -> None:
    sent = Sent()
    for _ in range(100):
        sent.get(None)
    assert sent.get(told(18, EPOCH + 60)) == 18


def test_counts_of_an_address_do_not_change_counts_of_the_user() -> None:
    sent = Sent()
    sent.get(told(18, EPOCH + 60))
    assert sent.get(recording("rate-limit__unauthenticated-expired-token").response) == 18
    assert sent.window.limit == 20


def test_a_429_counts_and_lowers_the_estimate_of_the_next_window() -> None:
    sent = Sent()
    sent.get(told(18, EPOCH + 60))
    assert sent.get(told(0, EPOCH + 60, status=429)) == 17
    sent.now = 61.0
    assert sent.get(told(18, EPOCH + 120)) == 18


def test_a_late_answer_of_the_previous_window_is_ignored() -> None:
    sent = Sent()
    sent.get(told(18, EPOCH + 60))
    sent.now = 61.0
    assert sent.get(told(18, EPOCH + 120)) == 19
    assert sent.get(told(0, EPOCH + 60)) == 19


def test_the_end_of_a_window_may_differ_by_a_second() -> None:
    sent = Sent()
    ends = [sent.get(told(n, EPOCH + end)) for n, end in ((18, 60), (16, 61), (16, 60), (14, 61))]
    assert ends == [18, 17, 16, 15]


def test_another_client_is_noticed() -> None:
    sent = Sent()
    sent.get(told(18, EPOCH + 60))
    assert sent.get(told(8, EPOCH + 60)) == 8
    assert sent.get(told(6, EPOCH + 60)) == 7


def test_after_a_window_shared_with_others_the_next_estimate_stays_careful() -> None:
    sent = Sent()
    for remaining in (18, 8):
        sent.get(told(remaining, EPOCH + 60))
    sent.now = 60.0
    assert sent.get(told(18, EPOCH + 120)) == 18
    sent.now = 120.0
    assert sent.get(told(18, EPOCH + 180)) == 19


def test_servers_that_count_separately_are_bounded_by_the_lowest_count() -> None:
    sent = Sent()
    sent.get(told(18, EPOCH + 30))
    assert sent.get(told(10, EPOCH + 50)) == 10
    assert sent.get(told(16, EPOCH + 30)) == 10  # that of the other one


def test_the_next_window_opens_when_its_time_has_come() -> None:
    sent = Sent()
    for remaining in (0, 0):
        sent.get(told(remaining, EPOCH + 40))
    assert sent.window.left == 0
    assert 41 <= sent.window.opens_at <= 41.25
    sent.now = sent.window.opens_at
    assert (sent.window.left, sent.window.opens_at) == (20, -inf)


def test_a_server_that_stops_answering_gets_one_request_at_a_time() -> None:
    sent = Sent()
    sent.get(told(0, EPOCH + 40))
    sent.now = 42.0
    assert sent.window.left == 20
    for _ in range(30):
        sent.get(None)
    assert sent.window.left == 1
    sent.now = 90.0
    assert sent.window.left == 20


def test_a_wait_that_is_too_long_is_left_to_the_server() -> None:
    sent = Sent(longest=30)
    sent.get(told(0, EPOCH + 40))
    assert sent.window.opens_at == -inf
    sent.now = 15.0
    assert sent.window.opens_at > 40


def test_the_servers_clock_counts_if_it_sends_a_date() -> None:
    sent = Sent()
    answer = told(0, EPOCH + 340)
    answer.headers["Date"] = formatdate(EPOCH + 300, usegmt=True)  # type: ignore[index]
    sent.get(answer)
    assert sent.window.resets_in == pytest.approx(41.1, abs=0.2)


@pytest.mark.parametrize("date", ["", "soon", "Tue, 99 Nov 2026 99:99:99 GMT"])
def test_a_date_that_is_none_leaves_our_own_time(date: str) -> None:
    sent = Sent()
    answer = told(0, EPOCH + 40)
    answer.headers["Date"] = date  # type: ignore[index]
    sent.get(answer)
    assert sent.window.resets_in == pytest.approx(41.1, abs=0.2)


@pytest.mark.parametrize(
    "header",
    [
        {"X-RateLimit-Limit": "0"},
        {"X-RateLimit-Limit": "many"},
        {"X-RateLimit-Limit": "-5"},
        {"X-RateLimit-Remaining": ""},
        {"X-RateLimit-Reset": "nan"},
        {"X-RateLimit-Reset": "inf"},
    ],
)
def test_unusable_headers_are_ignored(header: dict[str, str]) -> None:
    sent = Sent()
    answer = told(18, EPOCH + 60)
    answer.headers.update(header)  # type: ignore[attr-defined]
    assert sent.get(answer) is None


def test_absurd_numbers_do_not_overflow() -> None:
    sent = Sent()
    for remaining in (10**400, 0, 10**400):
        assert sent.get(told(remaining, EPOCH + 60, limit=10**400)) is None


# -- what comes of it


@pytest.mark.parametrize("exactly", [False, True])
@pytest.mark.parametrize(("limit", "taken"), [(100, 0), (300, 0), (300, 137), (1999, 1500)])
def test_a_client_that_has_the_account_to_itself_gets_no_429_and_loses_no_time(
    limit: int, taken: int, exactly: bool
) -> None:
    async def scenario() -> None:
        server = Counting(limit, taken=taken, exactly=exactly, latency=0.05)
        requests = 5 * limit
        into_window = server.now() % server.width
        took, _ = await run(server, requests)

        windows = ceil((requests + taken) / limit) - 1
        ideal = windows * server.width - into_window + requests % limit * 0.05 / 20
        assert (server.refused, server.answered) == (0, requests)
        assert took <= 1.1 * ideal

    run_virtual(scenario())


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(40, 250),
    used=st.floats(0, 0.7),
    concurrency=st.integers(1, 12),
    ahead=st.floats(-600, 600),
    begins=st.floats(0, 0.999),
    seed=st.integers(0, 9),
)
def test_no_request_is_refused_whatever_the_limit(
    limit: int, used: float, concurrency: int, ahead: float, begins: float, seed: int
) -> None:
    async def scenario() -> None:
        server = Counting(limit, taken=int(limit * used), ahead=ahead, begins=begins, seed=seed)
        _, throttle = await run(server, 3 * limit, concurrency=concurrency)
        assert (server.refused, server.answered) == (0, 3 * limit)
        assert throttle.in_flight == 0

    run_virtual(scenario())


@settings(max_examples=50, deadline=None, derandomize=True)
@given(limit=st.integers(100, 300), hiccups=st.floats(0, 0.03), seed=st.integers(0, 99))
def test_other_failures_cause_at_most_two_refused_requests(
    limit: int, hiccups: float, seed: int
) -> None:
    async def scenario() -> None:
        server = Counting(limit, hiccups=hiccups, latency=0.5, seed=seed)
        await run(server, 2 * limit, concurrency=20)
        assert server.refused <= 2
        assert server.answered == 2 * limit

    run_virtual(scenario())


@virtual
async def test_other_clients_are_noticed_and_no_request_is_lost() -> None:
    server = Counting(200)

    async def other() -> None:
        while True:
            await asyncio.sleep(0.2)
            server.count()

    disturbing = asyncio.create_task(other())
    await run(server, 600)
    disturbing.cancel()
    assert server.answered == 600
    assert server.refused <= 60  # what is in flight when a window ends, of a few windows


@virtual
async def test_with_a_wrong_clock_the_gate_decides_and_no_request_is_lost() -> None:
    server = Counting(100, dated=False, ahead=-30)  # so the window seems to be over early
    took, _ = await run(server, 300)
    assert server.answered == 300
    assert took < 200


@virtual
async def test_a_request_is_sent_anyway_if_the_window_ends_after_its_deadline() -> None:
    # The announced number is rounded down: 0 may stand for a tenth of the limit.
    server = Counting(400, taken=365, latency=0.1)
    one = caller(FakeTransport(server.answer), ceiling=5)
    began = anyio.current_time()
    with anyio.move_on_after(5):
        for _ in range(35):
            await one.call(GET, GUID)
    assert (server.answered, server.refused) == (35, 0)
    with anyio.fail_after(5), pytest.raises(DeadlineError, match="before the deadline"):
        await one.call(GET, GUID)
    assert server.refused == 1
    with anyio.fail_after(5), pytest.raises(DeadlineError, match="nothing was sent"):
        await one.call(GET, GUID)  # the 429 has closed the gate
    assert (server.refused, one.throttle.in_flight) == (1, 0)
    assert anyio.current_time() - began < 20


@virtual
async def test_a_request_waits_if_the_window_ends_before_its_deadline() -> None:
    server = Counting(400, taken=365, latency=0.1)
    one = caller(FakeTransport(server.answer), ceiling=5)
    await one.call(GET, GUID)
    assert one.throttle.closed_for > 0
    with anyio.fail_after(90):
        await one.call(GET, GUID)
    assert server.refused == 0
    assert server.window != 0


@virtual
async def test_an_answer_of_a_request_in_flight_can_reopen_the_window() -> None:
    throttle = Throttle(5, wall=lambda: EPOCH)
    tickets = [await throttle.admit(request(GET)) for _ in range(2)]
    throttle.rate_window.observe(told(0, EPOCH + 60))  # although one of them is still in flight
    assert throttle.closed_for > 50
    waiting = asyncio.create_task(throttle.admit(request(GET)))
    await settle()
    assert not waiting.done()
    throttle.rate_window.observe(told(4, EPOCH + 60))
    throttle.succeeded(tickets[0])
    await waiting
    assert throttle.in_flight == 2


@virtual
async def test_a_pause_is_announced_once_with_its_reason() -> None:
    transport = FakeTransport(Counting(40, latency=0).answer)
    one = caller(transport, ceiling=5)
    pauses: list[Pause] = []
    end = one.throttle.on_pause(pauses.append)
    await asyncio.gather(*(one.call(GET, GUID) for _ in range(60)))
    assert [pause.reason for pause in pauses] == ["the rate window has no requests left"]
    assert 0 < pauses[0].seconds <= 61.25
    end()
    await asyncio.gather(*(one.call(GET, GUID) for _ in range(60)))
    assert len(pauses) == 1


@virtual
async def test_a_pause_above_the_maximum_raises_the_servers_own_refusal() -> None:
    server = Counting(40, latency=0, width=3600)
    one = caller(FakeTransport(server.answer), retry=RetryPolicy(max_retry_after=60))
    one.throttle = Throttle(5, longest_pause=60)
    for _ in range(40):
        await one.call(GET, GUID)
    with pytest.raises(RateLimitedError):
        await one.call(GET, GUID)
    assert one.throttle.closed_for == 0


@virtual
async def test_a_lost_request_counts_as_spent() -> None:
    server = Counting(40, latency=0)
    transport = FakeTransport(server.answer)
    one = caller(transport, retry=RetryPolicy(attempts=1))
    await one.call(GET, GUID)
    left = one.throttle.rate_window.left
    transport.steps = [DisconnectedError("-")]
    with pytest.raises(DisconnectedError):
        await one.call(GET, GUID)
    assert left is not None
    assert one.throttle.rate_window.left == left - 1


async def test_a_run_over_the_sandbox_gets_no_429() -> None:
    faults = Faults(rate_limit=60, rate_window=1.0)
    async with Sandbox(80, faults=faults) as cloud:
        auth = PasswordGrant("admin", "admin")
        async with Client(cloud.url, auth=auth, proxy="") as client:
            await client.apps.get(next(iter(cloud.apps)))
            report = await client.bulk.start(list(cloud.apps), concurrency=10)
            window = client._caller.throttle.rate_window
            assert (window.limit, window.has_less_than(61)) == (60, True)
    assert report.ok
    assert "429" not in report.requests.by_status
