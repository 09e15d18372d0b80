"""How fast pages of apps are decoded, against what users would pick, and how long the loop waits.

Pages of 0.1, 2 and 10 MB with their spaces and organizations, made of the recorded app. Ours
includes the joining of spaces and organizations, and pydantic 2 makes the same typed apps. Each
decoder runs in a fresh process per round, and its ratio to orjson of the same round is the median
of all rounds. Then a page of 12.7 MB is read through the pager, and the longest CPU time between
two turns of the event loop is printed. A decoder that is not installed is left out.

`python -m benchmarks.decode [--quick]`
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Final

import msgspec

from aioappsapi import App, Client, StaticToken
from aioappsapi.api.app_pager import Places
from aioappsapi.models.page import Page
from benchmarks.instructions import GUID, ORGANIZATION, SPACE, recorded_app

MB: Final = 1_000_000
SIZES: Final = {"0.1 MB": MB // 10, "2 MB": 2 * MB, "10 MB": 10 * MB}
# How many times as fast as orjson.
GOALS: Final = {"0.1 MB": 1.5, "2 MB": 2.2, "10 MB": 3.0}
LARGE: Final = 12_700_000
LONGEST_TURN: Final = 10.0  # ms


def page(size: int) -> bytes:
    """Make a page of about so many bytes: apps in up to a hundred spaces of one organization."""
    app = recorded_app()
    few = min(size // len(app), 100)  # no space without an app comes along
    spaces = [f"{SPACE[:-2]}{number:02}" for number in range(few)]
    apps = (
        app.replace(GUID.encode(), f"{GUID[:-6]}{number:06}".encode()).replace(
            SPACE.encode(), spaces[number % few].encode()
        )
        for number in range(size // len(app))
    )
    owner = {"organization": {"data": {"guid": ORGANIZATION}}}
    included = {
        "spaces": [{"guid": one, "name": "dev", "relationships": owner} for one in spaces],
        "organizations": [{"guid": ORGANIZATION, "name": "acme"}],
    }
    return b'{"pagination":{"total_pages":1},"resources":[%b],"included":%b}' % (
        b",".join(apps),
        msgspec.json.encode(included),
    )


def ours() -> Callable[[bytes], object]:
    """Decode into typed Apps, and give each its space and organization."""
    decode = msgspec.json.Decoder(Page[App]).decode

    def read(body: bytes) -> object:
        found = decode(body)
        Places(found.included).join(found.resources)
        return found

    return read


def stdlib() -> Callable[[bytes], object]:
    """Make dictionaries with `json`."""
    return json.loads


def orjson() -> Callable[[bytes], object]:
    """Make dictionaries with orjson."""
    loads: Callable[[bytes], object] = importlib.import_module("orjson").loads
    return loads


def pydantic() -> Callable[[bytes], object]:
    """Make models of pydantic 2 with the same fields."""
    from benchmarks.pydantic_models import Page as Model

    return Model.model_validate_json


def cloudfoundry_client() -> Callable[[bytes], object]:
    """Make the entities of cloudfoundry-client, whose client is not asked anything here."""
    from cloudfoundry_client.common_objects import JsonObject
    from cloudfoundry_client.v3.entities import Entity

    class Client:
        v3: object = object()

    def read(body: bytes) -> object:
        found = json.loads(body, object_pairs_hook=JsonObject)
        return [Entity("http://127.0.0.1", Client(), **one) for one in found["resources"]]

    return read


CONTENDERS: Final = {
    one.__name__: one for one in (ours, orjson, stdlib, pydantic, cloudfoundry_client)
}
# Bytes that each reads in a round: many small pages, one large one.
_WORK: Final = 24 * MB
_SLOW: Final = ("cloudfoundry_client", "pydantic")
_ROUNDS: Final = 7
_QUICK_ROUNDS: Final = 3


def seconds(name: str, body: bytes) -> float:
    """Return the CPU time of decoding a page, with its result kept meanwhile: a median."""
    read = CONTENDERS[name]()
    read(body)
    times: list[float] = []
    for _ in range(1 if name in _SLOW else max(_WORK // len(body), 4)):
        begun = time.process_time()  # other processes must not count
        found = read(body)
        times.append(time.process_time() - begun)
        del found
    return median(times)


def measure(name: str) -> dict[str, float]:
    """Measure one decoder in this process: seconds by size."""
    return {label: seconds(name, page(size)) for label, size in SIZES.items()}


def one_round() -> dict[str, dict[str, float]]:
    """Measure each decoder in a fresh process."""
    times: dict[str, dict[str, float]] = {}
    for name in CONTENDERS:
        command = [sys.executable, "-m", "benchmarks.decode", "--run", name]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode == 0:
            times[name] = json.loads(done.stdout)
    return times


# -- the event loop


class OnePage(asyncio.Protocol):
    """Answers every request with one page."""

    body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.body)
        self._transport.write(head + self.body)


async def serve() -> None:
    """Serve a page of 12.7 MB until standard input ends, and print the port."""
    OnePage.body = page(LARGE)
    server = await asyncio.get_running_loop().create_server(OnePage, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


async def longest_turn(url: str) -> float:
    """Read the page through the pager, and return the longest CPU time of a turn, in ms."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        before = time.process_time()
        while True:
            await asyncio.sleep(0)
            now = time.process_time()
            longest, before = max(longest, now - before), now

    async with Client(url, auth=StaticToken("token"), proxy="") as client:
        await client.apps.list(include=["space.organization"]).all()  # a warm-up
        gc.collect()
        watching = asyncio.create_task(watch())
        kept = await client.apps.list(include=["space.organization"]).all()
        watching.cancel()
    assert len(kept) > 5_000
    return 1_000 * longest


def loop_blocked() -> float:
    """Return the median of the longest turns of some fresh processes, in ms of CPU time."""
    command = [sys.executable, "-m", "benchmarks.decode"]
    with subprocess.Popen(
        [*command, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        turns = [
            float(
                subprocess.run([*command, "--turns", url], check=True, capture_output=True).stdout
            )
            for _ in range(3)
        ]
        process.communicate()
    return median(turns)


def main(rounds: int) -> int:
    """Print times and ratios as JSON."""
    found = [one_round() for _ in range(rounds)]
    names = found[0]
    ratios = {
        name: {
            label: round(median(one["orjson"][label] / one[name][label] for one in found), 2)
            for label in SIZES
        }
        for name in names
        if "orjson" in names
    }
    ms = {
        name: {label: round(1000 * median(one[name][label] for one in found), 2) for label in SIZES}
        for name in names
    }
    turn = round(loop_blocked(), 1)
    print(
        json.dumps(
            {
                "ms": ms,
                "x orjson": ratios,
                "goals": GOALS,
                "longest turn of the loop for 12.7 MB, CPU ms": turn,
            },
            indent=1,
        )
    )
    return int(turn > LONGEST_TURN)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--run", name]:
            print(json.dumps(measure(name)))
        case ["--serve"]:
            asyncio.run(serve())
        case ["--turns", url]:
            print(asyncio.run(longest_turn(url)))
        case words:
            sys.exit(main(_QUICK_ROUNDS if "--quick" in words else _ROUNDS))
