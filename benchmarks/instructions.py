"""How many processor instructions a call costs, against a bare aiohttp loop that does not decode.

Instructions are counted by valgrind, so the figures are repeatable to about 0.1 % on a busy
machine. Each contender runs twice, with different numbers of calls; the slope between the two is
the cost of one call without the start-up. A server in a process of its own answers every start
with the same recorded app, at once, and a list of apps with 200 stopped ones. Both sides send the
same headers on the same 50 connections.

`python -m benchmarks.instructions [NAME ...]` prints thousand instructions per call and the ratio
to `raw`, and exits with 1 if one is above its goal by more than 5 %. It needs the `valgrind`
command.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from aioappsapi import App, Client, StaticToken

RECORDING: Final = Path(__file__).parent.parent / "tests/recordings/start-app__stopped-app.json"
WORKERS: Final = 50
FEW, MANY = 300, 1300
GUID: Final = "1cb006ee-fb05-47e1-b541-c34179ddc446"
SPACE: Final = "78872840-3a28-40c5-9990-60e4f3f0d0eb"  # of the recorded app
ORGANIZATION: Final = "11111111-aaaa-4bbb-8ccc-222222222222"


class AnswersAtOnce(asyncio.Protocol):
    """Answers with the recorded app, under the GUID that was asked for, or with a list of them."""

    def __init__(self, body: bytes) -> None:
        self._app = _head(body) + body
        self._stopped = body.replace(b'"state":"STARTED"', b'"state":"STOPPED"')

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer a request, which comes in one piece and has no body."""
        assert data.endswith(b"\r\n\r\n")
        if data.startswith(b"GET / "):
            host = data.partition(b"Host: ")[2].partition(b"\r\n")[0]
            self._transport.write(_root(host))
        elif data.startswith(b"POST "):
            guid = data.split(b"/", 4)[3]
            self._transport.write(self._app.replace(GUID.encode(), guid))
        else:
            self._transport.write(self._list(data.split(b" ", 2)[1]))

    def _list(self, path: bytes) -> bytes:
        """Answer a list of apps by GUID with one page of stopped ones, and their space."""
        guids = path.partition(b"guids=")[2].partition(b"&")[0].split(b",")
        apps = b",".join(self._stopped.replace(GUID.encode(), guid) for guid in guids)
        included = _INCLUDED if b"include=" in path else b""
        body = b'{"pagination":{"total_pages":1},"resources":[%b]%b}' % (apps, included)
        return _head(body) + body


# One space and one organization, as they stand below the list.
_INCLUDED: Final = (
    b',"included":{"spaces":[{"guid":"%b","name":"space",'
    b'"relationships":{"organization":{"data":{"guid":"%b"}}}}],'
    b'"organizations":[{"guid":"%b","name":"organization"}]}'
) % (SPACE.encode(), ORGANIZATION.encode(), ORGANIZATION.encode())


def _root(host: bytes) -> bytes:
    """Answer what the API is: cloudfoundry-client asks before anything else."""
    link = b'{"href":"http://%b"}' % host
    v3 = b'{"href":"http://%b/v3"}' % host
    body = b'{"links":{"self":%b,"login":%b,"cloud_controller_v3":%b}}' % (link, link, v3)
    return _head(body) + body


