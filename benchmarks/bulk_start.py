"""How much a bulk start costs, against a bare aiohttp loop that does not even decode.

Both start the same apps of a sandbox in another process with the same number of connections, each
in a fresh process of its own. Printed: wall and CPU seconds and peak memory of both, and ratios.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import aiohttp

from aioappsapi import Client, PasswordGrant
from aioappsapi.sandbox import SandboxProcess

APPS = 10_000
CONCURRENCY = 100


async def ours(url: str) -> int:
    """Start with this library."""
    async with Client(url, auth=PasswordGrant("admin", "admin"), proxy="") as client:
        guids = [app.guid async for app in client.apps.list(per_page=5000)]
        report = await client.bulk.start(guids, concurrency=CONCURRENCY)
        return report.counts["ok"]


async def bare(url: str) -> int:
    """Start with a loop over a session, as one would write it in five minutes."""
    async with aiohttp.ClientSession() as session:
        form = {"grant_type": "password", "username": "admin", "password": "admin"}
        auth = aiohttp.BasicAuth("cf", "")
        async with session.post(f"{url}/uaa/oauth/token", data=form, auth=auth) as response:
            token = (await response.json())["access_token"]
        headers = {"Authorization": f"bearer {token}"}
        guids: list[str] = []
        for page in (1, 2):
            target = f"{url}/v3/apps?per_page=5000&page={page}"
            async with session.get(target, headers=headers) as response:
                guids += [app["guid"] for app in (await response.json())["resources"]]
        left = iter(guids)
        workers = [_start(session, url, headers, left) for _ in range(CONCURRENCY)]
        return sum(await asyncio.gather(*workers))


async def _start(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], guids: Iterator[str]
) -> int:
    started = 0
    for guid in guids:
        target = f"{url}/v3/apps/{guid}/actions/start"
        async with session.post(target, headers=headers) as response:
            await response.read()
            started += response.status == 200
    return started


def contend(name: str, url: str) -> None:
    """Run one contender in this process and print its figures."""
    begun = time.perf_counter()
    done = asyncio.run({"ours": ours, "bare": bare}[name](url))
    used = resource.getrusage(resource.RUSAGE_SELF)
    assert done == APPS
    print(
        json.dumps(
            {
                "wall_s": round(time.perf_counter() - begun, 2),
                "cpu_s": round(used.ru_utime + used.ru_stime, 2),
                "peak_mb": used.ru_maxrss // 1024,
            }
        )
    )


def main() -> None:
    figures = {}
    for name in ("bare", "ours"):
        with SandboxProcess(APPS) as sandbox:
            command = [sys.executable, "-m", "benchmarks.bulk_start", name, sandbox.url]
            done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
            figures[name] = json.loads(done.stdout)
    ratios = {
        key: round(figures["ours"][key] / figures["bare"][key], 2) for key in ("wall_s", "cpu_s")
    }
    print(
        json.dumps(
            {"apps": APPS, "concurrency": CONCURRENCY, **figures, "ours / bare": ratios}, indent=1
        )
    )


if __name__ == "__main__":
    contend(*sys.argv[1:]) if len(sys.argv) == 3 else main()
