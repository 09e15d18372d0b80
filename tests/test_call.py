from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable

import anyio
import msgspec
import pytest

from aioappsapi._http.call_log import CallLog, current_call_log
from aioappsapi._http.limits.throttle import Pause
from aioappsapi._http.message import Request, Response
from aioappsapi._http.observer import OnEnd
from aioappsapi._http.retry import loop
from aioappsapi.auth.base import Token
from aioappsapi.auth.grants import StaticToken
from aioappsapi.auth.tokens import TokenSource
from aioappsapi.config import RetryPolicy, Timeouts
from aioappsapi.errors import (
    AuthError,
    ClosedError,
    ConnectError,
    DeadlineError,
    DecodeError,
    DisconnectedError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
    UnauthorizedError,
)
from tests.fakes import (
    BASE,
    GET,
    GUID,
    RESTART,
    START,
    FakeAuth,
    FakeEndpoint,
    FakeTransport,
    Pauses,
    app,
    caller,
    failure,
    jwt,
    recording,
    response,
    settle,
    virtual,
)

EXPIRED = failure(401, "CF-InvalidAuthToken")


def limited(seconds: int) -> Response:
    return failure(429, "CF-RateLimitExceeded", {"Retry-After": str(seconds)})


async def hang() -> Response:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


@contextlib.contextmanager
def recorded():
    record = CallLog()
    token = current_call_log.set(record)
    try:
        yield record
    finally:
        current_call_log.reset(token)


@virtual
async def test_a_call_goes_out_and_comes_back() -> None:
    transport = FakeTransport(recording("start-app__stopped-app").response)
    started = await caller(transport).call(START, GUID)

    (sent,) = transport.sent
    assert (sent.method, sent.url) == ("POST", f"{BASE}/v3/apps/{GUID}/actions/start")
    assert sent.body is None
    assert sent.headers["Authorization"] == "bearer token-1"
    assert "Content-Type" not in sent.headers
    assert started.name == "start-me"


@virtual
async def test_a_body_gets_a_content_type_and_a_query_goes_into_the_url() -> None:
    transport = FakeTransport(app())
    await caller(transport).call(START, GUID, query={"a": "b,c"}, body={"x": 1})

    (sent,) = transport.sent
    assert sent.url.endswith("/start?a=b,c")
    assert sent.headers["Content-Type"] == "application/json"
    assert msgspec.json.decode(sent.body or b"") == {"x": 1}


@virtual
async def test_tenacity_is_entered_only_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: object) -> None:
        raise AssertionError("entered")

    monkeypatch.setattr(loop, "AsyncRetrying", refuse)
    await caller(FakeTransport(app())).call(START, GUID)

    with pytest.raises(AssertionError, match="entered"):
        await caller(FakeTransport(failure(404))).call(START, GUID)


@virtual
async def test_a_bad_argument_costs_no_request_and_no_login() -> None:
    transport, auth = FakeTransport(app()), FakeAuth()
    with pytest.raises(InvalidInputError):
        await caller(transport, auth=auth).call(START, "../spaces")

    assert (transport.sent, auth.logins) == ([], 0)


@virtual
async def test_a_transient_failure_is_retried() -> None:
    transport = FakeTransport(ConnectError("-"), failure(502), app())

    assert (await caller(transport).call(START, GUID)).guid == GUID
    assert len(transport.sent) == 3


@virtual
async def test_every_attempt_has_a_request_id_of_its_own() -> None:
    transport = FakeTransport(failure(502), failure(502), app())
    await caller(transport).call(START, GUID)

    ids = [sent.headers["X-Vcap-Request-Id"] for sent in transport.sent]
    assert len(set(ids)) == 3
    assert all(str(uuid.UUID(one)) == one for one in ids)
    assert not any("Idempotency-Key" in sent.headers for sent in transport.sent)


@virtual
async def test_a_restart_that_may_have_been_delivered_is_not_retried() -> None:
    transport = FakeTransport(DisconnectedError("reset"), app())
    with pytest.raises(DisconnectedError):
        await caller(transport).call(RESTART, GUID)
    assert len(transport.sent) == 1

    transport = FakeTransport(ConnectError("refused"), app())
    await caller(transport).call(RESTART, GUID)
    assert len(transport.sent) == 2


@virtual
async def test_a_success_that_cannot_be_read_is_not_retried() -> None:
    transport = FakeTransport(response(200, "<html>"), app())
    with pytest.raises(DecodeError):
        await caller(transport).call(START, GUID)

    assert len(transport.sent) == 1


