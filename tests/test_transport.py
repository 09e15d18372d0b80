"""The transport over real loopback sockets: the error of each kind of failure."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey
from aioresponses import aioresponses

from aioappsapi._http.call_log import CallLog, recorded
from aioappsapi._http.message import Response
from aioappsapi._http.proxies import Proxies, proxy_from_environment
from aioappsapi._http.transport import (
    SessionPool,
    login_timeouts,
    ssl_context,
    transport_error,
)
from aioappsapi.auth.grants import PasswordGrant, StaticToken
from aioappsapi.client import Client, default_user_agent
from aioappsapi.config import Limits, RetryPolicy, Timeouts, Tls
from aioappsapi.errors import (
    AppsApiError,
    CertificateError,
    ClosedError,
    ConnectError,
    DecodeError,
    DisconnectedError,
    InvalidInputError,
    NotFoundError,
    ReadTimeout,
    RedirectedError,
    TlsError,
    TransportError,
)
from aioappsapi.sandbox import Sandbox
from tests.fakes import GUID, recording
from tests.sockets import free_port

Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@asynccontextmanager
async def raw_server(handle: Raw, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Listen with a handler of bytes; gives the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handle(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answering(data: bytes, seen: list[bytes] | None = None) -> Raw:
    """Read one request, send these bytes and close."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(head)
        writer.write(data)
        await writer.drain()

    return handle


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def http_server(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def pool(
    *,
    timeouts: Timeouts | None = None,
    tls: Tls | ssl.SSLContext | None = None,
    proxy: str | None = "",
    limits: Limits | None = None,
) -> AsyncIterator[SessionPool]:
    made = SessionPool(
        user_agent="test/1",
        timeouts=timeouts or Timeouts(connect=60, read=60, total=60),
        limits=limits or Limits(),
        tls=tls or Tls(),
        proxy=proxy,
    )
    await made.open()
    try:
        yield made
    finally:
        await made.aclose()


async def ask(
    port: int,
    *,
    method: str = "POST",
    scheme: str = "http",
    host: str = "127.0.0.1",
    path: str = "/v3/x",
    headers: Mapping[str, str] | None = None,
    timeouts: Timeouts | None = None,
    tls: Tls | ssl.SSLContext | None = None,
    proxy: str | None = "",
) -> Response:
    async with pool(timeouts=timeouts, tls=tls, proxy=proxy) as opened:
        return await opened.send(method, f"{scheme}://{host}:{port}{path}", headers or {}, None)


async def test_a_request_goes_out_as_it_is_and_its_answer_comes_back() -> None:
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    async def handler(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen.append((request.method, request.raw_path, headers, await request.read()))
        answer = web.Response(status=201, body=b'{"a": 1}')
        answer.headers.add("X-Cf-Warnings", "one")
        answer.headers.add("X-Cf-Warnings", "two")
        return answer

    async with http_server(handler) as port, pool() as opened:
        url = f"http://127.0.0.1:{port}/v3/apps?guids=a,b&names=x%20y%2Cz"
        sent = {"Authorization": "bearer t", "Content-Type": "application/json"}
        answer = await opened.send("POST", url, sent, b"{}")
        await opened.send("POST", url, {}, None)

    method, path, headers, body = seen[0]
    assert (method, path, body) == ("POST", "/v3/apps?guids=a,b&names=x%20y%2Cz", b"{}")
    assert headers["authorization"] == "bearer t"
    assert headers["content-type"] == "application/json"
    assert headers["accept"] == "application/json"
    assert headers["user-agent"] == "test/1"
    assert (answer.status, answer.body, answer.url) == (201, b'{"a": 1}', url)
    assert answer.warnings == ("one", "two")

    _, _, headers, body = seen[1]
    assert (body, headers.get("content-length")) == (b"", "0")
    assert "authorization" not in headers


@pytest.mark.parametrize("status", [204, 404, 429, 503])
async def test_an_error_status_is_returned_as_an_answer(status: int) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status)

    async with http_server(handler) as port:
        assert (await ask(port)).status == status


async def test_connections_are_reused_and_cookies_are_not_kept() -> None:
    peers, cookies = [], []

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("peername"))
        cookies.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "session=1"})

    async with http_server(handler) as port, pool() as opened:
        for _ in range(3):
            await opened.send("GET", f"http://127.0.0.1:{port}/", {}, None)

    assert len(set(peers)) == 1
    assert cookies == [None] * 3


