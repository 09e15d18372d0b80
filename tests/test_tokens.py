from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar

import anyio
import pytest

from aioappsapi.auth.base import Token, TokenEndpoint, jwt_expiry
from aioappsapi.auth.tokens import TokenSource
from aioappsapi.errors import AuthError, ClosedError, DeadlineError
from tests.fakes import (
    GET,
    FakeAuth,
    FakeEndpoint,
    FakeTransport,
    caller,
    jwt,
    response,
    settle,
    virtual,
)


class Clock:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 5_000.0

    def __call__(self) -> float:
        return self.now


def source(auth: FakeAuth, clock: Clock | None = None) -> TokenSource:
    return TokenSource(auth, FakeEndpoint(Token(access_token="-")), clock=clock or Clock())


def token(name: str, expires_at: float | None = None, refresh: str | None = None) -> Token:
    return Token(access_token=name, expires_at=expires_at, refresh_token=refresh)


@virtual
async def test_one_login_serves_all_callers() -> None:
    auth = FakeAuth(gate=asyncio.Event())
    tokens = source(auth)
    assert tokens.current() is None
    waiting = [asyncio.create_task(tokens.get()) for _ in range(100)]
    await settle()
    assert auth.gate is not None
    auth.gate.set()

    assert set(await asyncio.gather(*waiting)) == {"bearer token-1"}
    assert auth.logins == 1
    assert tokens.current() == "bearer token-1"
    assert await tokens.get() == "bearer token-1"
    assert auth.logins == 1


@virtual
async def test_cancelling_one_caller_does_not_disturb_the_others() -> None:
    auth = FakeAuth(gate=asyncio.Event())
    tokens = source(auth)
    first, second, third = (asyncio.create_task(tokens.get()) for _ in range(3))
    await settle()
    first.cancel()  # the very one that began the login
    third.cancel()
    await settle()
    assert first.cancelled()
    assert third.cancelled()
    assert auth.gate is not None
    auth.gate.set()

    assert await second == "bearer token-1"
    assert auth.logins == 1


@virtual
async def test_a_login_goes_on_after_its_only_caller_was_cancelled() -> None:
    auth = FakeAuth(gate=asyncio.Event())
    tokens = source(auth)
    only = asyncio.create_task(tokens.get())
    await settle()
    only.cancel()
    await settle()
    assert auth.gate is not None
    auth.gate.set()
    await settle()

    assert tokens.current() == "bearer token-1"


@virtual
async def test_a_failed_login_fails_all_its_callers_with_an_error_of_their_own() -> None:
    auth = FakeAuth(AuthError("not now", refused=False, status=503))
    tokens = source(auth)
    results = await asyncio.gather(*(tokens.get() for _ in range(5)), return_exceptions=True)

    assert [str(result) for result in results] == ["not now"] * 5
    assert len({id(result) for result in results}) == 5
    assert all(isinstance(result, AuthError) and result.status == 503 for result in results)
    assert auth.logins == 1
    assert await tokens.get() == "bearer token-2"


# -- a UAA that fails


def down(retry_after: float | None = None) -> AuthError:
    return AuthError("UAA down", refused=False, status=500, retry_after=retry_after)


def now() -> float:
    return asyncio.get_running_loop().time()


async def retrying(tokens: TokenSource, attempts: int) -> str | AuthError:
    """Do what the call layer does: try again after a failed login."""
    for _ in range(attempts - 1):
        try:
            return await tokens.get()
        except AuthError:
            await asyncio.sleep(0.01)
    try:
        return await tokens.get()
    except AuthError as error:
        return error


@virtual
async def test_a_thousand_apps_behind_a_uaa_that_fails_share_one_login_per_pause() -> None:
    auth = FakeAuth(*[down()] * 2_000)
    tokens = source(auth)
    began = now()
    results = await asyncio.gather(*(retrying(tokens, 5) for _ in range(1_000)))

    assert {type(result) for result in results} == {AuthError}
    assert auth.logins == 5
    # Four pauses of 0.5, 1, 2 and 4 s at most, and of half of that at least.
    assert 3.75 <= now() - began <= 7.6


