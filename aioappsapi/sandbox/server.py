"""The sandbox itself: a Cloud Controller and its UAA on a loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Self
from weakref import WeakKeyDictionary

from aiohttp import web

from . import answer as say
from .answer import Answer, ApiError
from .api import Api
from .call import Call
from .faults import Fault, Faults, Lot, RateLimiter, passing, refused
from .filters import UndecodableQueryError
from .frills import add_frills, preflight
from .state import App, Space, World
from .switches import Switches
from .uaa import PREFIX, Token, Uaa
from .views import Views

_FRAME = {
    "x-frame-options": "SAMEORIGIN",
    "x-xss-protection": "1; mode=block",
    "x-content-type-options": "nosniff",
    "x-download-options": "noopen",
    "x-permitted-cross-domain-policies": "none",
    "referrer-policy": "strict-origin-when-cross-origin",
}
_MAX_QUERY = 10_240
_UNCOUNTED: tuple[list[str], ...] = ([], ["v3"], ["healthz"], ["v2", "info"])
_UNSAFE_IN_ID = re.compile(r"[^\w-]")


class Request(NamedTuple):
    """A request in the sandbox's log; a status of 0 is a connection broken without an answer."""

    method: str
    path_qs: str
    status: int
    request_id: str
    user: str | None


