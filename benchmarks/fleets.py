"""What a fleet costs, and whether broken foundations harm the others.

50 foundations with 100 apps each: one is down, one answers nothing but 503, one accepts connections
and never answers, and one is five times as slow as the rest. The servers are in a process of their
own. Times are ratios to the slow foundation on its own. Then Dask starts 8 x 100 apps on two worker
processes, one of which is killed in the middle; this needs the extra dask. The exit status is 1 if
a bound is passed.

`python -m benchmarks.fleets [--quick]`
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Final

from aioappsapi import Client, Fleet, Outcome, PasswordGrant, Status
from aioappsapi.sandbox import Faults, Sandbox
from benchmarks.memory import MB, resident

PATIENCE: Final = 15.0
LATENCY: Final = 0.4
SLOW: Final = 5 * LATENCY
DOWN: Final = "http://127.0.0.1:9"
UNAVAILABLE: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
BOUNDS: Final[dict[str, float]] = {
    "apps without an outcome": 0,
    "apps of good foundations that are not ok": 0,
    "apps of broken foundations that are not not_attempted": 0,
    "targets that are not named as unusable": 0,
    "time of the good foundations / the slow one alone": 1.5,
    "time of everything, beyond the good ones, in s": 30.0,
    "MB per foundation": 2.0,
    "Dask: apps asked twice": 0,
    "Dask: apps lost": 0,
}


# -- the servers


async def serve(count: int, apps: int) -> None:
    """Serve until standard input ends; print the addresses: broken ones first, the slow last."""
    async with AsyncExitStack() as stack:
        urls = [DOWN]
        for answer in (UNAVAILABLE, None):
            server = await asyncio.start_server(_Broken(answer), "127.0.0.1", 0)
            stack.callback(server.close)
            host, port = server.sockets[0].getsockname()
            urls.append(f"http://{host}:{port}")
        for seed in range(count - 3):
            latency = SLOW if seed == count - 4 else LATENCY
            cloud = Sandbox(apps, seed=seed, faults=Faults(latency=latency, latency_spread=0.0))
            urls.append((await stack.enter_async_context(cloud)).url)
        print(json.dumps(urls), flush=True)
        await asyncio.to_thread(sys.stdin.read)


class _Broken:
    """Answers every request with the same bytes, or never."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                if self._answer is not None:
                    writer.write(self._answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@contextmanager
def servers(count: int, apps: int) -> Iterator[list[str]]:
    """Serve from another process, and yield the addresses."""
    command = [sys.executable, "-m", "benchmarks.fleets", "--serve", str(count), str(apps)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        yield json.loads(child.stdout.readline())
        assert child.stdin is not None
        child.stdin.close()


# -- the runs


def client(url: str) -> Client:
    return Client(url, auth=PasswordGrant("admin", "admin"), proxy="")


async def keys_of(urls: list[str]) -> dict[str, list[str]]:
    """List the apps of each foundation, by its address."""
    async with Fleet({f"cf-{n}": client(url) for n, url in enumerate(urls)}) as fleet:
        found = await fleet.each(lambda one: one.apps.list(per_page=1000).all())
    return {
        url: [app.guid for app in one]
        for url, one in zip(urls, found.values(), strict=True)
        if not isinstance(one, Exception)
    }


async def alone(url: str, keys: list[str]) -> float:
    """Start all apps of one foundation, and stop them again; return the seconds of the start."""
    async with client(url) as one:
        began = time.perf_counter()
        assert (await one.bulk.start(keys)).ok
        seconds = time.perf_counter() - began
        assert (await one.bulk.stop(keys)).ok
    return seconds


async def together(urls: list[str], apps: int) -> dict[str, float]:
    """Start all apps of all foundations."""
    broken, good = urls[:3], urls[3:]
    known = await keys_of(good)
    slow = await alone(good[-1], known[good[-1]])
    guids = [f"app-{number}" for number in range(apps)]
    clients = {f"cf-{number}": client(url) for number, url in enumerate(urls)}
    keys = {name: known.get(one.api_url, guids) for name, one in clients.items()}
    last, before, cpu = 0.0, resident(), time.process_time()
    began = time.perf_counter()

    def note(outcome: Outcome[object]) -> None:
        nonlocal last
        if outcome.target in good:
            last = time.perf_counter() - began

    async with Fleet(clients, patience=PATIENCE) as fleet:
        report = await fleet.bulk.start(keys, on_outcome=note, keep_values=False)
        whole = time.perf_counter() - began
    by_target = {url: [one.status for one in report if one.target == url] for url in urls}
    return {
        "apps without an outcome": len(urls) * apps - len(report),
        "apps of good foundations that are not ok": sum(
            len(by_target[url]) - by_target[url].count(Status.OK) for url in good
        ),
        "apps of broken foundations that are not not_attempted": sum(
            len(by_target[url]) - by_target[url].count(Status.NOT_ATTEMPTED) for url in broken
        ),
        "targets that are not named as unusable": len(set(broken) ^ set(report.target_errors)),
        "time of the good foundations / the slow one alone": round(last / slow, 2),
        "time of everything, beyond the good ones, in s": round(whole - last, 1),
        "MB per foundation": round((resident() - before) / MB / len(urls), 2),
        "CPU ms per foundation": round((time.process_time() - cpu) * 1000 / len(urls), 1),
        "CPU ms per app": round((time.process_time() - cpu) * 1000 / len(report), 2),
    }


def on_dask(sandboxes: int, apps: int) -> dict[str, float]:
    """Run the script of the test with more apps; nothing without Dask."""
    if importlib.util.find_spec("distributed") is None:
        print("distributed is not installed: no figures for Dask", file=sys.stderr)
        return {}
    script = Path(__file__).parent.parent / "tests" / "dask_fleet.py"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(script), folder, str(sandboxes), str(apps)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    return {
        "Dask: apps that ran": figures["ok"],
        "Dask: tasks that another process continued": figures["continued"],
        "Dask: apps asked twice": figures["asked_twice"],
        "Dask: apps lost": figures["lost"],
    }


def main(count: int, apps: int, dask: tuple[int, int]) -> int:
    """Print the figures as JSON."""
    with servers(count, apps) as urls:
        figures = asyncio.run(together(urls, apps))
    figures |= on_dask(*dask)
    print(json.dumps({"figures": figures, "bounds": BOUNDS}, indent=1))
    return int(any(figures.get(name, 0) > bound for name, bound in BOUNDS.items()))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--serve", count, apps]:
            asyncio.run(serve(int(count), int(apps)))
        case ["--quick"]:
            sys.exit(main(10, 20, (4, 12)))
        case _:
            sys.exit(main(50, 100, (8, 100)))