@virtual
async def test_many_calls_behind_a_uaa_that_answers_500_send_the_password_a_few_times() -> None:
    auth = FakeAuth(*[down()] * 2_000)
    transport = FakeTransport(response())
    calls = caller(transport, auth=auth)
    results = await asyncio.gather(
        *(calls.call(GET, f"app-{n}") for n in range(200)), return_exceptions=True
    )

    assert {type(result) for result in results} == {AuthError}
    assert auth.logins <= 10
    assert transport.sent == []


@virtual
async def test_the_pauses_grow_to_a_quarter_of_a_minute_and_start_again_after_a_success() -> None:
    auth = FakeAuth(*[down()] * 12, token("good", None), down(), token("better", None))
    tokens = source(auth)
    for _ in range(200):
        if await retrying(tokens, 1) == "bearer good":
            break
        await asyncio.sleep(1.0)
    assert auth.logins == 13
    assert 7 * 7.5 < now() - 1_000.0 < 200.0

    tokens.reject("bearer good")
    began = now()
    assert await tokens.get() == "bearer better"
    assert 0.25 <= now() - began <= 0.5


@virtual
async def test_no_call_fails_while_the_uaa_is_away_for_most_of_a_minute() -> None:
    class Away(FakeAuth):
        async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
            self.outcomes = [down()] if 1_005.0 <= now() < 1_045.0 else []
            return await super().obtain(endpoint, previous)

    auth = Away()
    tokens = source(auth)
    await tokens.get()
    await asyncio.sleep(10.0)
    tokens.reject("bearer token-1")
    results = await asyncio.gather(*(tokens.get() for _ in range(1_000)))

    assert len(set(results)) == 1
    assert 6 <= auth.logins <= 13
    assert 1_045.0 <= now() <= 1_060.0


@virtual
async def test_a_uaa_that_is_away_for_longer_fails_all_calls_at_once() -> None:
    auth = FakeAuth(token("good", None), *[down()] * 100)
    tokens = source(auth)
    await tokens.get()
    tokens.reject("bearer good")
    with pytest.raises(AuthError, match="UAA down"):
        await tokens.get()
    assert 45.0 <= now() - 1_000.0 <= 60.0

    began, logins = now(), auth.logins
    for _ in range(1_000):
        with pytest.raises(AuthError, match="UAA down"):
            await tokens.get()
    assert (now(), auth.logins) == (began, logins)

    await asyncio.sleep(1_000.0)  # a failure after a quiet time is the first of its row
    auth.outcomes.clear()
    assert await tokens.get() == "bearer token-" + str(auth.logins)


@virtual
async def test_a_login_waits_for_the_uaas_retry_after() -> None:
    auth = FakeAuth(down(retry_after=7.0))
    tokens = source(auth)
    with pytest.raises(AuthError):
        await tokens.get()
    began = now()

    assert await tokens.get() == "bearer token-2"
    assert now() - began == pytest.approx(7.0)


@virtual
async def test_a_long_retry_after_fails_calls_at_once_and_says_how_long_it_is() -> None:
    auth = FakeAuth(down(retry_after=3_000.0))
    tokens = source(auth)
    with pytest.raises(AuthError):
        await tokens.get()
    await asyncio.sleep(10.0)
    began = now()
    for _ in range(100):
        with pytest.raises(AuthError, match="UAA down") as caught:
            await tokens.get()
        assert caught.value.retry_after == pytest.approx(2_990.0)
    assert (now(), auth.logins) == (began, 1)

    await asyncio.sleep(2_991.0)
    assert await tokens.get() == "bearer token-2"


@virtual
async def test_a_refused_login_is_sent_once_for_all_callers() -> None:
    auth = FakeAuth(*[AuthError("Bad credentials", status=401)] * 100)
    tokens = source(auth)
    for _ in range(100):
        with pytest.raises(AuthError, match="Bad credentials") as caught:
            await tokens.get()
        assert caught.value.refused

    assert auth.logins == 1


@virtual
async def test_a_pause_obeys_cancellation() -> None:
    tokens = source(FakeAuth(down(retry_after=5.0)))
    with pytest.raises(AuthError):
        await tokens.get()
    waiting = asyncio.create_task(tokens.get())
    await settle()
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


@virtual
async def test_a_pause_that_outlasts_the_deadline_fails_at_once() -> None:
    tokens = source(FakeAuth(down(retry_after=5.0)))
    with pytest.raises(AuthError):
        await tokens.get()
    began = now()
    with anyio.move_on_after(3.0), pytest.raises(DeadlineError, match="was not sent") as caught:
        await tokens.get()

    assert "UAA down" in str(caught.value)
    assert isinstance(caught.value.last, AuthError)
    assert now() == began


