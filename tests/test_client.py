"""The client: its address, its login, its views and its end."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import trustme

from aioappsapi import (
    AppsApiError,
    Auth,
    AuthError,
    CertificateError,
    Client,
    ClientCredentials,
    ClosedError,
    ConnectError,
    DeadlineError,
    InvalidInputError,
    JwtBearer,
    Limits,
    Passcode,
    PasswordGrant,
    ReadTimeout,
    RefreshToken,
    RetryPolicy,
    ServerError,
    StaticToken,
    TargetError,
    Timeouts,
    Tls,
    TransportError,
)
from aioappsapi.client import checked_url
from tests.replay import Answer, Seen, Server, app_json, refusal, reply

LOGINS = [
    "CF_API",
    "CF_ACCESS_TOKEN",
    "CF_CLIENT_ID",
    "CF_CLIENT_SECRET",
    "CF_USERNAME",
    "CF_PASSWORD",
    "CF_HOME",
]
PROXIES = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*LOGINS, *PROXIES, *(name.upper() for name in PROXIES)]:
        monkeypatch.delenv(name, raising=False)


class Platform:
    """An API and its UAA at one address; `grants` are the forms that came to the UAA."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.server = Server(self, tls=tls)
        self.grants: list[dict[str, str]] = []
        self.basics: list[str] = []
        self.authorizations: list[str] = []
        self.token: Answer | None = None

    async def __call__(self, seen: Seen) -> Answer:
        if seen.path == "/":
            return reply({"links": {"uaa": {"href": self.server.url}, "login": None}})
        if seen.path == "/oauth/token":
            form = parse_qs(seen.body.decode())
            self.grants.append({name: values[0] for name, values in form.items()})
            basic = seen.headers["Authorization"].removeprefix("Basic ")
            self.basics.append(base64.b64decode(basic).decode())
            granted = {"access_token": "granted", "token_type": "bearer", "expires_in": 600}
            return self.token or reply(granted)
        self.authorizations.append(seen.headers["Authorization"])
        return reply(app_json("a"))


# -- the address


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("https://api.example.org", "https://api.example.org"),
        ("https://api.example.org/", "https://api.example.org"),
        ("  https://api.example.org//\n", "https://api.example.org"),
        ("api.example.org", "https://api.example.org"),
        ("api.example.org:8443", "https://api.example.org:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://gateway.example.org/cf/", "https://gateway.example.org/cf"),
        ("HTTPS://API.example.org", "HTTPS://API.example.org"),
    ],
)
def test_spaces_and_slashes_around_an_address_are_removed(given: str, made: str) -> None:
    assert checked_url(given) == made
    assert Client(given, auth=StaticToken("t")).api_url == made


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "https://",
        "https:///v3",
        "ftp://api.example.org",
        "file:///etc/passwd",
        "https://user:secret@api.example.org",
        "https://user@api.example.org",
        "https://@api.example.org",
        "https://api.example.org?x=1",
        "https://api.example.org?",
        "https://api.example.org/#part",
        "https://api.example.org#",
        "https://api example.org",
        "https://api.exam\nple.org",
        "https://api.exam\tple.org",
        "https://api.example.org\x00",
        "https://api.example.org:port",
        "https://api.example.org:99999",
        "https://[::1",
    ],
)
def test_an_unusable_address_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Client(url, auth=StaticToken("t"))
    assert "secret" not in str(caught.value)


# -- a login from the environment


@pytest.mark.parametrize(
    ("env", "form", "basic"),
    [
        (
            {"CF_CLIENT_ID": "bot", "CF_CLIENT_SECRET": "s3"},
            {"grant_type": "client_credentials"},
            "bot:s3",
        ),
        (
            {"CF_USERNAME": "ann", "CF_PASSWORD": "pä ss"},
            {"grant_type": "password", "username": "ann", "password": "pä ss"},
            "cf:",
        ),
        (
            {
                "CF_CLIENT_ID": "bot",
                "CF_CLIENT_SECRET": "s3",
                "CF_USERNAME": "ann",
                "CF_PASSWORD": "pw",
            },
            {"grant_type": "client_credentials"},
            "bot:s3",
        ),
    ],
    ids=["client", "user", "client before user"],
)
async def test_a_login_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], form: dict[str, str], basic: str
) -> None:
    platform = Platform()
    async with platform.server as server:
        for name, value in {"CF_API": server.url, **env}.items():
            monkeypatch.setenv(name, value)
        async with Client.from_env() as client:
            await client.log_in()
            await client.apps.get("a")
    (granted,) = platform.grants
    assert form.items() <= granted.items()
    assert platform.basics == [basic]
    assert platform.authorizations == ["bearer granted"]


