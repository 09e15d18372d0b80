"""Fakes for the network, the login and the clock, and the recorded exchanges."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import selectors
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from multidict import CIMultiDict

from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import report_sent
from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.message import Replay, Request, Response
from aioappsapi._http.protocol import Operation
from aioappsapi.auth.base import Token, TokenEndpoint
from aioappsapi.auth.tokens import TokenSource
from aioappsapi.config import RetryPolicy, Timeouts
from aioappsapi.models import App

RECORDINGS = Path(__file__).parent / "recordings"
GUID = "1cb006ee-fb05-47e1-b541-c34179ddc446"
BASE = "https://api.example.org"

GET: Operation[App] = Operation(
    "get app", "GET", "/v3/apps/{}", App, replay=Replay.SAFE, source="-"
)
START: Operation[App] = Operation(
    "start app",
    "POST",
    "/v3/apps/{}/actions/start",
    App,
    replay=Replay.IDEMPOTENT,
    source="-",
)
RESTART: Operation[App] = Operation(
    "restart app",
    "POST",
    "/v3/apps/{}/actions/restart",
    App,
    replay=Replay.ONCE,
    source="-",
)


class _Selector(selectors.DefaultSelector):
    """Jumps over the time in which nothing happens."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("everybody waits, and nothing is due")
        if not ready and timeout:
            self.loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while there is work, and jumps when there is none."""

    def __init__(self) -> None:
        self.now = 1_000.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        self.set_default_executor(AtOnce())

    def time(self) -> float:
        return self.now

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Do nothing: there are no threads, and the one that it would wait in is real."""


class AtOnce(ThreadPoolExecutor):
    """Does what is for a thread at once: a clock that jumps cannot wait for one."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as failure:  # noqa: BLE001 - it is for whoever waits
            future.set_exception(failure)
        return future


def run_virtual(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end on a clock of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(coroutine)


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make an async test one that runs on a virtual clock."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(test(*args, **kwargs))

    return run


async def settle() -> None:
    """Let everything run that can run now."""
    for _ in range(20):
        await asyncio.sleep(0)


def response(
    status: int = 200,
    body: bytes | str | object = b"",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
) -> Response:
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    return Response(
        status=status, headers=CIMultiDict(headers or {}), body=body, url=f"{BASE}/v3/apps"
    )


def app(guid: str = GUID, **fields: object) -> Response:
    return response(200, {"guid": guid, "state": "STARTED", **fields})


def failure(
    status: int,
    title: str | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    code: int = 1,
    detail: str = "no",
) -> Response:
    """Make an answer that failed: the API's JSON if it has a title, else plain text."""
    if title is None:
        return response(status, b"failed", headers)
    errors = [{"code": code, "title": title, "detail": detail}]
    return response(status, {"errors": errors}, headers)


class Exchange(NamedTuple):
    method: str
    target: str
    response: Response


def recording(name: str) -> Exchange:
    """Read what a real server once answered."""
    data = json.loads((RECORDINGS / f"{name}.json").read_text())
    answer = data["response"]
    body = answer["body"] or ""
    return Exchange(
        data["request"]["method"],
        data["request"]["target"],
        Response(
            status=answer["status"],
            headers=CIMultiDict([tuple(pair) for pair in answer["headers"]]),
            body=body.encode(),
            url=f"{BASE}{data['request']['target']}",
        ),
    )


class Sent(NamedTuple):
    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    timeouts: Timeouts | None
    at: float


Step = Response | BaseException | Callable[[], Coroutine[Any, Any, Response]]


class FakeTransport:
    """Plays answers and errors one after the other, and then the last one for ever."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.sent: list[Sent] = []

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts | None = None,
    ) -> Response:
        at = asyncio.get_running_loop().time()
        self.sent.append(Sent(method, url, dict(headers), body, timeouts, at))
        report_sent(at)
        await asyncio.sleep(0)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, BaseException):
            raise step
        return step if isinstance(step, Response) else await step()


class Pauses(list[float]):
    """A sleep that takes no time and keeps how long it was to be."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)


class FakeAuth:
    """Gives token-1, token-2, …, or raises what it is told to."""

    def __init__(
        self,
        *outcomes: BaseException | Token,
        renewable: bool = True,
        lifetime: float | None = None,
        gate: asyncio.Event | None = None,
    ) -> None:
        self.outcomes = list(outcomes)
        self.renewable = renewable
        self.lifetime = lifetime
        self.gate = gate
        self.previous: list[Token | None] = []

    @property
    def logins(self) -> int:
        return len(self.previous)

    async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
        self.previous.append(previous)
        number = len(self.previous)
        await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is not None:
            return outcome
        ends = None if self.lifetime is None else time.monotonic() + self.lifetime
        return Token(access_token=f"token-{number}", expires_at=ends)


class FakeEndpoint:
    """A token endpoint that keeps what it was asked."""

    def __init__(self, *outcomes: BaseException | Token) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[tuple[str, str, str, str]] = []

    async def grant(
        self, form: str, *, client_id: str, client_secret: str, query: str = ""
    ) -> Token:
        self.asked.append((form, client_id, client_secret, query))
        await asyncio.sleep(0)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def caller(
    transport: FakeTransport,
    *,
    auth: FakeAuth | None = None,
    retry: RetryPolicy | None = None,
    ceiling: int = 10,
    **options: Any,
) -> Caller:
    """Make a caller over fakes; the pauses are real ones, so use it on a virtual clock."""
    return Caller(
        BASE,
        transport=transport,
        tokens=TokenSource(auth or FakeAuth(), FakeEndpoint(Token(access_token="unused"))),
        throttle=Throttle(ceiling),
        retry=retry or RetryPolicy(),
        **options,
    )


def jwt(**claims: object) -> str:
    """Make a token that says when it ends, and whose signature nobody checks."""
    parts = [{"alg": "none"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    return ".".join([*encoded, "signature"])


def request(operation: Operation[Any] = START, guid: str = GUID) -> Request:
    return operation.build(guid)


class Time:
    """A clock that stands still until `now` is set, for whoever takes a clock."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now
