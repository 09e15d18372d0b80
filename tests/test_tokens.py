from __future__ import annotations

import asyncio
import time

import pytest

from aioappsapi.auth.base import Token, jwt_expiry
from aioappsapi.auth.tokens import TokenSource
from aioappsapi.errors import AuthError, ClosedError
from tests.fakes import FakeAuth, FakeEndpoint, jwt, settle, virtual


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
async def test_one_login_serves_all_who_wait() -> None:
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
async def test_cancelling_one_who_waits_does_not_disturb_the_others() -> None:
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
async def test_a_login_that_nobody_waits_for_any_more_is_still_of_use() -> None:
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
async def test_a_failure_is_told_to_all_who_wait_and_then_forgotten() -> None:
    auth = FakeAuth(AuthError("not now", refused=False))
    tokens = source(auth)
    results = await asyncio.gather(*(tokens.get() for _ in range(5)), return_exceptions=True)

    assert [str(result) for result in results] == ["not now"] * 5
    assert auth.logins == 1
    assert await tokens.get() == "bearer token-2"


@virtual
async def test_a_failure_that_nobody_waits_for_is_no_warning() -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    auth = FakeAuth(AuthError("no"), gate=asyncio.Event())
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
async def test_a_token_that_is_over_already_does_not_cost_login_after_login() -> None:
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
async def test_closing_ends_a_login_under_way_and_tells_those_who_wait() -> None:
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


def test_no_secret_in_the_text_of_a_token() -> None:
    secret = Token(access_token="geheim", refresh_token="auch-geheim", expires_at=1.0)

    assert "geheim" not in f"{secret!r} {secret!s} {[secret]}"
    assert secret.authorization == "bearer geheim"


def test_how_long_a_token_lasts() -> None:
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
def test_a_token_that_is_no_jwt_does_not_say_when_it_ends(text: str) -> None:
    assert jwt_expiry(text) is None
