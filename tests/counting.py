"""A server that counts requests in windows as the real one does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from email.utils import formatdate
from math import ceil

import anyio

from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.message import Response
from tests.fakes import GET, GUID, FakeTransport, app, caller

EPOCH = 1_790_000_000.0


class Counting:
    """A server that counts in windows and tells tenths, on the loop's clock.

    `width` is how long a window takes, `taken` what others used of the first one. `exactly` tells
    the very number, `dated` the time of day. `ahead` is how far its clock is from ours; `begins`
    the part of a second at which windows begin, which the end that is told is without. A share of
    `hiccups` is refused for another reason than the limit.
    """

    def __init__(
        self,
        limit: int,
        *,
        width: float = 60.0,
        taken: int = 0,
        latency: float = 0.1,
        exactly: bool = False,
        dated: bool = True,
        ahead: float = 0.0,
        begins: float = 0.0,
        hiccups: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.limit = limit
        self.width = width
        self.used = taken
        self.window = 0
        self.latency = latency
        self.exactly = exactly
        self.dated = dated
        self.ahead = ahead
        self.begins = begins
        self.hiccups = hiccups
        self.chance = random.Random(seed)
        self.refused = 0
        self.answered = 0

    def now(self) -> float:
        return EPOCH + self.ahead + anyio.current_time()

    def count(self) -> Response:
        """Count a request and make its answer."""
        window = int((self.now() - self.begins) // self.width)
        if window != self.window:
            self.window, self.used = window, self.used if not self.window else 0
        self.used += 1
        left = max(self.limit - self.used, 0)
        shown = left if self.exactly else left * 10 // self.limit * self.limit // 10
        resets_at = (self.window + 1) * self.width + self.begins
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(shown),
            "X-RateLimit-Reset": str(int(resets_at)),
        }
        if self.dated:
            headers["Date"] = formatdate(int(self.now()), usegmt=True)
        if self.used > self.limit:
            headers["Retry-After"] = str(ceil(resets_at - self.now()))
            return app_like(429, headers)
        return app_like(200, headers)

    async def answer(self) -> Response:
        """Count at once, and answer out of order."""
        response = self.count()
        if response.status == 200 and self.chance.random() < self.hiccups:
            told = dict(response.headers) if self.chance.random() < 0.5 else {}
            return app_like(429, {**told, "Retry-After": "1"})
        self.refused += response.status == 429
        self.answered += response.status == 200
        await asyncio.sleep(self.chance.expovariate(1 / self.latency) if self.latency else 0)
        return response


def app_like(status: int, headers: dict[str, str]) -> Response:
    made = app()
    made.headers.update(headers)  # type: ignore[attr-defined]
    return Response(status=status, headers=made.headers, body=made.body, url=made.url)


def told(remaining: int, resets_at: float, *, limit: int = 20, status: int = 200) -> Response:
    return app_like(
        status,
        {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(resets_at),
        },
    )


async def run(server: Counting, requests: int, *, concurrency: int = 20) -> tuple[float, Throttle]:
    """Send so many, so many at once; give how long it took."""
    one = caller(FakeTransport(server.answer), ceiling=concurrency)
    loop = asyncio.get_running_loop()
    one.throttle = Throttle(concurrency, wall=lambda: EPOCH + loop.time())
    began = loop.time()
    todo: Iterator[int] = iter(range(requests))

    async def worker() -> None:
        for _ in todo:
            await one.call(GET, GUID)

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return loop.time() - began, one.throttle
