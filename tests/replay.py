"""Recorded exchanges of a real server, and two ways to answer with them: a socket, and no socket.

Both take the same `answering`: a coroutine function of what came in. `Server` listens on a real
loopback socket, `Wire` is a transport without any network.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from aioappsapi import Client, RetryPolicy, StaticToken, Timeouts
from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import report_sent
from aioappsapi._http.clock import loop_time
from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.message import Response
from aioappsapi.auth.tokens import TokenSource

RECORDINGS = Path(__file__).with_name("recordings")
ONE_TRY = RetryPolicy(attempts=1, rate_limited_attempts=1)
AT_ONCE = RetryPolicy(base=0.0)
BASE = "http://cc.test"

# Loading the system's authorities takes longer than most tests.
_SSL = ssl.create_default_context()


class Seen(msgspec.Struct, frozen=True):
    """A request as it came in; `target` is the path with its query, as it was sent."""

    method: str
    target: str
    headers: Mapping[str, str] = {}
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class Answer(msgspec.Struct, frozen=True):
    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


Answering = Callable[[Seen], Awaitable[Answer]]


class Recording(msgspec.Struct, frozen=True):
    """One recorded exchange. `category` is the operation that it was recorded for."""

    name: str
    request: dict[str, Any]
    response: dict[str, Any]

    @property
    def category(self) -> str:
        return self.name.partition("__")[0]

    @property
    def method(self) -> str:
        return str(self.request["method"])

    @property
    def target(self) -> str:
        return str(self.request["target"])

    @property
    def status(self) -> int:
        return int(self.response["status"])

    @property
    def text(self) -> str:
        return self.response["body"] or ""

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def answer(self) -> Answer:
        headers = tuple((name, value) for name, value in self.response["headers"])
        return Answer(self.status, self.text.encode(), headers)

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.response["headers"] if key.lower() == name.lower()]
        return found[0] if found else None


def recordings(*categories: str) -> list[Recording]:
    """Read all recordings of some categories, in the order of their names."""
    paths = sorted(path for one in categories for path in RECORDINGS.glob(f"{one}__*.json"))
    return [msgspec.json.decode(path.read_bytes(), type=Recording) for path in paths]


def recording(name: str) -> Recording:
    """Read one recording."""
    return msgspec.json.decode((RECORDINGS / f"{name}.json").read_bytes(), type=Recording)


def reply(value: object, status: int = 200, **headers: str) -> Answer:
    """Make an answer of JSON; underscores of the headers' names become dashes."""
    pairs = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    return Answer(
        status, json.dumps(value).encode(), (("Content-Type", "application/json"), *pairs)
    )


def refusal(status: int, title: str, code: int = 10001, detail: str = "No.") -> Answer:
    """Make an answer that holds one error of the server."""
    return reply({"errors": [{"code": code, "title": title, "detail": detail}]}, status)


def app_json(guid: str, **fields: object) -> dict[str, object]:
    """Make a small app as the server sends it."""
    return {
        "guid": guid,
        "name": f"name-of-{guid}",
        "state": "STARTED",
        "lifecycle": {"type": "buildpack", "data": {"buildpacks": [], "stack": "cflinuxfs4"}},
        "relationships": {"space": {"data": {"guid": "space-1"}}},
        **fields,
    }


def always(one: Recording) -> Answering:
    """Answer everything with one recording."""

    async def answering(seen: Seen) -> Answer:
        return one.answer

    return answering


def lookup(table: Mapping[tuple[str, str], Recording]) -> Answering:
    """Answer by method and target, and anything else with a 404."""

    async def answering(seen: Seen) -> Answer:
        found = table.get((seen.method, seen.target))
        return found.answer if found else refusal(404, "CF-NotFound", 10000, "Unknown request")

    return answering


class Server:
    """A web server on a real socket of this machine, which notes everything that comes in.

    `connections` are the peers that requests came from, one for each connection.
    """

    def __init__(self, answering: Answering, *, tls: ssl.SSLContext | None = None) -> None:
        self._answering = answering
        self._tls = tls
        self._runner = web.ServerRunner(
            web.Server(self._handle, handler_cancellation=True), shutdown_timeout=0.2
        )
        self.seen: list[Seen] = []
        self.connections: set[object] = set()
        self.url = ""

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        if request.transport is not None:
            self.connections.add(request.transport.get_extra_info("peername"))
        seen = Seen(request.method, request.raw_path, request.headers, await request.read())
        self.seen.append(seen)
        answer = await self._answering(seen)
        headers = CIMultiDict(answer.headers)
        headers.popall("Content-Length", None)
        return web.Response(status=answer.status, headers=headers, body=answer.body)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        scheme = "http" if self._tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    def client(self, *, retry: RetryPolicy = ONE_TRY, **settings: Any) -> Client:
        """Make a client of this server; it is to be opened with `async with`."""
        settings.setdefault("auth", StaticToken("token"))
        return Client(self.url, retry=retry, ssl=_SSL, proxy="", **settings)


class Wire:
    """A transport without a network; what `answering` raises is what the network would."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.seen: list[Seen] = []
        self.urls: list[str] = []

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts | None = None,
    ) -> Response:
        seen = Seen(method, url.removeprefix(BASE), headers, body or b"")
        self.seen.append(seen)
        self.urls.append(url)
        report_sent(loop_time())
        answer = await self._answering(seen)
        return Response(
            status=answer.status, headers=CIMultiDict(answer.headers), body=answer.body, url=url
        )

    def caller(self, *, retry: RetryPolicy = ONE_TRY, base: str = BASE, auth: Any = None) -> Caller:
        """Make a caller on this transport."""
        tokens = TokenSource(auth or StaticToken("token"), endpoint=None)  # type: ignore[arg-type]
        return Caller(base, transport=self, tokens=tokens, throttle=Throttle(10_000), retry=retry)
