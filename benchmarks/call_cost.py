"""What a call costs beside the network.

A transport that answers at once takes the network away. What is left is building the request, the
token, the throttle, the record and decoding; decoding alone is the yardstick. The aim is 25 µs.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from aioappsapi import App, RetryPolicy, StaticToken, Timeouts
from aioappsapi._http.call import Caller
from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.message import Response
from aioappsapi.api.apps import Apps
from aioappsapi.auth.base import Token
from aioappsapi.auth.tokens import TokenSource
from aioappsapi.bulk import Bulk

RECORDING = Path(__file__).parent.parent / "tests/recordings/start-app__stopped-app.json"
CALLS = 5_000
ROUNDS = 5


class AtOnce:
    """A transport that answers every request with the same recorded app."""

    def __init__(self, body: bytes) -> None:
        headers = CIMultiDictProxy(CIMultiDict({"X-Vcap-Request-Id": "1"}))
        self._response = Response(status=200, headers=headers, body=body)

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts | None = None,
    ) -> Response:
        """Answer without a network."""
        return self._response


class NoUaa:
    """A token endpoint that a static token never asks."""

    async def grant(
        self, form: str, *, client_id: str, client_secret: str, query: str = ""
    ) -> Token:
        """Refuse."""
        raise AssertionError


async def microseconds(work: Callable[[], Awaitable[object]]) -> float:
    """Give the best of a few rounds, per call."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        await work()
        best = min(best, time.perf_counter() - begun)
    return best / CALLS * 1e6


async def main() -> None:
    body = json.loads(RECORDING.read_text())["response"]["body"].encode()
    caller = Caller(
        "http://127.0.0.1",
        transport=AtOnce(body),
        tokens=TokenSource(StaticToken("token"), NoUaa()),
        throttle=Throttle(100),
        retry=RetryPolicy(),
    )
    apps = Apps(caller)
    decoder = msgspec.json.Decoder(App)

    async def decode() -> None:
        for _ in range(CALLS):
            decoder.decode(body)

    async def single() -> None:
        for _ in range(CALLS):
            await apps.start("1cb006ee-fb05-47e1-b541-c34179ddc446")

    async def bulk() -> None:
        report = await Bulk(apps, target="-", ceiling=100).start(map(str, range(CALLS)))
        assert report.ok

    figures = {
        "decode": await microseconds(decode),
        "apps.start": await microseconds(single),
        "bulk.start": await microseconds(bulk),
    }
    print(json.dumps({f"{name} (µs per call)": round(us, 1) for name, us in figures.items()}))


asyncio.run(main())