@virtual
async def test_a_closed_client_fails_at_once() -> None:
    transport, pauses = FakeTransport(ClosedError("closed")), Pauses()
    with pytest.raises(ClosedError):
        await caller(transport, sleep=pauses).call(START, GUID)

    assert (len(transport.sent), pauses) == (1, [])


@virtual
async def test_a_rejected_token_is_replaced_once_and_the_call_retried() -> None:
    transport, auth = FakeTransport(EXPIRED, app()), FakeAuth()
    await caller(transport, auth=auth).call(RESTART, GUID)

    tokens = [sent.headers["Authorization"] for sent in transport.sent]
    assert tokens == ["bearer token-1", "bearer token-2"]
    assert auth.logins == 2


@virtual
async def test_a_third_rejection_of_a_new_token_is_raised() -> None:
    transport, auth = FakeTransport(EXPIRED), FakeAuth()
    with pytest.raises(UnauthorizedError):
        await caller(transport, auth=auth).call(START, GUID)

    assert (len(transport.sent), auth.logins) == (3, 3)


@virtual
async def test_a_token_that_is_revoked_right_after_its_renewal_is_replaced_once_more() -> None:
    transport, auth = FakeTransport(EXPIRED, EXPIRED, app()), FakeAuth()
    await caller(transport, auth=auth).call(RESTART, GUID)

    tokens = [sent.headers["Authorization"] for sent in transport.sent]
    assert tokens == ["bearer token-1", "bearer token-2", "bearer token-3"]


@virtual
async def test_many_rejections_of_one_token_cost_one_login() -> None:
    auth = FakeAuth()

    class Server(FakeTransport):
        async def send(self, method, url, headers, body, timeouts=None):
            await super().send(method, url, headers, body, timeouts)
            return EXPIRED if headers["Authorization"] == "bearer token-1" else app()

    transport = Server(app())
    one = caller(transport, auth=auth, ceiling=50)
    await asyncio.gather(*(one.call(START, GUID) for _ in range(50)))

    assert auth.logins == 2
    assert len(transport.sent) == 20 + 50  # the limit starts at 20


@virtual
async def test_a_token_that_cannot_be_renewed_is_not_sent_again() -> None:
    transport = FakeTransport(EXPIRED, app())
    token = jwt(exp=time.time() + 600)
    made = caller(transport)
    made._tokens = TokenSource(StaticToken(token), FakeEndpoint(Token(access_token="-")))
    with pytest.raises(UnauthorizedError):
        await made.call(START, GUID)

    assert [sent.headers["Authorization"] for sent in transport.sent] == [f"bearer {token}"]


@virtual
async def test_a_refused_login_is_not_retried_but_a_failed_one_is() -> None:
    transport, auth = FakeTransport(app()), FakeAuth(AuthError("no", refused=True))
    with pytest.raises(AuthError):
        await caller(transport, auth=auth).call(START, GUID)
    assert (auth.logins, transport.sent) == (1, [])

    auth = FakeAuth(AuthError("not now", refused=False))
    await caller(transport, auth=auth).call(RESTART, GUID)
    assert auth.logins == 2


@virtual
async def test_a_429_closes_the_gate_for_all_calls() -> None:
    transport = FakeTransport(limited(30), app())
    one = caller(transport)
    began = anyio.current_time()

    first = asyncio.create_task(one.call(START, GUID))
    await settle()
    others = [asyncio.create_task(one.call(GET, GUID)) for _ in range(5)]
    await settle()
    assert len(transport.sent) == 1
    assert 30 <= one.throttle.closed_for <= 31
    await asyncio.gather(first, *others)

    assert len(transport.sent) == 7
    assert all(30 <= sent.at - began <= 32.1 for sent in transport.sent[1:])


@virtual
async def test_a_call_that_waits_for_the_slot_of_a_429_waits_for_the_gate() -> None:
    transport = FakeTransport(limited(30), app())
    one = caller(transport, ceiling=1)
    await asyncio.gather(*(one.call(START, GUID) for _ in range(3)))

    began, *others = [sent.at for sent in transport.sent]
    assert len(others) == 3
    assert min(others) - began >= 30