@virtual
async def test_a_login_that_hangs_ends_with_each_callers_own_deadline() -> None:
    auth = FakeAuth(gate=asyncio.Event())
    tokens = source(auth)
    ended: list[float] = []

    async def call(deadline: float) -> None:
        with anyio.fail_after(deadline):
            with pytest.raises(DeadlineError, match="was not sent"):
                await tokens.get()
            ended.append(now() - 1_000.0)

    patient = asyncio.create_task(tokens.get())
    await asyncio.gather(call(3.0), call(1.0), call(2.0))
    assert ended == pytest.approx([1.0, 2.0, 3.0], abs=0.05)

    assert auth.gate is not None
    auth.gate.set()
    assert await patient == "bearer token-1"
    assert auth.logins == 1


@virtual
async def test_a_scope_that_is_cancelled_already_stays_cancelled() -> None:
    tokens = source(FakeAuth(gate=asyncio.Event()))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await tokens.get()

    assert scope.cancelled_caught
    await tokens.aclose()


@virtual
async def test_a_login_runs_outside_the_context_of_the_call_that_began_it() -> None:
    """What a login sends must not count as sent for the app whose call waits."""
    call: ContextVar[str] = ContextVar("call", default="none")
    seen: list[str] = []

    class Looking(FakeAuth):
        async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
            seen.append(call.get())
            return await super().obtain(endpoint, previous)

    call.set("start app-1")
    await source(Looking()).get()

    assert seen == ["none"]


@virtual
async def test_the_old_token_is_used_while_it_lives_and_its_renewal_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    auth = FakeAuth(token("old", clock.now + 600), *[down()] * 3, token("new", None))
    tokens = source(auth, clock)
    await tokens.get()

    clock.now += 541
    assert await tokens.get() == "bearer old"
    assert await tokens.get() == "bearer old"
    assert auth.logins == 2
    assert "the old one is used" in caplog.text

    clock.now += 40  # 19 s before it ends: the next renewal, which fails too
    await asyncio.sleep(40)
    assert await tokens.get() == "bearer old"
    assert auth.logins == 3

    clock.now += 10  # 9 s before it ends
    await asyncio.sleep(10)
    began = now()
    assert await tokens.get() == "bearer new"
    assert now() > began


@virtual
async def test_a_rejected_token_is_not_used_while_its_renewal_fails() -> None:
    clock = Clock()
    tokens = source(FakeAuth(token("old", clock.now + 600), down(), token("new", None)), clock)
    await tokens.get()
    tokens.reject("bearer old")
    waiting = asyncio.create_task(tokens.get())
    await settle()

    assert tokens.current() is None
    assert await waiting == "bearer new"


@virtual
async def test_closing_forgets_a_failed_login() -> None:
    auth = FakeAuth(down(retry_after=3_000.0))
    tokens = source(auth)
    with pytest.raises(AuthError):
        await tokens.get()
    await tokens.aclose()

    assert await tokens.get() == "bearer token-2"


@virtual
async def test_a_renewal_in_a_closed_client_fails_at_once() -> None:
    tokens = source(FakeAuth(token("good", None), ClosedError("closed"), ClosedError("again")))
    await tokens.get()
    tokens.reject("bearer good")

    with pytest.raises(ClosedError, match="closed"):
        await tokens.get()


@virtual
async def test_a_client_that_closes_during_a_login_begins_no_pause() -> None:
    auth = FakeAuth(ClosedError("closed"))
    tokens = source(auth)
    with pytest.raises(ClosedError):
        await tokens.get()

    assert await tokens.get() == "bearer token-2"
    assert now() == 1_000.0


@virtual
async def test_a_failure_without_a_waiting_caller_causes_no_warning() -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    auth = FakeAuth(AuthError("no", refused=False), gate=asyncio.Event())
    tokens = source(auth)
    only = asyncio.create_task(tokens.get())
    await settle()
    only.cancel()
    await settle()
    assert auth.gate is not None
    auth.gate.set()
    await settle()

    assert told == []
    assert await tokens.get() == "bearer token-2"


