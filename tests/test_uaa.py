from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aioappsapi.auth.base import Token
from aioappsapi.auth.uaa import Uaa, read_token
from aioappsapi.errors import (
    AppsApiError,
    AuthError,
    CertificateError,
    ClosedError,
    ConnectError,
    DisconnectedError,
    ReadTimeout,
    TargetError,
    TransportError,
)
from tests.fakes import jwt, recording

API = "https://api.example.org"
LOGIN = "https://login.example.org"
UAA = "https://uaa.example.org"


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str] = CIMultiDict()


def answer(status: int, body: object, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, data, CIMultiDict(named))


def root(**links: str | None) -> Answer:
    said = {name: None if href is None else {"href": href} for name, href in links.items()}
    return answer(200, {"links": {"cloud_controller_v3": {"href": f"{API}/v3"}, **said}})


ROOT = root(uaa=UAA, login=LOGIN)
TOKEN = answer(200, {"access_token": "t-1", "token_type": "bearer", "expires_in": 599})


class Network:
    """Answers by address, and keeps what was sent."""

    def __init__(
        self,
        root: Answer | BaseException = ROOT,
        token: Answer | BaseException = TOKEN,
    ) -> None:
        self.answers = {"GET": root, "POST": token}
        self.sent: list[tuple[str, str, dict[str, str], bytes | None]] = []

    async def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        self.sent.append((method, url, dict(headers), body))
        found = self.answers[method]
        if isinstance(found, BaseException):
            raise found
        return found


async def ask(network: Network, **options: bool) -> Token:
    uaa = Uaa(API, network, **options)
    return await uaa.grant("grant_type=x", client_id="cf", client_secret="")


async def test_the_token_comes_from_the_uaa_that_the_api_names() -> None:
    network = Network()
    uaa = Uaa(API, network)
    began = time.monotonic()
    token = await uaa.grant("grant_type=x&a=b", client_id="cf", client_secret="", query="q=1")

    assert [sent[:2] for sent in network.sent] == [
        ("GET", f"{API}/"),
        ("POST", f"{UAA}/oauth/token?q=1"),
    ]
    assert network.sent[0][2:] == ({}, None)  # the root needs no token
    _, _, headers, body = network.sent[1]
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"cf:"
    assert body == b"grant_type=x&a=b"
    assert token.authorization == "bearer t-1"
    assert token.refresh_token is None
    assert token.expires_at is not None
    assert 598 <= token.expires_at - began <= 600


async def test_a_client_secret_is_sent_by_basic_auth_and_not_in_the_form() -> None:
    network = Network()
    await Uaa(API, network).grant("f=1", client_id="me", client_secret="gehéim:x")

    _, url, headers, body = network.sent[1]
    basic = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
    assert basic == "me:gehéim:x"
    assert b"geh" not in (body or b"")
    assert "geh" not in url


async def test_the_uaas_address_is_read_once() -> None:
    network = Network()
    uaa = Uaa(API, network)
    for _ in range(3):
        await uaa.grant("f", client_id="cf", client_secret="")

    assert [sent[0] for sent in network.sent] == ["GET", "POST", "POST", "POST"]


async def test_a_failed_discovery_is_not_remembered() -> None:
    network = Network(root=answer(503, b""))
    uaa = Uaa(API, network)
    with pytest.raises(ConnectError):
        await uaa.discover()
    network.answers["GET"] = root(uaa=f"{UAA}/")

    assert await uaa.discover() == UAA


async def test_the_login_server_is_used_if_no_uaa_is_named() -> None:
    assert await Uaa(API, Network(root(login=LOGIN))).discover() == LOGIN
    assert await Uaa(API, Network(root(login=LOGIN, uaa=None))).discover() == LOGIN


async def test_a_recorded_root_names_a_uaa() -> None:
    recorded = recording("root__global").response
    network = Network(Answer(recorded.status, recorded.body))

    url = await Uaa("http://127.0.0.1", network).discover()
    assert url == json.loads(recorded.body)["links"]["uaa"]["href"]