@virtual
async def test_after_a_429_requests_go_out_evenly_over_a_second() -> None:
    async def answer() -> Response:
        await asyncio.sleep(1)
        return app()

    transport = FakeTransport(limited(30), answer)
    one = caller(transport, ceiling=64)
    calls = [asyncio.create_task(one.call(START, GUID))]
    await settle()
    calls += [asyncio.create_task(one.call(START, GUID)) for _ in range(40)]
    await asyncio.gather(*calls)

    opening = transport.sent[1].at
    sent = [one.at - opening for one in transport.sent[1:21]]
    assert sent == pytest.approx([number / 20 for number in range(20)])


@virtual
async def test_a_recorded_429_is_obeyed() -> None:
    transport = FakeTransport(recording("rate-limit__429-start").response, app())
    await caller(transport).call(START, GUID)

    first, second = transport.sent
    assert 26 <= second.at - first.at <= 27.1


@virtual
async def test_a_429_without_a_time_closes_the_gate_for_a_moment() -> None:
    transport = FakeTransport(failure(429), app())
    await caller(transport, retry=RetryPolicy(base=2.0)).call(START, GUID)

    first, second = transport.sent
    assert 2.0 <= second.at - first.at <= 4.3


@virtual
async def test_a_429_with_an_absurd_wait_is_raised_at_once() -> None:
    transport = FakeTransport(limited(100_000), app())
    began = anyio.current_time()
    with pytest.raises(RateLimitedError) as caught:
        await caller(transport).call(START, GUID)

    assert caught.value.retry_after == 100_000
    assert anyio.current_time() == began
    assert len(transport.sent) == 1


@virtual
async def test_a_rate_limit_that_outlasts_the_deadline_fails_at_once() -> None:
    transport = FakeTransport(limited(60), app())
    one = caller(transport)
    began = anyio.current_time()
    with pytest.raises(DeadlineError) as caught:
        await one.call(START, GUID, deadline=20)
    assert isinstance(caught.value.last, RateLimitedError)

    with pytest.raises(DeadlineError, match="nothing was sent"):
        await one.call(GET, GUID, deadline=20)
    assert anyio.current_time() == began
    assert (len(transport.sent), one.throttle.in_flight) == (1, 0)


@virtual
async def test_an_answer_that_misses_the_deadline_raises() -> None:
    one = caller(FakeTransport(hang))
    began = anyio.current_time()
    with pytest.raises(DeadlineError, match=r"start app .* deadline of 7 s.*may have been"):
        await one.call(START, GUID, deadline=7)

    assert anyio.current_time() - began == 7
    assert one.throttle.in_flight == 0


@virtual
async def test_no_back_off_goes_beyond_the_deadline() -> None:
    header = {"Retry-After": "30"}
    transport = FakeTransport(failure(503, "CF-ServiceUnavailable", header))
    began = anyio.current_time()
    with pytest.raises(DeadlineError) as caught:
        await caller(transport).call(START, GUID, deadline=20)

    assert getattr(caught.value.last, "title", None) == "CF-ServiceUnavailable"
    assert anyio.current_time() == began


@virtual
async def test_the_deadline_is_for_all_attempts_together() -> None:
    header = {"Retry-After": "4"}
    transport = FakeTransport(failure(503, "CF-ServiceUnavailable", header))
    policy = RetryPolicy(attempts=100, base=0)
    began = anyio.current_time()
    with pytest.raises(DeadlineError):
        await caller(transport, retry=policy).call(START, GUID, deadline=10)

    assert len(transport.sent) == 3
    assert anyio.current_time() - began == 8


@virtual
async def test_the_slot_is_free_during_a_back_off() -> None:
    header = {"Retry-After": "50"}
    transport = FakeTransport(failure(503, "CF-ServiceUnavailable", header), app())
    one = caller(transport, ceiling=1)
    began = anyio.current_time()
    waiting = asyncio.create_task(one.call(START, GUID))
    await settle()

    assert (one.throttle.in_flight, waiting.done()) == (0, False)
    await one.call(GET, GUID)
    assert anyio.current_time() == began
    await waiting
    assert anyio.current_time() - began == 50


@virtual
async def test_the_ceiling_bounds_concurrent_attempts() -> None:
    most = now = 0

    async def answer() -> Response:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(1)
        now -= 1
        return app()

    one = caller(FakeTransport(answer), ceiling=4)
    await asyncio.gather(*(one.call(START, GUID) for _ in range(20)))

    assert most == 4


