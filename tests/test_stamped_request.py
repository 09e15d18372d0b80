"""The requests on the wire are those of aiohttp, with less work for each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from aioappsapi._http.transport import SessionPool
from aioappsapi.config import Limits, Timeouts, Tls

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Wire:
    """A server that keeps what it was sent, and over how many connections."""

    def __init__(self) -> None:
        self.heads: list[list[str]] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[:-1]
            except asyncio.IncompleteReadError:
                break
            sizes = [line for line in head if line.lower().startswith("content-length:")]
            self.heads.append(head)
            self.bodies.append(
                await reader.readexactly(int(sizes[0].split(":")[1] if sizes else 0))
            )
            writer.write(ANSWER)
        writer.close()


@asynccontextmanager
async def wire() -> AsyncIterator[Wire]:
    seen = Wire()
    server = await asyncio.start_server(seen.serve, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    async with server:
        yield seen


@asynccontextmanager
async def pool(base_url: str) -> AsyncIterator[SessionPool]:
    made = SessionPool(
        user_agent="test/1",
        timeouts=Timeouts(),
        limits=Limits(),
        tls=Tls(),
        proxy=None,
        base_url=base_url,
    )
    await made.open()
    try:
        yield made
    finally:
        await made.aclose()


async def test_our_requests_have_the_headers_that_aiohttp_would_send() -> None:
    own = {"Authorization": "bearer t", "X-Vcap-Request-Id": "1"}
    async with wire() as seen:
        base = f"http://127.0.0.1:{seen.port}"
        async with pool(base) as ours:
            await ours.send("POST", f"{base}/v3/apps", own, b"{}")
            await ours.send("POST", f"{base}/v3/apps", own, None)
            await ours.send("GET", f"{base}/v3/apps?per_page=1", own, None)
        common = {"Accept": "application/json", "User-Agent": "test/1", **own}
        async with aiohttp.ClientSession(headers=common) as session:
            for method, path, data in (
                ("POST", "/v3/apps", b"{}"),
                ("POST", "/v3/apps", None),
                ("GET", "/v3/apps?per_page=1", None),
            ):
                skipped = ["Content-Type"] if data is None else None
                async with session.request(
                    method, base + path, data=data, skip_auto_headers=skipped
                ) as answer:
                    await answer.read()
    for ours_, theirs in zip(seen.heads[:3], seen.heads[3:], strict=True):
        assert ours_[0] == theirs[0]
        assert ours_[1] == theirs[1] == f"Host: 127.0.0.1:{seen.port}"
        assert sorted(ours_) == sorted(theirs)
    assert seen.bodies == [b"{}", b"", b""] * 2


async def test_a_request_has_its_own_content_type_once() -> None:
    async with wire() as seen:
        base = f"http://127.0.0.1:{seen.port}"
        async with pool(base) as ours:
            await ours.send("POST", base, {"content-type": "application/json"}, b"{}")
    [head] = seen.heads
    types = [line for line in head if line.lower().startswith("content-type")]
    assert types == ["content-type: application/json"]


async def test_a_request_to_another_host_names_it_and_has_its_own_connection() -> None:
    async with wire() as seen:
        base = f"http://127.0.0.1:{seen.port}"
        other = f"http://localhost:{seen.port}"
        async with pool(base) as ours:
            for address in (base, other, base, other):
                await ours.send("GET", f"{address}/v3/info", {}, None)
    assert [head[1] for head in seen.heads if "Host" in head[1]] == [
        f"Host: {address.removeprefix('http://')}" for address in (base, other, base, other)
    ]
    assert seen.connections == 2


async def test_a_pool_without_a_base_address_names_each_host() -> None:
    async with wire() as seen, pool("") as ours:
        await ours.send("GET", f"http://127.0.0.1:{seen.port}/v3/info", {}, None)
    assert f"Host: 127.0.0.1:{seen.port}" in seen.heads[0]


async def test_the_headers_of_one_request_are_not_those_of_the_next() -> None:
    async with wire() as seen:
        base = f"http://127.0.0.1:{seen.port}"
        async with pool(base) as ours:
            await ours.send("POST", base, {"Authorization": "bearer 1"}, b"{}")
            await ours.send("POST", base, {}, None)
    assert "Authorization: bearer 1" in seen.heads[0]
    assert not [line for line in seen.heads[1] if line.startswith(("Authorization", "Content-T"))]
