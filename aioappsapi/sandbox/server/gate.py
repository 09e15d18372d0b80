"""The way of a request to the API: through the rate limits and the present faults."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web

from aioappsapi.sandbox.api import errors
from aioappsapi.sandbox.api.answer import Answer, undecodable
from aioappsapi.sandbox.api.api import Api
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.errors import ApiError
from aioappsapi.sandbox.api.list_query import UndecodableQueryError
from aioappsapi.sandbox.api.outages import UnknownError
from aioappsapi.sandbox.api.rate_limits import RateLimiter, refused
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.server.intermediaries import NOT_DELIVERED, intermediary_answer
from aioappsapi.sandbox.server.uaa import Uaa
from aioappsapi.sandbox.world.faults import RUNNER, Draw, Fault, Faults
from aioappsapi.sandbox.world.state import World

_log: Final = logging.getLogger(__name__)
# Compared literally: with a query or another slash, the request counts.
_UNCOUNTED: Final = frozenset({"/", "/v3", "/healthz", "/v2/info"})
_DONE: Final = frozenset({Fault.RESET_AFTER, Fault.TRUNCATED, Fault.GARBAGE, Fault.DRIP})
_UNLIMITED: Final = frozenset({"cloud_controller.admin", "cloud_controller.admin_read_only"})
_MOST_SUBJECTS: Final = 50_000


class _Subject(Protocol):
    """The subject of faults: an app, or a request that may be repeated."""

    actions: int
    faults: int


@dataclass(slots=True)
class _Repeated:
    """How often the same request came, and how often it got a fault."""

    actions: int = 0
    faults: int = 0


class Gate:
    """The way to the API. An answer of None means that the connection breaks."""

    def __init__(self, world: World, uaa: Uaa, api: Api, faults: Callable[[], Faults]) -> None:
        self._world = world
        self._uaa = uaa
        self._api = api
        self._faults = faults
        self.limiter = RateLimiter(world.clock)
        self._refusing_until = 0.0
        self._drawn = 0
        self._repeated: dict[str, _Repeated] = {}

    async def forward(
        self, call: Call, request: web.BaseRequest, token: Token | ApiError
    ) -> Answer | None:
        """Send a request to the API, unless a limit or a fault answers it first."""
        faults = self._faults()
        limit_headers: dict[str, str] = {}
        if faults.rate_limit is not None and _counts(request, token, faults):
            passes, limit_headers = self._count(request, token, faults.rate_limit, faults)
            if not passes:
                return _refusal(token, limit_headers, request.raw_path)
        if faults.quiet or request.method == "HEAD":
            # Faults of the body need an answer with a body.
            answer: Answer | None = self._answer(call)
        elif self._refusing_until > self._world.clock() and request.raw_path not in _UNCOUNTED:
            return self._too_many(faults)
        else:
            answer = await self._answer_with_faults(call, request, token, faults)
        counted = answer is not None and (answer.framed or call.parts[:1] == ["v2"])
        if limit_headers and answer is not None and counted:
            answer.headers |= limit_headers
        return answer

    async def _answer_with_faults(
        self, call: Call, request: web.BaseRequest, token: Token | ApiError, faults: Faults
    ) -> Answer | None:
        drawn = self._draw(call, token, faults)
        if drawn.delay:
            await asyncio.sleep(drawn.delay)
        if drawn.fault is None:
            return self._answer(call)
        return self._apply_fault(call, drawn, drawn.fault, request)

    def _draw(self, call: Call, token: Token | ApiError, faults: Faults) -> Draw:
        app = self._world.apps.get(call.action) if call.action is not None else None
        weight = 1.0 if app is not None else faults.reads if call.method == "GET" else faults.writes
        if isinstance(token, ApiError) or not weight:
            self._drawn += 1
            return faults.draw(self._world.seed, "", self._drawn, 0.0)
        name = app.guid if app is not None else _request_key(call)
        subject: _Subject = app if app is not None else self._equal_requests(name)
        subject.actions += 1
        drawn = faults.draw(self._world.seed, name, subject.actions, weight)
        if drawn.fault is None:
            return drawn
        if subject.faults >= faults.max_per_app or (app is None and drawn.fault in RUNNER):
            return Draw(None, True, drawn.delay)
        subject.faults += 1
        return drawn

    def _equal_requests(self, name: str) -> _Repeated:
        if len(self._repeated) >= _MOST_SUBJECTS:
            self._repeated.clear()
        return self._repeated.setdefault(name, _Repeated())

    def _apply_fault(
        self, call: Call, drawn: Draw, fault: Fault, request: web.BaseRequest
    ) -> Answer | None:
        if fault in RUNNER:
            call.diego = RUNNER[fault]
            return self._answer(call)
        if fault in _DONE:
            return self._damaged(self._answer(call), fault)
        if fault is Fault.RESET_BEFORE:
            return None
        if fault is Fault.RATE_LIMITED:
            faults = self._faults()
            self._refusing_until = self._world.clock() + faults.rate_limited_for
            return self._too_many(faults)
        if fault is Fault.TOKEN_EXPIRED:
            self._uaa.expire(request.headers.get("Authorization", ""))
            return errors.invalid_token().answer()
        if drawn.handled and fault not in NOT_DELIVERED:
            self._answer(call)
        return (
            UnknownError().answer()
            if fault is Fault.UNKNOWN_ERROR
            else intermediary_answer(fault, request.host)
        )

    def _damaged(self, answer: Answer, fault: Fault) -> Answer | None:
        if fault is Fault.DRIP:
            answer.drip = self._faults().drip_pause
        elif fault is Fault.GARBAGE:
            if answer.status < 300:
                answer.body = answer.body[: len(answer.body) // 2]
        elif fault is Fault.RESET_AFTER or not answer.body:
            return None
        else:
            answer.cut = True
        return answer

    def _answer(self, call: Call) -> Answer:
        try:
            return self._api.answer(call)
        except UndecodableQueryError:
            return undecodable()
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            # The server too answers whatever it falls over with this error.
            _log.exception("%s %s", call.method, call.path)
            return UnknownError().answer()

    def _count(
        self, request: web.BaseRequest, token: Token | ApiError, limit: int, faults: Faults
    ) -> tuple[bool, dict[str, str]]:
        window = faults.rate_window
        if isinstance(token, Token):
            return self.limiter.count(token.user_guid, limit, window)
        forwarded = request.headers.get("X-Forwarded-For", "").partition(",")[0].strip()
        address = forwarded or request.remote
        least = faults.address_rate_limit or max(1, limit // 2)
        return self.limiter.count(f"address {address}", least, window)

    def _too_many(self, faults: Faults) -> Answer:
        headers = {
            "x-ratelimit-limit": "20000",
            "x-ratelimit-reset": str(int(self._world.clock()) + faults.retry_after),
            "x-ratelimit-remaining": "0",
            "retry-after": str(faults.retry_after),
        }
        return refused(errors.rate_limit_exceeded(), headers, "/v3")


def _request_key(call: Call) -> str:
    return f"{call.method} {call.path}?{call.query} {call.body.decode('utf-8', 'replace')}"


def _counts(request: web.BaseRequest, token: Token | ApiError, faults: Faults) -> bool:
    if request.raw_path in _UNCOUNTED or request.raw_path.startswith("/internal"):
        return False
    if isinstance(token, Token) and not faults.limit_admins and token.scopes & _UNLIMITED:
        return False
    return not request.headers.get("Authorization", "").lower().startswith("basic ")


def _refusal(token: Token | ApiError, headers: dict[str, str], path: str) -> Answer:
    known = isinstance(token, Token)
    error = errors.rate_limit_exceeded() if known else errors.address_limit_exceeded()
    return refused(error, headers, path)
