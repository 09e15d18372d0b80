from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest

from aioappsapi.auth.base import Auth, Token
from aioappsapi.auth.grants import (
    ClientCredentials,
    JwtBearer,
    Passcode,
    PasswordGrant,
    RefreshToken,
    StaticToken,
)
from aioappsapi.errors import AuthError, InvalidInputError
from tests.fakes import FakeEndpoint, jwt

REFUSED = AuthError("Bad credentials", error="unauthorized", status=401)
NOT_NOW = AuthError("not now", refused=False, status=503)
TOKEN = Token(access_token="a-1")
WITH_REFRESH = Token(access_token="a-1", refresh_token="r-1")


def forms(endpoint: FakeEndpoint) -> list[dict[str, str]]:
    return [dict(parse_qsl(form, strict_parsing=True)) for form, *_ in endpoint.asked]


@pytest.mark.parametrize(
    ("auth", "form", "client", "query"),
    [
        (
            ClientCredentials("me", "sécret"),
            {"grant_type": "client_credentials"},
            ("me", "sécret"),
            {},
        ),
        (
            PasswordGrant("admin", "pass&word=ü +"),
            {"grant_type": "password", "username": "admin", "password": "pass&word=ü +"},
            ("cf", ""),
            {},
        ),
        (
            PasswordGrant("u", "p", origin="ldap", client_id="my", client_secret="own"),
            {"grant_type": "password", "username": "u", "password": "p"},
            ("my", "own"),
            {"login_hint": '{"origin": "ldap"}'},
        ),
        (
            Passcode("123456"),
            {"grant_type": "password", "passcode": "123456"},
            ("cf", ""),
            {},
        ),
        (
            JwtBearer("a.b.c"),
            {
                "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": "a.b.c",
            },
            ("cf", ""),
            {},
        ),
        (
            RefreshToken("r/0+ "),
            {"grant_type": "refresh_token", "refresh_token": "r/0+ "},
            ("cf", ""),
            {},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_each_login_sends_the_form_of_its_grant(
    auth: Auth, form: dict[str, str], client: tuple[str, str], query: dict[str, str]
) -> None:
    endpoint = FakeEndpoint(TOKEN)
    token = await auth.obtain(endpoint, None)

    assert token.access_token == "a-1"
    assert auth.renewable
    assert forms(endpoint) == [form]
    assert endpoint.asked[0][1:3] == client
    assert dict(parse_qsl(endpoint.asked[0][3])) == query


async def test_the_origin_is_sent_as_a_json_login_hint() -> None:
    endpoint = FakeEndpoint(TOKEN)
    await PasswordGrant("u", "p", origin='we"ird&').obtain(endpoint, None)

    hint = dict(parse_qsl(endpoint.asked[0][3]))["login_hint"]
    assert json.loads(hint) == {"origin": 'we"ird&'}


async def test_client_credentials_log_in_again_when_the_token_ends() -> None:
    endpoint = FakeEndpoint(TOKEN)
    auth = ClientCredentials("me", "secret")
    await auth.obtain(endpoint, await auth.obtain(endpoint, None))

    assert [form["grant_type"] for form in forms(endpoint)] == ["client_credentials"] * 2


async def test_a_password_is_used_once_and_then_refreshed() -> None:
    endpoint = FakeEndpoint(WITH_REFRESH, TOKEN, Token(access_token="a-3", refresh_token="r-3"))
    auth = PasswordGrant("u", "p")
    first = await auth.obtain(endpoint, None)
    second = await auth.obtain(endpoint, first)
    third = await auth.obtain(endpoint, second)

    assert forms(endpoint)[1:] == [{"grant_type": "refresh_token", "refresh_token": "r-1"}] * 2
    assert second.refresh_token == "r-1"  # none came, so the old one still counts
    assert third.refresh_token == "r-3"


async def test_a_password_is_used_again_when_the_refresh_token_expires() -> None:
    endpoint = FakeEndpoint(AuthError("expired", error="invalid_token", status=401), TOKEN)
    token = await PasswordGrant("u", "p").obtain(endpoint, WITH_REFRESH)

    assert token.access_token == "a-1"
    assert [form["grant_type"] for form in forms(endpoint)] == ["refresh_token", "password"]


async def test_a_uaa_that_is_down_does_not_cost_a_login_with_the_password() -> None:
    endpoint = FakeEndpoint(NOT_NOW)
    with pytest.raises(AuthError, match="not now"):
        await PasswordGrant("u", "p").obtain(endpoint, WITH_REFRESH)

    assert [form["grant_type"] for form in forms(endpoint)] == ["refresh_token"]


@pytest.mark.parametrize(
    "auth",
    [PasswordGrant("u", "p"), Passcode("once"), JwtBearer("once")],
    ids=lambda auth: type(auth).__name__,
)
async def test_a_refused_credential_of_a_user_is_never_sent_again(auth: Auth) -> None:
    endpoint = FakeEndpoint(REFUSED)
    for _ in range(5):
        with pytest.raises(AuthError, match="Bad credentials") as caught:
            await auth.obtain(endpoint, None)
        assert caught.value.refused
        assert (caught.value.error, caught.value.status) == ("unauthorized", 401)

    assert len(endpoint.asked) == 1


async def test_a_password_that_the_uaa_never_saw_is_sent_later() -> None:
    no_uaa = AuthError("https://api.example.org names no UAA to log in at")
    endpoint = FakeEndpoint(no_uaa, TOKEN)
    auth = PasswordGrant("u", "p")
    with pytest.raises(AuthError, match="names no UAA"):
        await auth.obtain(endpoint, None)

    assert (await auth.obtain(endpoint, None)).access_token == "a-1"


async def test_a_password_is_sent_again_after_the_uaa_failed() -> None:
    endpoint = FakeEndpoint(NOT_NOW, TOKEN)
    auth = PasswordGrant("u", "p")
    with pytest.raises(AuthError):
        await auth.obtain(endpoint, None)

    assert (await auth.obtain(endpoint, None)).access_token == "a-1"


@pytest.mark.parametrize("make", [Passcode, JwtBearer])
async def test_a_one_time_credential_is_sent_once(make: Callable[[str], Any]) -> None:
    endpoint = FakeEndpoint(WITH_REFRESH, TOKEN)
    auth = make("once")
    first = await auth.obtain(endpoint, None)
    second = await auth.obtain(endpoint, first)
    assert forms(endpoint)[1] == {"grant_type": "refresh_token", "refresh_token": "r-1"}
    assert second.refresh_token == "r-1"

    with pytest.raises(AuthError, match=f"A {make.__name__} works once") as caught:
        await auth.obtain(endpoint, TOKEN)
    assert caught.value.refused
    assert len(endpoint.asked) == 2


async def test_a_rotated_refresh_token_is_the_one_that_counts() -> None:
    rotated = [Token(access_token=f"a-{n}", refresh_token=f"r-{n}") for n in (1, 2)]
    endpoint = FakeEndpoint(*rotated, TOKEN, TOKEN)
    told: list[str] = []
    auth = RefreshToken("r-0", on_rotate=told.append)
    for _ in range(4):
        await auth.obtain(endpoint, None)

    assert [form["refresh_token"] for form in forms(endpoint)] == ["r-0", "r-1", "r-2", "r-2"]
    assert told == ["r-1", "r-2"]


async def test_on_rotate_may_be_a_coroutine_function() -> None:
    told: list[str] = []

    async def keep(refresh_token: str) -> None:
        told.append(refresh_token)

    auth = RefreshToken("r-0", on_rotate=keep)
    await auth.obtain(FakeEndpoint(WITH_REFRESH), None)

    assert told == ["r-1"]


async def test_on_rotate_is_not_called_for_a_refresh_token_that_stays() -> None:
    told: list[str] = []
    auth = RefreshToken("r-1", on_rotate=told.append)
    token = await auth.obtain(FakeEndpoint(WITH_REFRESH), None)

    assert told == []
    assert token.refresh_token == "r-1"


def raises_at_once(refresh_token: str) -> None:
    raise OSError(f"no space left for {refresh_token}")


async def raises_later(refresh_token: str) -> None:
    raise ValueError(refresh_token)


@pytest.mark.parametrize("on_rotate", [raises_at_once, raises_later])
async def test_an_on_rotate_that_raises_is_logged_and_the_new_refresh_token_is_kept(
    on_rotate: Callable[[str], Any], caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = FakeEndpoint(Token(access_token="a-1", refresh_token="geheim-1"))
    auth = RefreshToken("r-0", on_rotate=on_rotate)
    assert (await auth.obtain(endpoint, None)).access_token == "a-1"
    await auth.obtain(endpoint, None)

    assert [form["refresh_token"] for form in forms(endpoint)] == ["r-0", "geheim-1"]
    (record,) = caplog.records
    assert "on_rotate failed with" in record.message
    assert "geheim" not in caplog.text


@pytest.mark.parametrize("given", ["{}", "bearer {}", "Bearer {}", "BEARER {}", "  bearer {} \n"])
async def test_a_given_token_may_have_the_bearer_prefix(given: str) -> None:
    access = jwt(exp=time.time() + 600)
    auth = StaticToken(given.format(access))
    endpoint = FakeEndpoint(TOKEN)
    token = await auth.obtain(endpoint, None)

    assert token.authorization == f"bearer {access}"
    assert token.lasts(500)
    assert not token.lasts(700)
    assert (auth.renewable, endpoint.asked) == (False, [])


@pytest.mark.parametrize(
    "make",
    [
        lambda: StaticToken(""),
        lambda: StaticToken("   "),
        lambda: StaticToken("bearer "),
        lambda: StaticToken("basic abc"),
        lambda: StaticToken("two words"),
        lambda: StaticToken("a\r\nX-Injected:1"),
        lambda: StaticToken(None),  # type: ignore[arg-type]
        lambda: PasswordGrant("", "p"),
        lambda: PasswordGrant("u", ""),
        lambda: PasswordGrant("u", None),  # type: ignore[arg-type]
        lambda: PasswordGrant("u", "p", client_id=""),
        lambda: PasswordGrant("u", "abc\udcff"),
        lambda: ClientCredentials("", "s"),
        lambda: ClientCredentials("c", "abc\udcff"),
        lambda: Passcode(""),
        lambda: JwtBearer(""),
        lambda: RefreshToken(""),
    ],
)
def test_an_empty_or_broken_credential_is_refused_at_once(make: Callable[[], Auth]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        make()

    assert "\n" not in str(caught.value)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    "auth",
    [
        StaticToken("geheim"),
        ClientCredentials("me", "geheim"),
        PasswordGrant("me", "geheim", client_secret="geheim"),
        Passcode("geheim"),
        JwtBearer("geheim"),
        RefreshToken("geheim", client_secret="geheim"),
    ],
    ids=lambda auth: type(auth).__name__,
)
def test_the_repr_of_a_login_shows_no_secret(auth: Auth) -> None:
    assert "geheim" not in f"{auth!r} {auth!s} {[auth]}"
    assert type(auth).__name__ in repr(auth)