async def test_a_refused_connection_is_a_connect_error() -> None:
    port = free_port()
    with pytest.raises(
        ConnectError, match=f"POST http://127.0.0.1:{port}/v3/x: no connection"
    ) as e:
        await ask(port)

    assert not e.value.delivered
    assert (e.value.method, e.value.url) == ("POST", f"http://127.0.0.1:{port}/v3/x")


async def test_an_unknown_host_is_a_connect_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*args: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    with pytest.raises(ConnectError, match="the host name is not known"):
        await ask(80, host="api.example.invalid")


async def test_a_look_up_of_the_host_that_hangs_counts_as_connecting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang(*args: object, **options: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hang)
    timeouts = Timeouts(connect=0.02, read=5, total=5)
    with pytest.raises(ConnectError, match="no connection in time") as caught:
        await ask(80, host="api.example.invalid", timeouts=timeouts)

    assert not caught.value.delivered


async def test_a_handshake_that_hangs_counts_as_connecting() -> None:
    timeouts = Timeouts(connect=0.05, read=5, total=5)
    async with raw_server(silent) as port:
        with pytest.raises(ConnectError, match="no connection in time"):
            await ask(port, scheme="https", timeouts=timeouts)


@pytest.mark.parametrize("after", ["accept", "request", "half an answer"])
async def test_a_reset_connection_is_a_disconnected_error(after: str) -> None:
    requests = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        if after != "accept":
            await reader.readuntil(b"\r\n\r\n")
            requests += 1
        if after == "half an answer":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            await writer.drain()
        writer.transport.abort()

    async with raw_server(handle) as port:
        with pytest.raises(DisconnectedError) as caught:
            await ask(port)

    assert caught.value.delivered
    assert requests == (after != "accept")


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
async def test_a_connection_that_ends_without_an_answer_is_a_disconnected_error(
    method: str,
) -> None:
    seen: list[bytes] = []
    async with raw_server(answering(b"", seen)) as port:
        with pytest.raises(DisconnectedError, match="the server closed the connection"):
            await ask(port, method=method)

    assert len(seen) == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "broke off"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nxxxx",
            "broke off",
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 two hundred\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "not HTTP"),
    ],
)
async def test_an_unreadable_answer_is_a_disconnected_error(data: bytes, said: str) -> None:
    async with raw_server(answering(data)) as port:
        with pytest.raises(DisconnectedError, match=said) as caught:
            await ask(port)

    assert caught.value.delivered
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "timeouts",
    [Timeouts(connect=60, read=0.05, total=60), Timeouts(connect=60, read=60, total=0.4)],
    ids=["read", "total"],
)
@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"])
async def test_a_late_answer_is_a_read_timeout(timeouts: Timeouts, sent: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await asyncio.Event().wait()

    async with raw_server(handle) as port:
        with pytest.raises(ReadTimeout, match="in time") as caught:
            await ask(port, timeouts=timeouts)

    assert caught.value.delivered


async def test_a_single_request_may_have_timeouts_of_its_own() -> None:
    async with raw_server(silent) as port, pool() as opened:
        with pytest.raises(ReadTimeout):
            await opened.send(
                "GET", f"http://127.0.0.1:{port}/", {}, None, Timeouts(connect=5, read=0.05)
            )


async def test_a_timeout_leaves_no_trace_in_the_task() -> None:
    task = asyncio.current_task()
    assert task is not None
    async with raw_server(silent) as port, pool(timeouts=Timeouts(read=0.02)) as opened:
        with pytest.raises(ReadTimeout):
            await opened.send("GET", f"http://127.0.0.1:{port}/", {}, None)
        assert task.cancelling() == 0
        await asyncio.sleep(0)


async def test_a_cancellation_together_with_a_timeout_stays_a_cancellation() -> None:
    async with raw_server(silent) as port, pool() as opened:
        url = f"http://127.0.0.1:{port}/"
        flying = asyncio.create_task(opened.send("GET", url, {}, None, Timeouts(read=0.02)))
        await asyncio.sleep(0)
        assert opened._watchdog is not None
        opened._watchdog._attempts[flying].cancel()
        flying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flying


async def test_an_answer_that_trickles_in_is_not_late() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", b"x", b"y", b"z"):
            await asyncio.sleep(0.4)
            writer.write(part)
            await writer.drain()

    async with raw_server(trickle) as port:
        answer = await ask(port, timeouts=Timeouts(connect=60, read=1.5, total=60))
    assert answer.body == b"xyz"


async def test_no_timer_is_left_when_nothing_is_in_flight() -> None:
    async with raw_server(answering(OK)) as port:
        opened = SessionPool(
            user_agent="t",
            timeouts=Timeouts(connect=0.01, read=0.01, total=0.01),
            limits=Limits(),
            tls=Tls(),
            proxy=None,
        )
        await opened.open()
        await opened.send("GET", f"http://127.0.0.1:{port}/", {}, None, Timeouts())
        await opened.aclose()
        assert opened._watchdog is not None
        assert opened._watchdog._timer is None


class Stamps(CallLog):
    """Keeps when bytes left."""

    __slots__ = ("times",)

    def __init__(self, outer: CallLog | None = None) -> None:
        super().__init__(outer)
        self.times: list[float] = []

    def sent(self, at: float) -> None:
        super().sent(at)
        self.times.append(at)


async def test_bytes_count_as_sent_once_a_connection_is_there() -> None:
    with recorded(Stamps) as stamps:
        async with raw_server(answering(OK)) as port:
            await ask(port)
        assert len(stamps.times) == 1
        with pytest.raises(ConnectError):
            await ask(free_port())
        async with raw_server(silent) as port:
            with pytest.raises(ConnectError):
                await ask(port, scheme="https", timeouts=Timeouts(connect=0.02))
        assert len(stamps.times) == 1
        async with raw_server(silent) as port:
            with pytest.raises(ReadTimeout):
                await ask(port, timeouts=Timeouts(read=0.02))
    assert len(stamps.times) == 2
    assert (stamps.first_sent_at, stamps.last_sent_at) == tuple(stamps.times)


async def test_requests_of_a_login_are_not_those_of_the_call_that_needs_it() -> None:
    async with Sandbox(1) as cloud:
        [guid] = cloud.apps
        async with Client(cloud.url, auth=PasswordGrant("admin", "admin"), proxy="") as client:
            with recorded(Stamps) as stamps:
                await client.apps.get(guid)
    assert (len(stamps.times), stamps.results) == (1, ["200"])


async def test_a_stubbed_session_counts_as_sent_when_it_gets_the_request() -> None:
    client = Client(
        "http://cc.test", auth=StaticToken("t"), proxy="", retry=RetryPolicy(attempts=1)
    )
    url = f"http://cc.test/v3/apps/{GUID}"
    with aioresponses() as stub, recorded(Stamps) as stamps:
        stub.get(url, body=recording("get-app__stopped").response.body)
        stub.get(url, exception=aiohttp.ServerDisconnectedError())
        async with client:
            assert (await client.apps.get(GUID)).state == "STOPPED"
            with pytest.raises(DisconnectedError):
                await client.apps.get(GUID)
    assert len(stamps.times) == 2


async def test_a_stub_that_lets_a_request_through_counts_it_once() -> None:
    async with raw_server(answering(OK)) as port:
        with (
            aioresponses(passthrough=["http://127.0.0.1"]),  # type: ignore[no-untyped-call]
            recorded(Stamps) as stamps,
        ):
            await ask(port)
    assert len(stamps.times) == 1


@pytest.mark.parametrize("size", [1000, 1001, 300_000])
@pytest.mark.parametrize("known", [True, False])
async def test_a_large_answer_is_read_only_up_to_a_bound(size: int, known: bool) -> None:
    length = f"Content-Length: {size}\r\n" if known else "Connection: close\r\n"
    data = f"HTTP/1.1 200 OK\r\n{length}\r\n".encode() + b"x" * size
    async with raw_server(answering(data)) as port, pool(limits=Limits(max_answer=1000)) as opened:
        answer = await opened.send("GET", f"http://127.0.0.1:{port}/", {}, None)
    assert answer.too_large is (size > 1000)
    assert len(answer.body) == (1000 if size == 1000 else len(answer.body)) <= 4096


async def test_a_gzip_bomb_is_an_error_without_its_memory() -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join([*(packer.compress(bytes(2**20)) for _ in range(300)), packer.flush()])
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    async with raw_server(answering(head.encode() + bomb)) as port:
        limits = Limits(max_answer=2**22)
        client = Client(f"http://127.0.0.1:{port}", auth=StaticToken("t"), proxy="", limits=limits)
        tracemalloc.start()
        try:
            async with client:
                with pytest.raises(DecodeError, match=r"more bytes than Limits\.max_answer"):
                    await client.request("GET", "/v3/apps")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 10 * 2**22


async def test_a_base_address_with_a_path_keeps_it() -> None:
    seen: list[bytes] = []
    body = recording("get-app__stopped").response.body
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with raw_server(answering(head + body, seen)) as port:
        url = f"http://127.0.0.1:{port}/cf/api"
        async with Client(url, auth=StaticToken("t"), proxy="") as client:
            await client.apps.get(GUID)
    assert seen[0].startswith(f"GET /cf/api/v3/apps/{GUID} HTTP".encode())


async def test_headers_that_are_not_utf8_can_be_written_anywhere() -> None:
    head = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nX-Vcap-Request-Id: id-\xe4\r\n"
    head += b"X-Cf-Warnings: old%20st\xe4ck,b%C3%A4d\r\nX-Cf-RouterError: r\xff\r\n\r\n"
    async with raw_server(answering(head)) as port:
        url = f"http://127.0.0.1:{port}"
        async with Client(url, auth=StaticToken("t"), proxy="") as client:
            with client.capture() as exchanges, pytest.raises(NotFoundError) as caught:
                await client.apps.get(GUID)
    error = caught.value
    texts = [str(error), error.request_id, *error.warnings, *error.headers.values()]
    texts += [*exchanges.warnings, *exchanges.request_ids, exchanges.last.request_id]
    assert json.dumps(texts, ensure_ascii=False).encode()
    assert exchanges.warnings == ["old st\ufffdck", "b\u00e4d"]
    assert error.request_id == "id-\ufffd"


async def test_a_redirect_is_not_followed_with_the_token() -> None:
    paths: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with http_server(handler) as port:
        answer = await ask(port, method="GET", path="/v3/apps")
        assert (answer.status, answer.headers["Location"]) == (302, "/elsewhere")
        async with Client(f"http://127.0.0.1:{port}", auth=StaticToken("t")) as client:
            with pytest.raises(RedirectedError, match="redirects to /elsewhere"):
                await client.apps.get(GUID)

    assert paths == ["/v3/apps", f"/v3/apps/{GUID}"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


async def test_an_untrusted_certificate_is_a_certificate_error(server_tls: ssl.SSLContext) -> None:
    seen: list[bytes] = []
    async with raw_server(answering(OK, seen), server_tls) as port:
        with pytest.raises(CertificateError, match="certificate is not trusted") as caught:
            await ask(port, scheme="https", headers={"Authorization": "bearer geheim"})

    assert not caught.value.delivered
    assert seen == []
    assert "geheim" not in str(caught.value)


async def test_a_certificate_of_another_host_is_refused(
    authority: trustme.CA, ca_file: str
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.example.org").configure_cert(context)
    async with raw_server(answering(OK), context) as port:
        with pytest.raises(CertificateError):
            await ask(port, scheme="https", tls=Tls(ca_file=ca_file))


async def test_a_certificate_of_a_given_authority_is_accepted(
    server_tls: ssl.SSLContext, ca_file: str
) -> None:
    async with raw_server(answering(OK), server_tls) as port:
        answer = await ask(port, scheme="https", tls=Tls(ca_file=ca_file))
        assert answer.body == b"ok"
        ready = ssl.create_default_context(cafile=ca_file)
        assert (await ask(port, scheme="https", tls=ready)).body == b"ok"


async def test_insecure_turns_the_check_off(server_tls: ssl.SSLContext) -> None:
    async with raw_server(answering(OK), server_tls) as port:
        assert (await ask(port, scheme="https", tls=Tls(insecure=True))).body == b"ok"


async def test_a_client_certificate_is_sent(
    authority: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    mine = authority.issue_cert("me@example.org")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    mine.cert_chain_pems[0].write_to_path(cert)
    mine.private_key_pem.write_to_path(key)
    shown: list[object] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown.append(writer.get_extra_info("peercert")["subjectAltName"])
        await answering(OK)(reader, writer)

    tls = Tls(ca_file=ca_file, client_cert=str(cert), client_key=str(key))
    async with raw_server(handle, context) as port:
        await ask(port, scheme="https", tls=tls)
        with pytest.raises(TransportError):
            await ask(port, scheme="https", tls=Tls(ca_file=ca_file))

    assert shown == [(("email", "me@example.org"),)]


async def test_a_server_without_tls_is_a_tls_error() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n" * 3)
        await reader.read()

    async with raw_server(handle) as port:
        with pytest.raises(TlsError, match="the TLS handshake failed") as caught:
            await ask(port, scheme="https")

    assert not isinstance(caught.value, CertificateError)


def test_a_missing_or_broken_tls_file_is_refused(tmp_path: Path) -> None:
    missing, broken = str(tmp_path / "none.pem"), tmp_path / "broken.pem"
    broken.write_text("no certificate")

    for tls in (
        Tls(ca_file=missing),
        Tls(ca_file=str(broken)),
        Tls(client_cert=missing),
        Tls(client_cert=str(broken), client_key=missing),
    ):
        with pytest.raises(InvalidInputError, match=r"TLS cannot be set up from .*\.pem"):
            ssl_context(tls)


def test_certificates_are_checked_unless_insecure() -> None:
    checked, unchecked = ssl_context(Tls()), ssl_context(Tls(insecure=True))

    assert (checked.check_hostname, checked.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert (unchecked.check_hostname, unchecked.verify_mode) == (False, ssl.CERT_NONE)


async def test_a_closed_or_never_opened_transport_says_so() -> None:
    unopened = SessionPool(
        user_agent="t", timeouts=Timeouts(), limits=Limits(), tls=Tls(), proxy=None
    )
    with pytest.raises(ClosedError, match="async with Client"):
        await unopened.send("GET", "http://127.0.0.1/", {}, None)

    async with pool() as opened:
        await opened.aclose()
        await opened.aclose()
        with pytest.raises(ClosedError) as caught:
            await opened.send("GET", "http://127.0.0.1/", {}, None)
        assert not caught.value.delivered


async def test_closing_fails_requests_in_flight() -> None:
    arrived = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await asyncio.Event().wait()

    async with raw_server(handle) as port, pool() as opened:
        flying = asyncio.create_task(opened.send("POST", f"http://127.0.0.1:{port}/", {}, None))
        await arrived.wait()
        await opened.aclose()
        with pytest.raises(TransportError) as caught:
            await flying

    assert caught.value.delivered  # the server had it


async def test_cancelling_ends_the_connection() -> None:
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await reader.read()
        ended.set()

    async with raw_server(handle) as port, pool() as opened:
        flying = asyncio.create_task(opened.send("POST", f"http://127.0.0.1:{port}/", {}, None))
        await arrived.wait()
        flying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flying
        await ended.wait()


@pytest.mark.parametrize(
    "url", ["ftp://api.example.org/", "http://", "http://[::1/", "/v3", "http://a:99999/"]
)
async def test_an_impossible_address_is_the_callers_mistake(url: str) -> None:
    async with pool() as opened:
        with pytest.raises(InvalidInputError):
            await opened.send("GET", url, {}, None)


async def test_a_header_that_cannot_be_sent_is_the_callers_mistake() -> None:
    async with raw_server(answering(OK)) as port:
        with pytest.raises(InvalidInputError, match="not a request that can be sent"):
            await ask(port, headers={"Authorization": "a\r\nX-Injected: 1"})


async def test_messages_show_no_password_of_an_address() -> None:
    port = free_port()
    for host in ("user:geheim@127.0.0.1", "geheim@127.0.0.1"):
        with pytest.raises(ConnectError) as caught:
            await ask(port, host=host, path="/v3/x?token=geheim")
        assert "geheim" not in f"{caught.value} {caught.value!r}"
        assert f"http://127.0.0.1:{port}/v3/x" in str(caught.value)


async def test_each_host_has_its_own_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    async with raw_server(answering(OK)) as port, raw_server(answering(OK, seen)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        opened = SessionPool(
            user_agent="test/1",
            timeouts=Timeouts(),
            limits=Limits(),
            tls=Tls(),
            proxy=None,
            base_url=f"http://127.0.0.1:{port}",
        )
        await opened.open()
        try:
            await opened.send("GET", f"http://127.0.0.1:{port}/v3/x", {}, None)
            assert seen == []
            await opened.send("POST", "http://uaa.example.invalid/oauth/token", {}, None)
            await opened.send("GET", f"http://127.0.0.1:{port}/v3/y", {}, None)
        finally:
            await opened.aclose()
    [head] = seen
    assert head.startswith(b"POST http://uaa.example.invalid/oauth/token HTTP/1.1\r\n")


def test_the_environment_is_read_once_for_each_host(monkeypatch: pytest.MonkeyPatch) -> None:
    proxies = Proxies(None)
    monkeypatch.setenv("HTTPS_PROXY", "http://p.test:1")
    monkeypatch.setenv("NO_PROXY", "uaa.test")
    assert str(proxies.find("https://api.test/v3/apps?x=1")) == "http://p.test:1"
    assert proxies.find("https://uaa.test/oauth/token") is None
    monkeypatch.setenv("HTTPS_PROXY", "ftp://p.test")
    assert str(proxies.find("https://api.test/v3")) == "http://p.test:1"
    with pytest.raises(InvalidInputError, match="The proxy's address would look like"):
        proxies.find("https://api.test:8443/v3")
    assert Proxies("").find("https://api.test/v3") is None


async def test_requests_go_through_a_proxy() -> None:
    seen: list[bytes] = []
    async with raw_server(answering(OK, seen)) as port:
        answer = await ask(
            80, host="api.example.invalid", proxy=f"http://user:geheim@127.0.0.1:{port}"
        )

    assert answer.body == b"ok"
    assert seen[0].startswith(b"POST http://api.example.invalid/v3/x HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " in seen[0]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_unreachable_proxy_is_a_connect_error(scheme: str) -> None:
    proxy = f"http://user:geheim@127.0.0.1:{free_port()}"
    with pytest.raises(ConnectError, match="the proxy cannot be reached") as caught:
        await ask(80, host="api.example.invalid", scheme=scheme, proxy=proxy)

    assert "geheim" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


async def test_a_refusal_of_the_proxy_is_a_connect_error() -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with raw_server(answering(refusal)) as port:
        with pytest.raises(ConnectError, match="the proxy refused") as caught:
            await ask(
                443,
                host="api.example.invalid",
                scheme="https",
                proxy=f"http://user:geheim@127.0.0.1:{port}",
            )

    assert "geheim" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    "proxy", ["socks5://u:geheim@p:1", "http://u:geheim@[p", "http://", "http://u:geheim@p:x"]
)
async def test_an_invalid_proxy_address_is_refused(proxy: str) -> None:
    with pytest.raises(InvalidInputError, match="The proxy's address would look like") as caught:
        await ask(80, proxy=proxy)

    assert "geheim" not in str(caught.value)


async def test_a_proxys_address_may_lack_its_scheme() -> None:
    async with raw_server(answering(OK)) as port:
        answer = await ask(80, host="api.example.invalid", proxy=f"127.0.0.1:{port}")

    assert answer.body == b"ok"


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "https://api.example.org", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://api.example.org", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "https://api.example.org", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://api.example.org", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://api.example.org", "http://p:1"),
        (
            {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.org"},
            "https://api.example.org",
            None,
        ),
        (
            {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "other.org,.example.org"},
            "https://api.example.org:8443",
            None,
        ),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://api.example.org", None),
        ({"ALL_PROXY": "http://p:1"}, "https://api.example.org", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "https://a.org", "http://q:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "https://10.1.2.3", None),
        (
            {"ALL_PROXY": "http://p:1", "NO_PROXY": "a.org, 10.0.0.0/8"},
            "https://10.1.2.3:8443",
            None,
        ),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "https://11.1.2.3", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "fd00::/8"}, "https://[fd12::1]", None),
        (
            {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "other.org"},
            "https://api.example.org",
            "http://p:1",
        ),
    ],
)
def test_the_proxy_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, proxy: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert proxy_from_environment(url) == proxy


async def test_the_environment_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    body = recording("get-app__stopped").response.body
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    seen: list[bytes] = []
    async with raw_server(answering(head + body, seen)) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        client = Client("http://api.example.invalid", auth=StaticToken("t"))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
        async with client:
            await client.apps.get(GUID)
            await client.apps.get(GUID)
        assert len(seen) == 2

        no_retry = RetryPolicy(attempts=1)
        direct = Client(f"http://127.0.0.1:{port}", auth=StaticToken("t"), proxy="", retry=no_retry)
        async with direct:
            await direct.apps.get(GUID)

    assert [line.split()[1] for line in seen] == [
        f"http://api.example.invalid/v3/apps/{GUID}".encode(),
        f"http://api.example.invalid/v3/apps/{GUID}".encode(),
        f"/v3/apps/{GUID}".encode(),
    ]


def test_the_default_user_agent_begins_with_aioappsapi() -> None:
    assert default_user_agent().startswith("aioappsapi/")


def _connection_key() -> ConnectionKey:
    return ConnectionKey("api.example.org", 443, True, True, None, None, None)


EXPORTED = {
    name: value
    for name in aiohttp.__all__
    if isinstance(value := getattr(aiohttp, name), type) and issubclass(value, aiohttp.ClientError)
}


def example(cls: type[aiohttp.ClientError]) -> aiohttp.ClientError:
    if issubclass(cls, aiohttp.ClientConnectorError):
        return cls(_connection_key(), OSError(1, "why"))
    return cls.__new__(cls, "why")


@pytest.mark.parametrize("name", sorted(EXPORTED))
def test_every_exception_of_aiohttp_is_mapped(name: str) -> None:
    error = transport_error(example(EXPORTED[name]), "GET", "https://api.example.org/")

    assert isinstance(error, AppsApiError)
    assert isinstance(error, InvalidInputError) == (
        "Url" in name or "URL" in name or name == "NonHttpUrlClientError"
    )
    refused = {
        "ClientConnectorError",
        "ClientConnectorDNSError",
        "ClientProxyConnectionError",
        "ClientHttpProxyError",
        "ConnectionTimeoutError",
    }
    if isinstance(error, TransportError):
        assert isinstance(error, ConnectError) == (
            name in refused or "SSL" in name or "Certificate" in name or "Fingerprint" in name
        )
        assert isinstance(error, CertificateError) == (
            "Certificate" in name or "Fingerprint" in name
        )
        assert isinstance(error, ReadTimeout) == (
            name in {"ServerTimeoutError", "SocketTimeoutError"}
        )


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (TimeoutError(), ReadTimeout),
        (ConnectionResetError(104, "reset"), DisconnectedError),
        (BrokenPipeError(), DisconnectedError),
        (OSError("whatever"), DisconnectedError),
        (ssl.SSLError(1, "handshake"), TlsError),
        (RuntimeError("Session is closed"), ClosedError),
        (ValueError("bad"), InvalidInputError),
        (UnicodeError("bad"), InvalidInputError),
    ],
)
def test_other_exceptions_are_mapped_too(cause: Exception, kind: type[AppsApiError]) -> None:
    assert type(transport_error(cause, "GET", "https://a/")) is kind


def test_an_unknown_exception_is_a_bug_and_passes_through() -> None:
    with pytest.raises(KeyError):
        transport_error(KeyError("x"), "GET", "https://a/")


@pytest.mark.parametrize(
    ("given", "login"),
    [
        (Timeouts(), Timeouts(connect=10, read=30, total=30)),
        (Timeouts(connect=2, read=5, total=8), Timeouts(connect=2, read=5, total=8)),
        (Timeouts(connect=None, read=None, total=None), Timeouts(connect=None, read=30, total=30)),
    ],
)
def test_a_login_is_shorter_than_a_start_may_be(given: Timeouts, login: Timeouts) -> None:
    assert login_timeouts(given) == login


async def test_a_token_endpoint_that_hangs_ends_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioappsapi._http.transport._LONGEST_LOGIN", 0.05)
    async with raw_server(silent) as port, pool(timeouts=Timeouts()) as opened:
        with pytest.raises(ReadTimeout, match="no complete answer in time"):
            await opened.send_apart("POST", f"http://127.0.0.1:{port}/oauth/token", {}, b"")