@pytest.mark.parametrize(
    ("found", "kind", "said"),
    [
        (answer(200, b"<html><title>hi</title>"), TargetError, "without its list of links"),
        (answer(200, {"resources": []}), TargetError, "without its list of links"),
        (answer(200, b""), TargetError, "without its list of links"),
        (answer(200, b"\xff"), TargetError, "without its list of links"),
        (answer(200, b"[" * 100_000), TargetError, "without its list of links"),
        (answer(404, b"not here"), TargetError, "its root answered 404"),
        (answer(302, b""), TargetError, "its root answered 302"),
        (answer(401, {"errors": []}), TargetError, "its root answered 401"),
        (answer(500, b"oops"), ConnectError, "root answered 500"),
        (answer(429, b"null"), ConnectError, "root answered 429"),
        (root(), AuthError, "names no UAA"),
        (root(uaa=None, login=None), AuthError, "names no UAA"),
        (root(uaa=""), AuthError, "names no UAA"),
        (root(uaa="http://uaa.example.org"), AuthError, "without TLS: no password is sent there"),
        (root(uaa="https://[uaa"), AuthError, "no usable address"),
    ],
)
async def test_the_error_for_a_wrong_address_names_the_reason(
    found: Answer, kind: type[AppsApiError], said: str
) -> None:
    network = Network(found)
    with pytest.raises(kind, match=said) as caught:
        await ask(network)

    assert [sent[0] for sent in network.sent] == ["GET"]  # no password went anywhere
    assert "\n" not in str(caught.value)


async def test_a_uaa_without_tls_is_accepted_with_allow_plain_or_a_plain_api() -> None:
    plain = root(uaa="http://uaa.example.org")

    assert (await ask(Network(plain), allow_plain=True)).access_token == "t-1"
    assert await Uaa("http://api.local", Network(plain)).discover() == "http://uaa.example.org"


@pytest.mark.parametrize("cause", [ReadTimeout("slow"), DisconnectedError("reset")])
async def test_an_api_without_an_answer_at_its_root_leaves_no_doubt(
    cause: TransportError,
) -> None:
    """What the caller wants to send has not been sent, so a restart may be tried again."""
    with pytest.raises(ConnectError) as caught:
        await ask(Network(cause))

    assert not caught.value.delivered


async def test_an_untrusted_api_raises_a_certificate_error() -> None:
    with pytest.raises(CertificateError):
        await ask(Network(CertificateError("not trusted")))


@pytest.mark.parametrize("cause", [ReadTimeout("slow"), ConnectError("refused")])
async def test_a_uaa_that_does_not_answer_is_not_a_refusal(cause: TransportError) -> None:
    with pytest.raises(AuthError, match="No token from the UAA") as caught:
        await ask(Network(token=cause))

    assert not caught.value.refused


@pytest.mark.parametrize(
    ("status", "error", "refused"),
    [
        (401, "unauthorized", True),
        (401, "invalid_client", True),
        (400, "invalid_grant", True),
        (403, "insufficient_scope", True),
        (429, "too_many", False),
        (408, "timeout", False),
        (500, "server_error", False),
        (503, "unavailable", False),
    ],
)
async def test_the_uaas_error_is_in_the_auth_error(status: int, error: str, refused: bool) -> None:
    body = {"error": error, "error_description": "Bad\n credentials"}
    with pytest.raises(AuthError) as caught:
        await ask(Network(token=answer(status, body)))

    assert (caught.value.status, caught.value.error) == (status, error)
    assert caught.value.refused is refused
    assert f"{status} {error}: Bad credentials" in str(caught.value)


@pytest.mark.parametrize(
    ("found", "seconds"),
    [
        (answer(429, b"", Retry_After="7"), 7.0),
        (answer(503, b"down", Retry_After="3000"), 3000.0),
        (
            answer(
                503,
                b"",
                Retry_After="Wed, 25 Nov 2026 00:00:30 GMT",
                Date="Wed, 25 Nov 2026 00:00:00 GMT",
            ),
            30.0,
        ),
        (answer(500, b"", Retry_After="soon"), None),
        (answer(500, b""), None),
        (answer(401, b"", Retry_After="7"), None),
    ],
)
async def test_the_uaas_retry_after_is_kept_with_the_error(
    found: Answer, seconds: float | None
) -> None:
    with pytest.raises(AuthError) as caught:
        await ask(Network(token=found))

    assert caught.value.retry_after == seconds


async def test_control_characters_of_the_uaa_do_not_reach_a_terminal() -> None:
    body = {"error": "e", "error_description": "\x1b[31mred\x9b1m"}
    with pytest.raises(AuthError) as caught:
        await ask(Network(token=answer(401, body)))

    assert str(caught.value).isprintable()