def _head(body: bytes) -> bytes:
    return (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"X-Vcap-Request-Id: {GUID}::{GUID}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()


def recorded_app() -> bytes:
    """Return the recorded app under our GUID, as the server sends it."""
    body: bytes = json.loads(RECORDING.read_text())["response"]["body"].encode()
    return body.replace(json.loads(body)["guid"].encode(), GUID.encode())


async def serve() -> None:
    """Serve until standard input ends, and print the port."""
    body = recorded_app()
    server = await asyncio.get_running_loop().create_server(
        lambda: AnswersAtOnce(body), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


def guids(calls: int) -> list[str]:
    """Make as many GUIDs: an address that was seen before costs less."""
    return [f"{GUID[:-6]}{number:06}" for number in range(calls)]


async def by_workers(calls: int, call: Callable[[str], Awaitable[object]]) -> None:
    """Call for each of so many apps by a fixed pool of workers."""
    left = iter(guids(calls))

    async def work() -> None:
        for guid in left:
            await call(guid)

    await asyncio.gather(*(work() for _ in range(WORKERS)))


async def raw(url: str, calls: int, read: Callable[[bytes], object] = len) -> None:
    """Start with a loop over a session, as one would write it in five minutes."""
    headers = {"Authorization": "bearer token", "Accept": "application/json"}

    async with aiohttp.ClientSession() as session:

        async def call(guid: str) -> None:
            target = f"{url}/v3/apps/{guid}/actions/start"
            async with session.post(target, headers=headers) as response:
                read(await response.read())

        await by_workers(calls, call)


async def raw_decode(url: str, calls: int) -> None:
    """Start with the same loop, and decode."""
    await raw(url, calls, msgspec.json.Decoder(App).decode)


async def start(url: str, calls: int) -> None:
    """Start with single calls of this library."""
    async with Client(url, auth=StaticToken("token"), proxy="") as client:
        await by_workers(calls, client.apps.start)


async def bulk(url: str, calls: int) -> None:
    """Start with a bulk run of this library, without looking first."""
    async with Client(url, auth=StaticToken("token"), proxy="") as client:
        report = await client.bulk.start(guids(calls), concurrency=WORKERS, skip_unchanged=False)
        assert report.counts["ok"] == calls


async def bulk_default(url: str, calls: int) -> None:
    """Start with a bulk run as users call it: states and names are read first."""
    async with Client(url, auth=StaticToken("token"), proxy="") as client:
        report = await client.bulk.start(guids(calls), concurrency=WORKERS)
        assert report.counts["ok"] == calls


async def bulk_journal(url: str, calls: int) -> None:
    """Start with a bulk run that keeps a journal."""
    with tempfile.TemporaryDirectory() as folder:
        async with Client(url, auth=StaticToken("token"), proxy="") as client:
            report = await client.bulk.start(
                guids(calls),
                concurrency=WORKERS,
                skip_unchanged=False,
                journal=Path(folder) / "journal",
            )
            assert report.counts["ok"] == calls


CONTENDERS: Final = {
    one.__name__: one for one in (raw, raw_decode, start, bulk, bulk_default, bulk_journal)
}


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run the server in a process of its own, and give its address."""
    command = [sys.executable, "-m", "benchmarks.instructions", "--serve"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.communicate()


def instructions(name: str, calls: int, url: str, module: str) -> int:
    """Count the instructions of a process that makes so many calls by a contender of a module."""
    with tempfile.TemporaryDirectory() as folder:
        output = f"{folder}/counted"
        valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no"]
        contender = [sys.executable, "-m", module, "--run", name, str(calls), url]
        subprocess.run(
            [*valgrind, f"--cachegrind-out-file={output}", *contender],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            timeout=600,
        )
        *_, summary = (line for line in Path(output).read_text().splitlines() if line)
    return int(summary.split()[1])


def per_call(name: str, url: str, module: str = "benchmarks.instructions") -> float:
    """Measure the slope between few calls and many, in thousand instructions."""
    few, many = (instructions(name, calls, url, module) for calls in (FEW, MANY))
    return (many - few) / (MANY - FEW) / 1000


# What each is to cost at most, in units of `raw`. A change that makes one dearer than that by 5 %
# fails.
GOALS: Final = {"start": 1.05, "bulk": 1.15, "bulk_default": 1.30, "bulk_journal": 1.55}
_SPARE: Final = 1.05


def main(names: list[str]) -> int:
    """Print the figures of some contenders, or of all, as JSON. Returns the exit status."""
    if shutil.which("valgrind") is None:
        print(json.dumps({"skipped": "valgrind is not installed, so no instructions are counted."}))
        return 0
    figures: dict[str, dict[str, float]] = {}
    with server() as url:
        base = per_call("raw", url)
        figures["raw"] = {"thousand instructions": round(base), "x raw": 1.0}
        for name in names or CONTENDERS:
            if name != "raw":
                cost = per_call(name, url)
                figures[name] = {
                    "thousand instructions": round(cost),
                    "x raw": round(cost / base, 3),
                }
                if name in GOALS:
                    figures[name]["goal"] = GOALS[name]
    print(json.dumps(figures, indent=1))
    return int(
        any(figures[name]["x raw"] > GOALS[name] * _SPARE for name in GOALS & figures.keys())
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--serve"]:
            asyncio.run(serve())
        case ["--run", name, calls, url]:
            gc.collect()  # what the imports left belongs to the start-up
            asyncio.run(CONTENDERS[name](url, int(calls)))
        case names:
            sys.exit(main(names))
