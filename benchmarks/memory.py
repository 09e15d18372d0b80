"""How much memory the outcomes of a run take, kept and streamed.

Each figure comes from a fresh process: the growth of its resident memory from before the run, when
the input is there, to after it, with the report in hand. A server in a process of its own answers
every start at once with the recorded app. Every figure has a bound; the exit status is 1 if one is
passed.

`python -m benchmarks.memory [--quick]`
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aioappsapi import Client, StaticToken
from benchmarks.instructions import guids, server

MB: Final = 1_000_000


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


async def kept(client: Client, keys: list[str], *, keep_values: bool) -> float:
    """Keep the outcomes in a report, and return the growth in MB."""
    before = resident()
    report = await client.bulk.start(keys, keep_values=keep_values)
    after = resident()
    assert report.counts["ok"] == len(keys)
    return (after - before) / MB


async def with_values(client: Client, keys: list[str]) -> float:
    """Keep outcomes with their Apps."""
    return await kept(client, keys, keep_values=True)


async def without_values(client: Client, keys: list[str]) -> float:
    """Keep outcomes without their Apps."""
    return await kept(client, keys, keep_values=False)


async def streamed(client: Client, keys: list[str]) -> float:
    """Count the outcomes only, and return the largest growth in MB while they came."""
    before = most = resident()
    seen = 0
    async with client.bulk.stream("start", keys, keep=False) as outcomes:
        async for _ in outcomes:
            seen += 1
            if seen % 5_000 == 0:
                most = max(most, resident())
    assert seen == len(keys)
    return (most - before) / MB


# By name: what is done, for how many apps, and the bound in MB.
CASES: Final[dict[str, tuple[Callable[[Client, list[str]], Awaitable[float]], int, float]]] = {
    "10,000 kept with values": (with_values, 10_000, 40),
    "10,000 kept without values": (without_values, 10_000, 15),
    "100,000 streamed with keep=False": (streamed, 100_000, 25),
}


async def measure(name: str, url: str) -> float:
    """Measure one case in this process, after a small run for what is made only once."""
    case, apps, _ = CASES[name]
    async with Client(url, auth=StaticToken("token"), proxy="") as client:
        await client.bulk.start(guids(500))
        return await case(client, guids(apps))


def main(names: list[str]) -> int:
    """Print the figures as JSON."""
    figures: dict[str, float] = {}
    with server() as url:
        for name in names:
            command = [sys.executable, "-m", __spec__.name, "--run", name, url]
            figures[name] = float(subprocess.run(command, check=True, capture_output=True).stdout)
    bounds = {name: CASES[name][2] for name in names}
    print(json.dumps({"MB": figures, "bounds": bounds}, indent=1))
    return int(any(figures[name] > bounds[name] for name in names))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--run", name, url]:
            print(round(asyncio.run(measure(name, url)), 1))
        case ["--quick"]:
            sys.exit(main([name for name in CASES if name.startswith("10,000")]))
        case _:
            sys.exit(main(list(CASES)))