async def test_a_client_that_was_closed_during_a_login_is_reported_as_closed() -> None:
    with pytest.raises(ClosedError):
        await ask(Network(token=ClosedError("closed")))


@pytest.mark.parametrize("body", [b"", b"<html>down</html>", b"null", b'{"error": 7}', b"\xff"])
@pytest.mark.parametrize(("status", "refused"), [(401, True), (502, False), (302, False)])
async def test_a_refusal_may_have_any_body(body: bytes, status: int, refused: bool) -> None:
    with pytest.raises(AuthError, match=f"UAA.*: {status}$") as caught:
        await ask(Network(token=Answer(status, body)))

    assert (caught.value.refused, caught.value.error) == (refused, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"access_token": null, "token_type": "bearer"}',
        b'{"access_token": "", "token_type": "bearer"}',
        b'{"access_token": 7, "token_type": "bearer"}',
        b'{"access_token": {"a": 1}, "token_type": "bearer"}',
        b'{"access_token": "a\\r\\nX-Injected: 1", "token_type": "bearer"}',
        b'{"access_token": "a b", "token_type": "bearer"}',
        b'{"access_token": "\xc3\xa9", "token_type": "bearer"}',
        b'{"access_token": "a", "token_type": "bearer", "expires_in": "soon"}',
        b'{"access_token": "a", "token_type": "bearer", "expires_in": [1]}',
        b'{"access_token": "a", "token_type": "bearer", "expires_in": 1e999}',
        b'{"access_token": "a", "token_type": "bearer", "expires_in": 1' + b"0" * 400 + b"}",
        b'{"access_token": "a", "token_type": "bearer", "expires_in": NaN}',
        b'{"access_token": "a", "token_type": "bearer", "refresh_token": 7}',
        b'{"access_token": "a", "token_type": "bearer", "scope": 7}',
        b'{"error": "invalid_grant"}',
    ],
)
async def test_a_success_without_a_token_is_an_error(body: bytes) -> None:
    with pytest.raises(AuthError, match="but not with a token") as caught:
        await ask(Network(token=Answer(200, body)))

    assert not caught.value.refused


@given(st.integers(100, 599), st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_answer_gives_a_token_or_an_auth_error(status: int, body: bytes) -> None:
    try:
        token = read_token(Answer(status, body), 0.0)
    except AuthError as error:
        text = str(error)
    else:
        assert status == 200
        text = token.authorization
    assert len(text.splitlines()) == 1


FIELD = st.none() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.integers())
NAMES = ["access_token", "token_type", "expires_in", "expires_at", "refresh_token", "scope"]


@given(st.dictionaries(st.sampled_from([*NAMES, "error"]), FIELD))
def test_any_fields_give_a_token_or_an_auth_error(fields: dict[str, object]) -> None:
    try:
        token = read_token(answer(200, fields), 0.0)
    except AuthError:
        return
    assert token.access_token == fields["access_token"]
    assert token.authorization.isprintable()


def test_without_expires_in_the_end_is_read_from_the_jwt() -> None:
    access = jwt(exp=time.time() + 300)
    token = read_token(answer(200, {"access_token": access, "token_type": "bearer"}), 0.0)

    assert token.expires_at is not None
    assert 290 < token.expires_at - time.monotonic() <= 300


def test_expires_in_counts_from_the_sending_of_the_request() -> None:
    fields = {"access_token": "a", "token_type": "bearer", "expires_in": 100}

    assert read_token(answer(200, fields), 50.0).expires_at == 150.0


def test_the_authorization_type_is_always_bearer_in_lower_case() -> None:
    fields = {"access_token": "a", "token_type": "Bearer", "refresh_token": "r"}
    token = read_token(answer(200, fields), 0.0)

    assert (token.authorization, token.refresh_token) == ("bearer a", "r")


async def test_no_error_shows_a_secret() -> None:
    for status in (200, 401, 500):
        body = b'{"refresh_token": "geheim"}'
        with pytest.raises(AuthError) as caught:
            await Uaa(API, Network(token=Answer(status, body))).grant(
                "password=geheim", client_id="me", client_secret="geheim"
            )
        assert "geheim" not in f"{caught.value!r} {caught.value!s} {vars(caught.value)}"
    assert "geheim" not in repr(Uaa(API, Network()))