async def test_a_token_in_the_environment_takes_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform()
    async with platform.server as server:
        monkeypatch.setenv("CF_API", server.url)
        monkeypatch.setenv("CF_ACCESS_TOKEN", "bearer mine")
        monkeypatch.setenv("CF_CLIENT_ID", "bot")
        monkeypatch.setenv("CF_USERNAME", "ann")
        async with Client.from_env() as client:
            await client.apps.get("a")
    assert platform.grants == []
    assert platform.authorizations == ["bearer mine"]


API = {"CF_API": "https://api.test"}


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "CF_API is not set: set it to the API's address, like https://"),
        ({"CF_API": "", "CF_ACCESS_TOKEN": "t"}, "CF_API is not set"),
        (API, "No login in the environment: set CF_USERNAME and CF_PASSWORD, or CF_CLIENT_ID"),
        (API | {"CF_USERNAME": "ann"}, "CF_USERNAME is set, but CF_PASSWORD is not"),
        (API | {"CF_PASSWORD": "s3cret"}, "CF_PASSWORD is set, but CF_USERNAME is not"),
        (API | {"CF_CLIENT_ID": "bot"}, "CF_CLIENT_ID is set, but CF_CLIENT_SECRET is not"),
        (API | {"CF_CLIENT_SECRET": "s3cret"}, "CF_CLIENT_SECRET is set, but CF_CLIENT_ID is not"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_missing_variable_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], said: str
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AuthError, match=re.escape(said)) as caught:
        Client.from_env()
    assert "s3cret" not in str(caught.value)


# -- the login of the cf command


def jwt(lifetime: float) -> str:
    def part(data: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'exp': time.time() + lifetime})}.signature"


def log_in_with_cf(home: Path, target: str, **fields: object) -> Path:
    config = {
        "Target": target,
        "AccessToken": f"bearer {jwt(600)}",
        "RefreshToken": "refresh-1",
        "UAAOAuthClient": "cf",
        "SSLDisabled": False,
        **fields,
    }
    path = home / ".cf" / "config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(config))
    return path


async def test_the_token_of_the_cf_command_is_used_and_its_file_is_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform()
    token = jwt(600)
    async with platform.server as server:
        path = log_in_with_cf(tmp_path, server.url, AccessToken=f"bearer {token}")
        before = path.read_bytes()
        monkeypatch.setenv("CF_HOME", str(tmp_path))
        async with Client.from_cf_cli() as client:
            await client.apps.get("a")
    assert platform.authorizations == [f"bearer {token}"]
    assert platform.grants == []
    assert path.read_bytes() == before


async def test_an_expired_login_of_the_cf_command_is_refreshed_in_memory(tmp_path: Path) -> None:
    platform = Platform()
    async with platform.server as server:
        path = log_in_with_cf(tmp_path, server.url, AccessToken=f"bearer {jwt(-5)}")
        before = path.read_bytes()
        async with Client.from_cf_cli(path) as client:
            await client.apps.get("a")
    assert platform.grants[0]["grant_type"] == "refresh_token"
    assert platform.grants[0]["refresh_token"] == "refresh-1"
    assert platform.authorizations == ["bearer granted"]
    assert path.read_bytes() == before


def test_a_cf_command_that_is_not_logged_in_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CF_HOME", str(tmp_path))
    with pytest.raises(AuthError, match="cf login"):
        Client.from_cf_cli()
    log_in_with_cf(tmp_path, "")
    with pytest.raises(AuthError, match="cf api"):
        Client.from_cf_cli()