@pytest.mark.parametrize("where", ["sending", "login", "back-off", "gate", "slot"])
def test_cancellation_frees_the_slot(where: str) -> None:
    @virtual
    async def scenario() -> None:
        steps = {"back-off": failure(502), "sending": hang, "slot": hang}
        transport = FakeTransport(steps.get(where, app()), app())
        auth = FakeAuth(gate=asyncio.Event() if where == "login" else None)
        one = caller(transport, auth=auth, ceiling=1, retry=RetryPolicy(base=100, cap=100))
        if where == "gate":
            one.throttle.close_gate(100)
        tasks = [asyncio.create_task(one.call(START, GUID))]
        if where == "slot":
            tasks.append(asyncio.create_task(one.call(START, GUID)))
        await settle()
        for task in reversed(tasks):
            assert not task.done()
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)

        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert one.throttle.in_flight == 0
        if auth.gate is not None:
            auth.gate.set()
        assert (await one.call(GET, GUID)).guid == GUID

    scenario()


@virtual
async def test_a_call_log_counts_the_attempts() -> None:
    answer = app()
    answer.headers["X-Vcap-Request-Id"] = "theirs"  # type: ignore[index]
    transport = FakeTransport(failure(502), ConnectError("-"), answer)
    with recorded() as record:
        await caller(transport).call(START, GUID)

    assert record.attempts == 3
    assert record.results == ["502", "ConnectError", "200"]
    ours = [sent.headers["X-Vcap-Request-Id"] for sent in transport.sent[:2]]
    assert record.request_ids == [*ours, "theirs"]
    assert record.ambiguous


@virtual
async def test_a_call_log_of_a_success_or_refusal_is_not_ambiguous() -> None:
    with recorded() as record:
        await caller(FakeTransport(app())).call(START, GUID)
        with pytest.raises(NotFoundError):
            await caller(FakeTransport(failure(404, "CF-NotFound"))).call(GET, GUID)

    assert (record.results, record.ambiguous) == (["200", "404"], False)


@virtual
async def test_a_call_log_counts_a_cancelled_attempt() -> None:
    with recorded() as record, pytest.raises(DeadlineError):
        await caller(FakeTransport(hang)).call(START, GUID, deadline=1)

    assert record.results == ["cancelled"]


@virtual
async def test_call_logs_of_concurrent_calls_do_not_mix() -> None:
    one = caller(FakeTransport(failure(502), app()))

    async def count() -> int:
        with recorded() as record:
            await one.call(START, GUID)
        return record.attempts

    assert sorted(await asyncio.gather(count(), count(), count())) == [1, 1, 2]


@virtual
async def test_warnings_of_the_server_are_logged_and_recorded() -> None:
    answer = app()
    answer.headers["X-Cf-Warnings"] = "stack+is+old"  # type: ignore[index]
    handler = _Lines()
    log = logging.getLogger("aioappsapi")
    log.addHandler(handler)
    try:
        with recorded() as record:
            await caller(FakeTransport(answer)).call(START, GUID)
    finally:
        log.removeHandler(handler)

    assert handler.lines == [f"start app {GUID}: the server warns: stack is old"]
    assert record.warnings == ["stack is old"]


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@virtual
async def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    transport = FakeTransport(EXPIRED, limited(3), failure(502), app())
    auth = FakeAuth(Token(access_token="geheim-1"), Token(access_token="geheim-2"))
    with caplog.at_level(logging.DEBUG):
        await caller(transport, auth=auth).call(START, GUID, body={"password": "geheim-3"})

    assert len(caplog.messages) >= 2
    assert "geheim" not in caplog.text


@virtual
async def test_every_attempt_is_a_line_of_the_debug_log(caplog: pytest.LogCaptureFixture) -> None:
    answer = app()
    answer.headers["X-Vcap-Request-Id"] = "theirs"  # type: ignore[index]

    async def late() -> Response:
        await asyncio.sleep(0.25)
        return answer

    one = caller(FakeTransport(ConnectError("-"), late), retry=RetryPolicy(base=0))
    with caplog.at_level(logging.DEBUG, logger="aioappsapi.http"):
        await one.call(GET, GUID, query={"label_selector": "geheim"})

    first, second = [r.getMessage() for r in caplog.records if r.name == "aioappsapi.http"]
    assert first.startswith(f"GET /v3/apps/{GUID}: ConnectError in 0.000 s (")
    assert second == f"GET /v3/apps/{GUID}: 200 in 0.250 s (theirs)"
    assert "geheim" not in caplog.text