@virtual
async def test_a_token_is_renewed_a_minute_before_it_ends() -> None:
    clock = Clock()
    auth = FakeAuth(token("old", clock.now + 600), token("new", clock.now + 1200))
    tokens = source(auth, clock)
    await tokens.get()

    clock.now += 539.9
    assert await tokens.get() == "bearer old"
    clock.now += 0.1
    assert tokens.current() is None
    assert await tokens.get() == "bearer new"
    assert [one and one.access_token for one in auth.previous] == [None, "old"]


@virtual
async def test_a_short_lived_token_is_used_for_half_its_life() -> None:
    clock = Clock()
    auth = FakeAuth(token("short", clock.now + 40), token("new", None))
    tokens = source(auth, clock)
    for _ in range(20):
        assert await tokens.get() == "bearer short"
    clock.now += 19.9
    assert await tokens.get() == "bearer short"
    clock.now += 0.2
    assert await tokens.get() == "bearer new"


@virtual
async def test_an_expired_token_does_not_cause_login_after_login() -> None:
    clock = Clock()
    auth = FakeAuth(*[token("over", clock.now - 10) for _ in range(5)])
    tokens = source(auth, clock)
    for _ in range(5):
        assert await tokens.get() == "bearer over"

    assert auth.logins == 1


@virtual
async def test_a_token_that_does_not_say_when_it_ends_is_kept_until_it_is_rejected() -> None:
    clock = Clock()
    auth = FakeAuth()
    tokens = source(auth, clock)
    await tokens.get()
    clock.now += 1e6
    assert await tokens.get() == "bearer token-1"

    tokens.reject("bearer token-1")
    assert await tokens.get() == "bearer token-2"


@virtual
async def test_rejecting_an_old_token_keeps_the_new_one() -> None:
    auth = FakeAuth()
    tokens = source(auth)
    await tokens.get()
    tokens.reject("bearer token-1")
    await tokens.get()
    tokens.reject("bearer token-1")  # of an answer that was on its way for long

    assert tokens.current() == "bearer token-2"
    assert auth.logins == 2


@virtual
async def test_a_token_that_cannot_be_renewed_stays_even_when_it_is_rejected() -> None:
    clock = Clock()
    auth = FakeAuth(token("fixed", clock.now + 10), renewable=False)
    tokens = source(auth, clock)
    assert not tokens.renewable
    await tokens.get()
    tokens.reject("bearer fixed")
    clock.now += 100

    assert await tokens.get() == "bearer fixed"
    assert auth.logins == 1


@virtual
async def test_closing_ends_a_login_under_way_and_fails_its_callers() -> None:
    auth = FakeAuth(gate=asyncio.Event())
    tokens = source(auth)
    waiting = asyncio.create_task(tokens.get())
    await settle()
    await tokens.aclose()

    with pytest.raises(ClosedError, match="closed during the login"):
        await waiting
    await tokens.aclose()


@virtual
async def test_a_caller_that_is_cancelled_while_the_client_closes_is_cancelled() -> None:
    auth = FakeAuth(gate=asyncio.Event())
    tokens = source(auth)
    waiting = asyncio.create_task(tokens.get())
    await settle()
    closing = asyncio.create_task(tokens.aclose())
    await asyncio.sleep(0)
    waiting.cancel()
    await closing

    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_the_repr_of_a_token_shows_no_secret() -> None:
    secret = Token(access_token="geheim", refresh_token="auch-geheim", expires_at=1.0)

    assert "geheim" not in f"{secret!r} {secret!s} {[secret]}"
    assert secret.authorization == "bearer geheim"


def test_a_token_lasts_until_its_end_is_near() -> None:
    now = time.monotonic()

    assert Token(access_token="-").lasts(1e9)
    assert Token(access_token="-", expires_at=now + 100).lasts(60)
    assert not Token(access_token="-", expires_at=now + 50).lasts(60)


def test_the_end_of_a_jwt_is_read_from_it() -> None:
    ends = jwt_expiry(jwt(exp=time.time() + 600))

    assert ends is not None
    assert 595 < ends - time.monotonic() <= 600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "opaque",
        "a.b",
        "a.b.c",
        "a.é.c",
        "..",
        jwt(sub="me"),
        jwt(exp="soon"),
        jwt(exp=None),
        "a.bnVsbA.c",
        "a.W10.c",
        "a._w.c",
    ],
)
def test_a_token_that_is_not_a_jwt_has_no_known_end(text: str) -> None:
    assert jwt_expiry(text) is None
