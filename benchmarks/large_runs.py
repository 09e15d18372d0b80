"""How much memory 100,000 apps take: a plan, a snapshot, a restore, and the files of a report.

The sandbox is a process of its own. Each case has a fresh process: what stays when it is done, and
how much more there was at most meanwhile. Every figure has a bound; the exit status is 1 if one is
passed.

`python -m benchmarks.large_runs [APPS]`
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aioappsapi import Client, PasswordGrant
from aioappsapi.sandbox import SandboxProcess
from benchmarks.memory import MB, resident

APPS: Final = 100_000
SUFFIXES: Final = ("json", "jsonl", "csv", "html")

Figures = dict[str, dict[str, int]]


class Meter:
    """Measures the memory that stays, and the peak, since it was made."""

    def __init__(self) -> None:
        self._before = resident()

    def figures(self) -> dict[str, int]:
        """Return both in MB."""
        kept = resident() - self._before
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - self._before
        return {"kept": round(kept / MB), "peak": round(max(kept, peak) / MB)}


async def plan(client: Client, keys: list[str]) -> Figures:
    """Predict a start."""
    meter = Meter()
    found = await client.bulk.plan("start", keys)
    assert len(found.report) == len(keys)
    return {"plan": meter.figures()}


async def restore(client: Client, keys: list[str]) -> Figures:
    """Take a snapshot, and restore it over apps that are as they were."""
    meter = Meter()
    snapshot = await client.bulk.snapshot(keys)
    figures = {"snapshot": meter.figures()}
    meter = Meter()
    report = await client.bulk.restore(snapshot)
    assert report.counts["already"] == len(keys)
    return figures | {"restore": meter.figures()}


async def files(client: Client, keys: list[str]) -> Figures:
    """Start the apps, and write the report in each format."""
    meter = Meter()
    report = await client.bulk.start(keys, keep_values=False)
    assert len(report) == len(keys)
    figures = {"report": meter.figures()}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in SUFFIXES:
            meter = Meter()
            report.write(Path(folder) / f"report.{suffix}")
            figures[f"write .{suffix}"] = meter.figures()
    return figures


CASES: Final[dict[str, Callable[[Client, list[str]], Awaitable[Figures]]]] = {
    "plan": plan,
    "restore": restore,
    "files": files,
}
# In MB, for 100,000 apps.
BOUNDS: Final = {
    "plan": 100,
    "snapshot": 200,
    "restore": 100,
    "report": 60,
    **{f"write .{suffix}": 40 for suffix in SUFFIXES},
}


async def measure(name: str, url: str) -> Figures:
    """Measure one case in this process."""
    async with Client(url, auth=PasswordGrant("admin", "admin"), proxy="") as client:
        keys = [app.guid async for app in client.apps.list(per_page=5_000)]
        return await CASES[name](client, keys)


def main(apps: int) -> int:
    """Print the figures as JSON."""
    figures: Figures = {}
    with SandboxProcess(apps) as sandbox:
        for name in CASES:
            command = [sys.executable, "-m", __spec__.name, "--run", name, sandbox.url]
            done = subprocess.run(command, check=True, capture_output=True)
            figures |= json.loads(done.stdout)
    print(
        json.dumps({"MB": {one: found | {"bound": BOUNDS[one]} for one, found in figures.items()}})
    )
    return int(any(found["peak"] > BOUNDS[one] for one, found in figures.items()))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--run", name, url]:
            print(json.dumps(asyncio.run(measure(name, url))))
        case words:
            sys.exit(main(int(words[0]) if words else APPS))