@virtual
async def test_a_view_has_other_settings_and_the_same_throttle_and_login() -> None:
    transport, auth = FakeTransport(failure(502), app()), FakeAuth()
    one = caller(transport, auth=auth)
    timeouts = Timeouts(read=1)
    view = one.with_options(retry=RetryPolicy(attempts=1), timeouts=timeouts)
    assert view.throttle is one.throttle

    with pytest.raises(Exception, match="502"):
        await view.call(GET, GUID)
    await one.call(GET, GUID)
    assert [sent.timeouts for sent in transport.sent] == [timeouts, None]
    assert auth.logins == 1


BROKER = failure(429, "CF-ServiceBrokerRateLimitExceeded", {"Retry-After": "30"})


@virtual
async def test_a_429_of_a_service_broker_holds_only_its_own_call_back() -> None:
    transport = FakeTransport(BROKER, app())
    one = caller(transport)
    began = anyio.current_time()
    first = asyncio.create_task(one.call(RESTART, GUID))
    await settle()
    assert one.throttle.closed_for == 0
    await one.call(GET, GUID)
    assert anyio.current_time() == began
    await first
    assert 30 <= anyio.current_time() - began <= 45


@virtual
async def test_a_503_with_a_long_retry_after_is_announced() -> None:
    pauses: list[Pause] = []
    answer = failure(503, "CF-ServiceUnavailable", {"Retry-After": "300"})
    one = caller(FakeTransport(answer, answer, app()))
    one.throttle.on_pause(pauses.append)
    began = anyio.current_time()
    await asyncio.gather(one.call(START, GUID), one.call(GET, GUID))
    assert [round(pause.seconds) for pause in pauses] == [300]
    assert "unavailable" in pauses[0].reason
    assert anyio.current_time() - began == 300


@virtual
async def test_a_short_503_is_not_announced() -> None:
    pauses: list[Pause] = []
    header = {"Retry-After": "2"}
    one = caller(FakeTransport(failure(503, "CF-ServiceUnavailable", header), app()))
    one.throttle.on_pause(pauses.append)
    await one.call(START, GUID)
    assert pauses == []


@virtual
async def test_a_deadline_says_that_nothing_was_sent_if_the_login_hangs() -> None:
    transport = FakeTransport(app())
    one = caller(transport, auth=FakeAuth(gate=asyncio.Event()))
    with pytest.raises(DeadlineError, match="the request was not sent"):
        await one.call(START, GUID, deadline=7)
    assert transport.sent == []


@virtual
async def test_an_unreadable_success_proves_nothing() -> None:
    with recorded() as calls, pytest.raises(DecodeError):
        await caller(FakeTransport(response(200, "<html>"))).call(START, GUID)
    assert (calls.ambiguous, calls.repeat_proves_nothing) == (True, True)

    with recorded() as calls, pytest.raises(DecodeError):
        await caller(FakeTransport(response(200, "<html>"))).call(GET, GUID)
    assert not calls.ambiguous


@virtual
async def test_an_observer_sees_every_attempt_and_may_add_a_header() -> None:
    ended: list[object] = []

    backed_off: list[float] = []
    resent: list[int] = []

    class Observer:
        def attempt(self, request: Request, headers: dict[str, str], resends: int) -> OnEnd:
            headers["traceparent"] = "00-1-2-03"
            resent.append(resends)
            return ended.append

        def waiting(self, request: Request, *, closed: bool) -> Callable[[], object]:
            raise AssertionError("nothing has to wait")

        def backing_off(self, request: Request, seconds: float) -> None:
            backed_off.append(seconds)

    transport = FakeTransport(ConnectError("-"), app())
    one = caller(transport)
    one.observer = Observer()
    await one.with_options(retry=RetryPolicy(base=0), timeouts=None).call(START, GUID)
    assert [type(one) for one in ended] == [ConnectError, Response]
    assert resent == [0, 1]
    assert backed_off == [0.0]
    assert all(sent.headers["traceparent"] == "00-1-2-03" for sent in transport.sent)


@virtual
async def test_request_ids_are_unique_among_clients() -> None:
    ids: list[str] = []
    for _ in range(3):
        transport = FakeTransport(app())
        one = caller(transport)
        for _ in range(3):
            await one.call(GET, GUID)
        ids += [sent.headers["X-Vcap-Request-Id"] for sent in transport.sent]
    assert len(set(ids)) == 9


@virtual
async def test_control_characters_of_a_warning_reach_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = app()
    answer.headers["X-Cf-Warnings"] = "a%1B%5B31mb%0Ac"  # type: ignore[index]
    with caplog.at_level(logging.WARNING):
        await caller(FakeTransport(answer)).call(START, GUID)
    assert "\x1b" not in caplog.text
    assert "a [31mb c" in caplog.text