class Sandbox(Switches):
    """A Cloud Controller in memory with a UAA, on real HTTP.

    Use it as an async context manager; then `url` is the API's address and `{url}/uaa` the UAA's.
    The first user is `admin`/`admin`, the first client `admin-client`/`admin-secret`. The same
    `seed` gives the same apps and the same misfortunes. Everything in `apps`, `spaces`,
    `organizations` and `users` (dictionaries by GUID) may be changed while it runs, and `faults`
    may be replaced. `diego` and `database` switch outages on and off, `flags` features. What is
    around the apps is in `network` and `marketplace`, and what happened in `events`.
    With `close_after=25` a connection ends with its 25th request, as the real server's do.
    """

    def __init__(
        self,
        apps: int = 10,
        *,
        seed: int = 0,
        faults: Faults | None = None,
        token_lifetime: float = 43200,
        started: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        close_after: int | None = None,
    ) -> None:
        self.seed = seed
        self.faults = faults or Faults()
        self.world = World(seed)
        share = self.faults.without_droplet
        self.world.populate(apps, without_droplet=share, started=started)
        self.uaa = Uaa(self.world, token_lifetime)
        self.requests: deque[Request] = deque(maxlen=100_000)
        self.close_after = close_after
        self._host = host
        self._port = port
        self._api = Api(self.world, lambda: self.faults)
        self._limiter = RateLimiter()
        self._views: dict[str, Views] = {}
        self._served: WeakKeyDictionary[asyncio.Transport, int] = WeakKeyDictionary()
        self._drawn = 0
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """The API's address. Raises RuntimeError while the sandbox is not running."""
        if self._runner is None:
            raise RuntimeError("the sandbox is not running")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def add_app(
        self,
        name: str,
        *,
        space: Space | None = None,
        droplet: bool = True,
        labels: dict[str, str] | None = None,
        state: str = "STOPPED",
        lifecycle: str = "buildpack",
        instances: int = 1,
    ) -> App:
        """Create an app without a request, by default in the first space."""
        return self.world.add_app(
            name,
            space=space,
            droplet=droplet,
            labels=labels,
            state=state,
            lifecycle=lifecycle,
            instances=instances,
        )

    def count(self, method: str, pattern: str = "") -> int:
        """How many requests of this method had a path (with query) that matches the pattern."""
        search = re.compile(pattern).search
        return sum(1 for r in self.requests if r.method == method and search(r.path_qs))

    def expire_tokens(self) -> None:
        """End every access token now, as if its time were over."""
        self.uaa.expire_tokens()

    async def start(self) -> None:
        """Begin to listen. Raises OSError if the port is taken."""
        server = web.Server(
            self._serve,
            access_log=None,
            keepalive_timeout=20.0,
            max_line_size=65_536,
            max_field_size=65_536,
        )
        runner = web.ServerRunner(server, shutdown_timeout=0.25)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, backlog=1024).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._port = int(runner.addresses[0][1])
        self._runner = runner

    async def stop(self) -> None:
        """Close every connection and the port. Harmless if it is not running."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        began = time.perf_counter()
        path, _, query = request.raw_path.partition("?")
        request_id = _request_id(request)
        user: str | None = None
        answer: Answer | None
        if path.startswith(PREFIX):
            answer = await self._ask_uaa(request, path, query)
        else:
            token = self._token_or_error(request)
            user = token.user_guid if isinstance(token, Token) else None
            answer = await self._ask_api(request, path, query, token)
        status = answer.status if answer is not None else 0
        self.requests.append(Request(request.method, request.raw_path, status, request_id, user))
        if answer is None:
            return _broken(request)
        return self._response(request, answer, began, user, request_id)

    async def _ask_uaa(self, request: web.BaseRequest, path: str, query: str) -> Answer:
        authorization = request.headers.get("Authorization", "")
        body = await request.read()
        return self.uaa.answer(
            request.method, path, self._base(request).base, authorization, query, body
        )

    async def _ask_api(
        self, request: web.BaseRequest, path: str, query: str, token: Token | ApiError
    ) -> Answer | None:
        if len(query) > _MAX_QUERY:
            return say.query_too_long(len(query))
        if request.method == "OPTIONS" and (answer := preflight(request.headers)) is not None:
            return answer
        parts = [part for part in path.split("/") if part]
        limit_headers: dict[str, str] = {}
        if self.faults.rate_limit is not None and self._counts(request, parts, token):
            passes, limit_headers = self._count(request, token, self.faults.rate_limit)
            if not passes:
                return self._refusal(token, limit_headers, parts)
        call = await self._call(request, parts, query, token)
        answer = await self._carry_out(call, request, token)
        if limit_headers and answer is not None and (answer.framed or parts[:1] == ["v2"]):
            answer.headers |= limit_headers
        return answer

    async def _call(
        self, request: web.BaseRequest, parts: list[str], query: str, token: Token | ApiError
    ) -> Call:
        method = "GET" if request.method == "HEAD" else request.method
        body = await request.read() if request.can_read_body else b""
        kind = request.headers.get("Content-Type", "") if body else ""
        return Call(method, parts, query, self._base(request), _granting(token), body, kind)

    async def _carry_out(
        self, call: Call, request: web.BaseRequest, token: Token | ApiError
    ) -> Answer | None:
        if self.faults.quiet:
            return self._answer(call)
        lot = self._draw(call, token)
        if lot.delay:
            await asyncio.sleep(lot.delay)
        if lot.fault is None:
            return self._answer(call)
        return self._suffer(call, lot, lot.fault, request)

    def _suffer(
        self, call: Call, lot: Lot, fault: Fault, request: web.BaseRequest
    ) -> Answer | None:
        if fault is Fault.RUNNER_UNAVAILABLE:
            call.runner_down = True
            return self._answer(call)
        if fault is Fault.RESET_BEFORE:
            return None
        if fault is Fault.RESET_AFTER or (fault is Fault.BAD_GATEWAY and lot.handled):
            self._answer(call)
        if fault is Fault.RESET_AFTER:
            return None
        return passing(fault, request.host)

    def _draw(self, call: Call, token: Token | ApiError) -> Lot:
        app = self.apps.get(call.action) if call.action is not None else None
        if app is None or isinstance(token, ApiError):
            self._drawn += 1
            return Lot(None, True, self.faults.draw(self.seed, "", self._drawn).delay)
        app.actions += 1
        lot = self.faults.draw(self.seed, app.guid, app.actions)
        if lot.fault is None:
            return lot
        if app.faults >= self.faults.max_per_app:
            return Lot(None, True, lot.delay)
        app.faults += 1
        return lot

    def _answer(self, call: Call) -> Answer:
        try:
            return self._api.answer(call)
        except UndecodableQueryError:
            return say.crashed()

    def _token_or_error(self, request: web.BaseRequest) -> Token | ApiError:
        try:
            return self.uaa.check(request.headers.get("Authorization", ""))
        except ApiError as error:
            return error

    def _count(
        self, request: web.BaseRequest, token: Token | ApiError, limit: int
    ) -> tuple[bool, dict[str, str]]:
        window = self.faults.rate_window
        if isinstance(token, Token):
            return self._limiter.count(token.user_guid, limit, window)
        address = request.headers.get("X-Forwarded-For") or request.remote
        return self._limiter.count(f"address {address}", max(1, limit // 2), window)

    def _counts(self, request: web.BaseRequest, parts: list[str], token: Token | ApiError) -> bool:
        if parts in _UNCOUNTED:
            return False
        if isinstance(token, Token):
            return self.faults.limit_admins or not token.is_admin
        return not request.headers.get("Authorization", "").lower().startswith("basic ")

    def _refusal(
        self, token: Token | ApiError, headers: dict[str, str], parts: list[str]
    ) -> Answer:
        known = isinstance(token, Token)
        error = say.rate_limit_exceeded() if known else say.address_limit_exceeded()
        return refused(error, headers, old=parts[0] != "v3")

    def _base(self, request: web.BaseRequest) -> Views:
        host = request.headers.get("Host") or f"{self._host}:{self._port}"
        views = self._views.get(host)
        if views is None:
            if len(self._views) >= 100:
                self._views.clear()
            views = self._views[host] = Views(f"http://{host}")
        return views

    def _response(
        self,
        request: web.BaseRequest,
        answer: Answer,
        began: float,
        user: str | None,
        request_id: str,
    ) -> web.Response:
        headers = {"content-type": answer.content_type} if answer.content_type else {}
        if answer.framed:
            headers |= _FRAME
            headers["x-runtime"] = f"{time.perf_counter() - began:.6f}"
            if _varies(request, answer):
                headers["vary"] = "Accept"
            add_frills(request.headers, headers)
        headers |= answer.headers
        if user is not None and not answer.in_front:
            headers["x-user-guid"] = user
        headers["x-vcap-request-id"] = request_id
        headers["server"] = "nginx"
        response = (web.Response if answer.content_type else _Untyped)(
            status=answer.status,
            reason=_REASONS.get(answer.status),
            headers=headers,
            body=answer.body.encode(),
        )
        if answer.close or self._is_last(request):
            response.force_close()
        return response

    def _is_last(self, request: web.BaseRequest) -> bool:
        if self.close_after is None or request.transport is None:
            return False
        served = self._served.get(request.transport, 0) + 1
        self._served[request.transport] = served
        return served >= self.close_after


def _varies(request: web.BaseRequest, answer: Answer) -> bool:
    typed = answer.content_type in {say.JSON, say.YAML} and ".json" not in request.raw_path
    return typed and "Accept" in request.headers


class _Untyped(web.Response):
    """A response that keeps silent about its type, as a few of the real server's are."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.pop("Content-Type", None)


_REASONS = {422: "Unprocessable Content"}


def _granting(token: Token | ApiError) -> Callable[[], Token]:
    def grant() -> Token:
        if isinstance(token, ApiError):
            raise token
        return token

    return grant


def _request_id(request: web.BaseRequest) -> str:
    fresh = str(uuid.uuid4())
    given = request.headers.get("X-Vcap-Request-Id") or request.headers.get("X-Request-Id")
    if not given:
        return fresh
    return f"{_UNSAFE_IN_ID.sub('', given)[:255]}::{fresh}"


def _broken(request: web.BaseRequest) -> web.Response:
    """Break the connection with a reset; the response is for nobody."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
