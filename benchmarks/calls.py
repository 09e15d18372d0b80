"""How much time a call takes, against what users would pick instead.

Every contender starts the same apps, with the same headers, on 50 connections or threads, and
decodes or reads each answer as its users would. Each one runs in a fresh process, warms up, and is
then timed without its start-up. All of them run once per round, and each is compared with `raw` of
its own round; the medians of these ratios are printed. A contender that is not installed is left
out.

`python -m benchmarks.calls [--quick]`
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from aioappsapi import App
from benchmarks.instructions import (
    WORKERS,
    bulk,
    bulk_default,
    by_workers,
    guids,
    raw,
    server,
    start,
)

WARM_UP: Final = 100
HEADERS: Final = {"Authorization": "bearer token", "Accept": "application/json"}


async def raw_tuned(url: str, calls: int) -> None:
    """Start with aiohttp as fast as its public settings make it, and decode into the typed App."""
    decode = msgspec.json.Decoder(App).decode
    base = URL(url)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=None)
    async with aiohttp.ClientSession(
        headers=HEADERS, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:

        async def call(guid: str) -> None:
            target = base.with_path(f"/v3/apps/{guid}/actions/start", encoded=True)
            response = await session.post(target)
            decode(await response.read())

        await by_workers(calls, call)


async def httpx(url: str, calls: int) -> None:
    """Start with httpx, and make dictionaries."""
    import httpx

    limits = httpx.Limits(max_connections=WORKERS, max_keepalive_connections=WORKERS)
    async with httpx.AsyncClient(headers=HEADERS, limits=limits, trust_env=False) as client:

        async def call(guid: str) -> None:
            (await client.post(f"{url}/v3/apps/{guid}/actions/start")).json()

        await by_workers(calls, call)


async def cloudfoundry_client(url: str, calls: int) -> None:
    """Start with cloudfoundry-client on threads, which makes its entities."""
    from cloudfoundry_client.client import CloudFoundryClient
    from requests.adapters import HTTPAdapter

    client = CloudFoundryClient(url)
    client._access_token = "token"  # noqa: SLF001 - without a login
    client._get_session().mount("http://", HTTPAdapter(pool_maxsize=WORKERS))  # noqa: SLF001
    apps = client.v3.apps

    def call(guid: str) -> None:
        apps._post(f"{url}/v3/apps/{guid}/actions/start")  # noqa: SLF001 - what its links call

    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(call, guids(calls)))


Contender = Callable[[str, int], Awaitable[None]]
# Each with its calls per round: slow ones would take all the time.
CONTENDERS: Final[dict[str, tuple[Contender, int]]] = {
    "raw": (raw, 2_000),
    "raw_tuned": (raw_tuned, 2_000),
    "start": (start, 2_000),
    "bulk": (bulk, 2_000),
    "bulk_default": (bulk_default, 2_000),
    "httpx": (httpx, 400),
    "cloudfoundry_client": (cloudfoundry_client, 600),
}
_ROUNDS: Final = 7
_QUICK_ROUNDS: Final = 2


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(name: str, url: str) -> dict[str, float]:
    """Time one contender in this process, in microseconds per call."""
    logging.disable(logging.CRITICAL)
    contender, calls = CONTENDERS[name]

    async def timed() -> dict[str, float]:
        await contender(url, WARM_UP)
        wall, cpu = time.perf_counter(), cpu_seconds()
        await contender(url, calls)
        wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
        return {"wall": 1e6 * wall / calls, "cpu": 1e6 * cpu / calls}

    return asyncio.run(timed())


def one_round(names: list[str], url: str) -> dict[str, dict[str, float]]:
    """Time each contender in a fresh process."""
    found: dict[str, dict[str, float]] = {}
    for name in names:
        command = [sys.executable, "-m", "benchmarks.calls", "--run", name, url]
        done = subprocess.run(command, check=True, capture_output=True, timeout=120)
        found[name] = json.loads(done.stdout)
    return found


def main(rounds: int) -> int:
    """Print the medians of all rounds as JSON: microseconds, and ratios to `raw`."""
    modules = {"httpx", "cloudfoundry_client"}
    names = [one for one in CONTENDERS if one not in modules or importlib.util.find_spec(one)]
    with server() as url:
        found = [one_round(names, url) for _ in range(rounds)]
    print(
        json.dumps(
            {
                name: {
                    "us per call": round(median(one[name]["wall"] for one in found)),
                    "CPU us per call": round(median(one[name]["cpu"] for one in found)),
                    "wall x raw": _ratio(found, name, "wall"),
                    "CPU x raw": _ratio(found, name, "cpu"),
                }
                for name in names
            },
            indent=1,
        )
    )
    return 0


def _ratio(found: list[dict[str, dict[str, float]]], name: str, kind: str) -> float:
    return round(median(one[name][kind] / one["raw"][kind] for one in found), 2)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--run", name, url]:
            print(json.dumps(measure(name, url)))
        case words:
            sys.exit(main(_QUICK_ROUNDS if "--quick" in words else _ROUNDS))
