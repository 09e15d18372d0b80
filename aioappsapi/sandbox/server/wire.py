"""Answers on the wire: headers, complete and truncated bodies, broken connections."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import time
import uuid
from typing import Final
from weakref import WeakKeyDictionary

from aiohttp import web

from aioappsapi.sandbox.api.answer import JSON, YAML, Answer
from aioappsapi.sandbox.server.extra_headers import add_extra_headers

_FRAME: Final = {
    "x-frame-options": "SAMEORIGIN",
    "x-xss-protection": "1; mode=block",
    "x-content-type-options": "nosniff",
    "x-download-options": "noopen",
    "x-permitted-cross-domain-policies": "none",
    "referrer-policy": "strict-origin-when-cross-origin",
}
_UNSAFE_IN_ID: Final = re.compile(r"[^\w-]")
_REASONS: Final = {422: "Unprocessable Content", 499: "Client Closed Request"}
_PIECES: Final = 8


class Wire:
    """Writes answers. A connection closes after `close_after` of them."""

    def __init__(self, close_after: int | None) -> None:
        self.close_after = close_after
        self._served: WeakKeyDictionary[asyncio.Transport, int] = WeakKeyDictionary()

    async def write(
        self,
        request: web.BaseRequest,
        answer: Answer | None,
        began: float,
        user: str | None,
        request_id: str,
    ) -> web.StreamResponse:
        """Send an answer to a request that arrived at `began`; None resets the connection.

        `user` is the GUID of the logged-in user.
        """
        if answer is None:
            return _reset(request)
        headers = _headers(request, answer, began)
        if user is not None and not answer.in_gate:
            headers["x-user-guid"] = user
        headers["x-vcap-request-id"] = request_id
        if answer.cut or answer.drip:
            return await _in_pieces(request, answer, headers)
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


def request_id_of(request: web.BaseRequest) -> str:
    """Return a new request id, with the id of the request in front of it."""
    fresh = str(uuid.uuid4())
    given = request.headers.get("X-Vcap-Request-Id") or request.headers.get("X-Request-Id")
    if not given:
        return fresh
    return f"{_UNSAFE_IN_ID.sub('', given)[:255]}::{fresh}"


def _headers(request: web.BaseRequest, answer: Answer, began: float) -> dict[str, str]:
    headers = {"content-type": answer.content_type} if answer.content_type else {}
    if answer.framed:
        headers |= _FRAME
        headers["x-runtime"] = f"{time.perf_counter() - began:.6f}"
        if _varies(request, answer):
            headers["vary"] = "Accept"
        add_extra_headers(request.raw_path.partition("?")[0], request.headers, headers)
    headers |= answer.headers
    headers["server"] = "nginx"
    return headers


def _varies(request: web.BaseRequest, answer: Answer) -> bool:
    typed = answer.content_type in {JSON, YAML} and "Accept" in request.headers
    return typed and not request.raw_path.partition("?")[0].endswith(".json")


async def _in_pieces(
    request: web.BaseRequest, answer: Answer, headers: dict[str, str]
) -> web.StreamResponse:
    body = answer.body.encode()
    response = web.StreamResponse(
        status=answer.status, reason=_REASONS.get(answer.status), headers=headers
    )
    response.content_length = len(body)
    with contextlib.suppress(ConnectionError):  # the client may have closed the connection
        await response.prepare(request)
        if answer.cut:
            await response.write(body[: len(body) // 2])
            if request.transport is not None:
                request.transport.close()
            return response
        size = -(-len(body) // _PIECES) or 1
        for start in range(0, len(body), size):
            await response.write(body[start : start + size])
            await asyncio.sleep(answer.drip)
    return response


def _reset(request: web.BaseRequest) -> web.Response:
    """Reset the connection; the response returned is never sent."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


class _Untyped(web.Response):
    """A response without a content type, as a few answers of the real server."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.pop("Content-Type", None)
