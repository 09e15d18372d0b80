"""The sandbox itself: a Cloud Controller and its UAA on a loopback port."""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Self

from aiohttp import web

from aioappsapi.sandbox.api.answer import Answer, query_too_long
from aioappsapi.sandbox.api.api import Api
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.errors import ApiError
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.api.views import UAA, Views
from aioappsapi.sandbox.server.certificate import Certificate
from aioappsapi.sandbox.server.control import PREFIX as CONTROL
from aioappsapi.sandbox.server.control import Control
from aioappsapi.sandbox.server.extra_headers import preflight
from aioappsapi.sandbox.server.gate import Gate
from aioappsapi.sandbox.server.switches import Request, Switches
from aioappsapi.sandbox.server.uaa import Uaa
from aioappsapi.sandbox.server.wire import Wire, request_id_of
from aioappsapi.sandbox.world.faults import Faults
from aioappsapi.sandbox.world.fleet import Fleet
from aioappsapi.sandbox.world.instances import Cell
from aioappsapi.sandbox.world.model import App, Space
from aioappsapi.sandbox.world.state import World

_MAX_QUERY = 10_240


class Sandbox(Switches):
    """A Cloud Controller in memory with a UAA, on real HTTP.

    Use it as an async context manager; then `url` is the API's address and `{url}/uaa` the UAA's.
    The first user is `admin`/`admin`, the first client `admin-client`/`admin-secret`. The same
    `seed` gives the same apps and the same faults. Everything in `apps`, `spaces`,
    `organizations` and `users` (dictionaries by GUID) may be changed while it runs, and `faults`
    may be replaced. `diego` and `database` switch outages on and off, `flags` features. Routes are
    in `network`, services in `marketplace`, and events in `events`. Other languages do the same at
    `{url}/sandbox`.

    With `tls` it serves HTTPS with a temporary certificate; `ca_file` is the authority to trust.
    This needs the package trustme. With `close_after=25` a connection closes after its 25th
    request, as on the real server.

    Instances run on `cells` machines with `cell_memory_mb` each (None: unlimited). Each can start
    `max_starting_per_cell` instances at a time without trouble (None: any number). `clock` returns
    the seconds since 1970; instances, tokens and limits use it.
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
        tls: bool = False,
        close_after: int | None = None,
        cells: int = 1,
        cell_memory_mb: int | None = None,
        max_starting_per_cell: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        _check(apps=(apps, 0), cells=(cells, 1), close_after=(close_after, 1))
        _check(cell_memory_mb=(cell_memory_mb, 0), max_starting_per_cell=(max_starting_per_cell, 1))
        self.seed = seed
        self.faults = faults or Faults()
        machines = [Cell(cell_memory_mb, number=number) for number in range(cells)]
        fleet = Fleet(seed, clock, lambda: self.faults, machines, max_starting_per_cell)
        self.world = World(seed, fleet)
        share = self.faults.without_droplet
        self.world.populate(apps, without_droplet=share, started=started)
        self.uaa = Uaa(self.world, token_lifetime)
        self.requests: deque[Request] = deque(maxlen=100_000)
        self._host = host
        self._port = port
        self._wire = Wire(close_after)
        self._api = Api(self.world, lambda: self.faults)
        self._gate = Gate(self.world, self.uaa, self._api, lambda: self.faults)
        self._control = Control(self)
        self.tls = tls
        self._certificate: Certificate | None = None
        self._views: dict[str, Views] = {}
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """The API's address. Raises RuntimeError while the sandbox is not running."""
        if self._runner is None:
            raise RuntimeError("the sandbox is not running")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}://{host}:{self._port}"

    @property
    def ca_file(self) -> str:
        """The file of the certificate authority while it runs. Raises RuntimeError without TLS."""
        return self._certified().ca_file

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """A context that trusts the sandbox's certificate. Raises RuntimeError without TLS."""
        return self._certified().client

    def _certified(self) -> Certificate:
        if self._certificate is None:
            raise RuntimeError("the sandbox is not running, or not with tls=True")
        return self._certificate

    @property
    def _scheme(self) -> str:
        return "https" if self.tls else "http"

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

    async def start(self) -> None:
        """Begin to listen. Raises OSError if the port is taken, ImportError if TLS is missing."""
        if self.tls:
            self._certificate = Certificate(self._host)
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
            context = self._certificate.server if self._certificate is not None else None
            site = web.TCPSite(runner, self._host, self._port, backlog=1024, ssl_context=context)
            await site.start()
        except BaseException:
            await runner.cleanup()
            self._forget_certificate()
            raise
        self._port = int(runner.addresses[0][1])
        self._runner = runner

    async def stop(self) -> None:
        """Close every connection and the port. Harmless if it is not running."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        self._forget_certificate()

    def _forget_certificate(self) -> None:
        certificate, self._certificate = self._certificate, None
        if certificate is not None:
            certificate.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        began = time.perf_counter()
        path, _, query = request.raw_path.partition("?")
        if path == CONTROL or path.startswith(f"{CONTROL}/"):
            # Control requests are neither counted nor limited.
            steered = self._control.answer(request.method, path, query, await request.read())
            return await self._wire.write(request, steered, began, None, "")
        request_id = request_id_of(request)
        user: str | None = None
        answer: Answer | None
        if path.startswith(UAA):
            answer = await self._ask_uaa(request, path, query)
        else:
            token = self._token_or_error(request)
            user = token.user_guid if isinstance(token, Token) else None
            answer = await self._ask_api(request, path, query, token)
        status = 0 if answer is None or answer.cut else answer.status
        self.requests.append(Request(request.method, request.raw_path, status, request_id, user))
        return await self._wire.write(request, answer, began, user, request_id)

    async def _ask_uaa(self, request: web.BaseRequest, path: str, query: str) -> Answer:
        authorization = request.headers.get("Authorization", "")
        body = await request.read()
        base = self._base(request).base
        return self.uaa.answer(request.method, path, base, authorization, query, body)

    async def _ask_api(
        self, request: web.BaseRequest, path: str, query: str, token: Token | ApiError
    ) -> Answer | None:
        if len(query) > _MAX_QUERY:
            return query_too_long(len(query))
        if request.method == "OPTIONS" and (answer := preflight(request.headers)) is not None:
            return answer
        parts = [part for part in path.split("/") if part]
        if parts[:1] == ["v3"]:
            # The server takes a suffix of any path as the requested format.
            parts[-1] = parts[-1].removesuffix(".json")
        method = "GET" if request.method == "HEAD" else request.method
        body = await request.read() if request.can_read_body else b""
        kind = request.headers.get("Content-Type", "") if body else ""
        views = self._base(request)
        accept = "application/json" if path.endswith(".json") else request.headers.get("Accept")
        call = Call(method, parts, query, views, _granting(token), body, kind, accept)
        return await self._gate.forward(call, request, token)

    def _token_or_error(self, request: web.BaseRequest) -> Token | ApiError:
        try:
            return self.uaa.check(request.headers.get("Authorization", ""))
        except ApiError as error:
            return error

    def _base(self, request: web.BaseRequest) -> Views:
        host = request.headers.get("Host") or f"{self._host}:{self._port}"
        views = self._views.get(host)
        if views is None:
            if len(self._views) >= 100:
                self._views.clear()
            views = self._views[host] = Views(
                f"{self._scheme}://{host}", self.world.fleet, self._api.realm.shelf
            )
        return views


def _check(**values: tuple[int | None, int]) -> None:
    for name, (value, least) in values.items():
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, not {value}")


def _granting(token: Token | ApiError) -> Callable[[], Token]:
    def grant() -> Token:
        if isinstance(token, ApiError):
            raise token
        return token

    return grant