@pytest.fixture(scope="module")
def untrusted() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize(
    ("disabled", "honour", "works"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
async def test_ssl_disabled_counts_only_with_honour_ssl_disabled(
    tmp_path: Path, untrusted: ssl.SSLContext, disabled: bool, honour: bool, works: bool
) -> None:
    platform = Platform(tls=untrusted)
    retry = RetryPolicy(attempts=1)
    async with platform.server as server:
        path = log_in_with_cf(tmp_path, server.url, SSLDisabled=disabled)
        async with Client.from_cf_cli(path, honour_ssl_disabled=honour, retry=retry) as client:
            if works:
                assert (await client.apps.get("a")).guid == "a"
            else:
                with pytest.raises(CertificateError):
                    await client.apps.get("a")
    assert len(platform.authorizations) == works


async def test_given_tls_settings_override_those_of_the_cf_command(
    tmp_path: Path, untrusted: ssl.SSLContext
) -> None:
    platform = Platform(tls=untrusted)
    async with platform.server as server:
        path = log_in_with_cf(tmp_path, server.url, SSLDisabled=True)
        async with Client.from_cf_cli(
            path, honour_ssl_disabled=True, ssl=Tls(), retry=RetryPolicy(attempts=1)
        ) as client:
            with pytest.raises(CertificateError):
                await client.apps.get("a")


# -- views


async def test_a_view_shares_the_connection_and_the_login() -> None:
    platform = Platform()
    login = ClientCredentials("bot", "s3")
    async with platform.server as server, server.client(auth=login) as client:
        view = client.with_options(retry=RetryPolicy(attempts=2))
        for _ in range(3):
            await client.apps.get("a")
            await view.apps.get("a")
    assert len(server.connections) == 1
    assert len(platform.grants) == 1
    assert len(platform.authorizations) == 6


async def test_a_view_shares_the_limit() -> None:
    now = most = 0

    async def answering(seen: Seen) -> Answer:
        nonlocal now, most
        now += 1
        most = max(most, now)
        for _ in range(3):
            await asyncio.sleep(0)
        now -= 1
        return reply(app_json("a"))

    async with Server(answering) as server, server.client(limits=Limits(concurrency=2)) as client:
        view = client.with_options(timeouts=Timeouts(read=5))
        calls = [one.apps.get("a") for one in (client, view) * 10]
        assert len(await asyncio.gather(*calls)) == 20
        with pytest.raises(InvalidInputError, match="Limits"):
            await view.bulk.start(["a"], concurrency=3)
    assert most == 2


async def test_a_view_has_its_own_retry_policy() -> None:
    async def answering(seen: Seen) -> Answer:
        return refusal(503, "CF-ServiceUnavailable", 10015)

    async with (
        Server(answering) as server,
        server.client(retry=RetryPolicy(attempts=3, base=0)) as client,
    ):
        view = client.with_options(retry=RetryPolicy(attempts=2, base=0))
        for one, tries in ((client, 3), (view, 2), (view.with_options(), 2), (client, 3)):
            server.seen.clear()
            with pytest.raises(ServerError):
                await one.apps.get("a")
            assert len(server.seen) == tries
        report = await view.bulk.restart(["a"])
        assert report.requests.sent == 4, "two tries, and as many at the end of the run"


async def test_a_view_has_its_own_timeouts() -> None:
    async def answering(seen: Seen) -> Answer:
        if seen.path.endswith("slow"):
            await asyncio.Event().wait()
        return reply(app_json("a"))

    async with Server(answering) as server, server.client() as client:
        hasty = client.with_options(timeouts=Timeouts(read=0.05))
        with pytest.raises(ReadTimeout):
            await hasty.apps.get("slow")
        assert (await client.apps.get("a")).guid == "a"
        waiting = asyncio.create_task(client.apps.get("slow"))
        done, _ = await asyncio.wait([waiting], timeout=0.15)
        assert not done, "the client still has its own, longer ones"
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_a_view_closes_with_its_client() -> None:
    platform = Platform()
    async with platform.server as server:
        async with server.client() as client:
            view = client.with_options()
            await view.apps.get("a")
        with pytest.raises(ClosedError):
            await view.apps.get("a")


# -- logging in


async def test_log_in_requests_one_token() -> None:
    platform = Platform()
    login = PasswordGrant("ann", "pw")
    async with platform.server as server, server.client(auth=login) as client:
        await client.log_in()
        assert [seen.path for seen in server.seen][-1] == "/oauth/token"
        await client.apps.get("a")
    assert len(platform.grants) == 1
    assert platform.authorizations == ["bearer granted"]


HTML = Answer(200, b"<html><title>Welcome</title></html>", (("Content-Type", "text/html"),))


@pytest.mark.parametrize(
    ("root", "error"),
    [
        (HTML, TargetError),
        (Answer(404, b"nothing here"), TargetError),
        (Answer(301, b"", (("Location", "https://elsewhere.test/"),)), TargetError),
        (reply({"hello": "world"}), TargetError),
        (reply([]), TargetError),
        (Answer(200, b"\xff\xfe"), TargetError),
        (Answer(502, b"bad gateway"), ConnectError),
        (Answer(429, b""), ConnectError),
        (reply({"links": {"uaa": None, "login": None}}), TargetError),
        (reply({"links": {"cloud_controller_v3": {"href": "http://api.test/v3"}}}), AuthError),
    ],
    ids=lambda value: f"{value.status} {value.body[:9]!r}" if isinstance(value, Answer) else "",
)
async def test_an_address_without_an_api_is_an_error(root: Answer, error: type[Exception]) -> None:
    async def answering(seen: Seen) -> Answer:
        return root

    login = PasswordGrant("ann", "s3cret")
    async with Server(answering) as server, server.client(auth=login) as client:
        with pytest.raises(error) as caught:
            await client.log_in()
    assert type(caught.value) is error
    assert server.url in str(caught.value)
    assert all("s3cret" not in f"{seen.target}{seen.body!r}" for seen in server.seen)


async def test_a_refused_login_is_not_sent_again() -> None:
    platform = Platform()
    platform.token = reply({"error": "unauthorized", "error_description": "Bad credentials"}, 401)
    login = PasswordGrant("ann", "s3cret")
    async with platform.server as server, server.client(auth=login) as client:
        for _ in range(3):
            with pytest.raises(AuthError, match="Bad credentials") as caught:
                await client.log_in()
            assert caught.value.refused
            assert caught.value.error == "unauthorized"
            assert caught.value.status == 401
            assert "s3cret" not in str(caught.value)
        with pytest.raises(AuthError):
            await client.apps.get("a")
    assert len(platform.grants) == 1, "each wrong password counts towards a lock-out"


async def test_an_address_where_nothing_listens_raises_a_connect_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        client = Client(url, auth=StaticToken("t"), retry=RetryPolicy(attempts=1), proxy="")
        async with client:
            with pytest.raises(ConnectError, match=url):
                await client.log_in()
            with pytest.raises(ConnectError, match="GET"):
                await client.apps.get("a")


# -- what is shown


@pytest.mark.parametrize(
    "login",
    [
        StaticToken("s3cret"),
        ClientCredentials("bot", "s3cret"),
        PasswordGrant("ann", "s3cret", client_secret="s3cret"),
        RefreshToken("s3cret"),
        Passcode("s3cret"),
        JwtBearer("s3cret"),
    ],
    ids=lambda login: type(login).__name__,
)
def test_nothing_shows_a_secret(login: Auth) -> None:
    client = Client("https://api.test", auth=login, proxy="http://user:s3cret@proxy.test")
    assert repr(client) == "<Client https://api.test>"
    shown = [login, client, client.bulk, client.apps, client.with_options(), client.apps.list()]
    assert all("s3cret" not in f"{one!r} {one}" for one in shown)


async def test_the_user_agent_names_the_library_unless_it_is_set() -> None:
    platform = Platform()
    async with platform.server as server:
        for settings in ({}, {"user_agent": "mine/1"}):
            async with server.client(**settings) as client:
                await client.apps.get("a")
    first, second = [seen.headers["User-Agent"] for seen in server.seen]
    assert first.startswith("aioappsapi/")
    assert second == "mine/1"


# -- opening and closing


async def test_a_client_that_was_never_opened_says_so() -> None:
    client = Client("http://127.0.0.1:9", auth=StaticToken("t"), retry=RetryPolicy(attempts=1))
    with pytest.raises(ClosedError, match="never opened: use it inside `async with"):
        await client.apps.get("a")
    with pytest.raises(ClosedError, match="never opened"):
        await client.log_in()
    report = await client.bulk.start(["a"])
    assert isinstance(report[0].error, ClosedError)


async def test_a_client_that_is_closed_says_so() -> None:
    platform = Platform()
    async with platform.server as server:
        async with server.client() as client:
            await client.apps.get("a")
        with pytest.raises(ClosedError, match="is closed: its `async with` block has ended"):
            await client.apps.get("a")


async def test_a_nested_async_with_is_refused_and_the_outer_one_goes_on() -> None:
    platform = Platform()
    async with platform.server as server, server.client() as client:
        for again in (client, client.with_options()):
            with pytest.raises(InvalidInputError, match="open already"):
                async with again:
                    raise AssertionError
        assert (await client.apps.get("a")).guid == "a"
    assert len(server.connections) == 1


def in_another_thread(call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine on an event loop of another thread; return what it raised."""

    async def caught() -> BaseException | None:
        try:
            await call()
        except AppsApiError as error:
            return error
        return None

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(caught())).result()


async def test_a_client_on_another_threads_loop_says_so_and_keeps_working_on_its_own() -> None:
    platform = Platform()
    async with platform.server as server, server.client() as client:
        await client.apps.get("a")
        for call in (lambda: client.apps.get("a"), client.aclose, client.log_in):
            error = await asyncio.to_thread(in_another_thread, call)
            assert isinstance(error, ClosedError)
            assert "one client for each event loop" in str(error)
        error = await asyncio.to_thread(in_another_thread, client.open)
        assert isinstance(error, InvalidInputError)
        assert "one client for each event loop" in str(error)
        assert (await client.apps.get("a")).guid == "a"
    assert len(server.connections) == 1


async def test_a_login_under_way_is_not_joined_from_another_loop() -> None:
    came, go_on = asyncio.Event(), asyncio.Event()

    async def answering(seen: Seen) -> Answer:
        came.set()
        await go_on.wait()
        return reply({"links": {"uaa": {"href": server.url}}})

    async with (
        Server(answering) as server,
        server.client(auth=PasswordGrant("ann", "pw")) as client,
    ):
        call = asyncio.create_task(client.apps.get("a"))
        await came.wait()
        error = await asyncio.to_thread(in_another_thread, lambda: client.apps.get("a"))
        assert isinstance(error, ClosedError)
        call.cancel()
        await asyncio.wait([call])


def test_a_client_whose_loop_ended_can_be_closed_or_opened_on_the_next_one() -> None:
    async def main(first: bool) -> None:
        nonlocal client
        async with Platform().server as server:
            if first:
                client = server.client()
                await client.open()
                await client.apps.get("a")
                return
            with pytest.raises(ClosedError, match=r"an earlier asyncio\.run"):
                await client.apps.get("a")
            await client.open()
            await client.aclose()
            await client.aclose()

    client = Client("http://127.0.0.1:9", auth=StaticToken("t"))
    asyncio.run(main(first=True))
    asyncio.run(main(first=False))
    gc.collect()  # a session that leaked would warn, and warnings are errors


async def test_a_login_that_hangs_obeys_the_deadline_and_says_that_nothing_was_sent() -> None:
    async def answering(seen: Seen) -> Answer:
        if seen.path == "/":
            return reply({"links": {"uaa": {"href": server.url}}})
        await asyncio.Event().wait()
        raise AssertionError

    async with (
        Server(answering) as server,
        server.client(auth=PasswordGrant("ann", "pw")) as client,
    ):
        with pytest.raises(DeadlineError, match="the request was not sent"):
            await client.apps.start("a", deadline=0.2)
        with pytest.raises(DeadlineError, match="No token"):
            await client.log_in(deadline=0.2)
        report = await client.bulk.start(["a"], deadline=0.2)
        assert "may have been carried out" not in str(report[0].error)
    assert {seen.path for seen in server.seen} == {"/", "/oauth/token"}


async def test_an_api_that_hangs_at_the_login_obeys_the_deadline() -> None:
    async def answering(seen: Seen) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    async with Server(answering) as server, server.client() as client:
        with pytest.raises(DeadlineError, match="has not answered"):
            await client.log_in(deadline=0.1)


async def test_closing_twice_is_harmless() -> None:
    platform = Platform()
    async with platform.server as server:
        client = await server.client().open()
        await client.apps.get("a")
        await client.aclose()
        await client.aclose()
        with pytest.raises(ClosedError):
            await client.apps.get("a")
        async with client:
            assert (await client.apps.get("a")).guid == "a"


async def test_a_client_that_was_never_opened_can_be_closed() -> None:
    await Client("https://api.test", auth=StaticToken("t")).aclose()


async def test_closing_ends_the_requests_in_flight() -> None:
    came = asyncio.Event()

    async def answering(seen: Seen) -> Answer:
        came.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with Server(answering) as server:
        client = await server.client().open()
        call = asyncio.create_task(client.apps.get("a"))
        await came.wait()
        await client.aclose()
        with pytest.raises(TransportError):
            await asyncio.wait_for(call, 60)
