"""What it takes to know that apps really run, and what a platform goes through meanwhile.

Requests per app with the batched wait and with polling app by app; a run that stays within a rate
limit; the most instances that were starting at a time, and the share of apps that crashed, with and
without a bound; how many predictions came true. Client and sandbox share one event loop; but for
the rate limit its clock is a virtual one, so that minutes of starting take seconds. Every figure
has a bound; the exit status is 1 if one is passed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import replace
from typing import Any

import anyio

from aioappsapi import Client, Limits, PasswordGrant
from aioappsapi.sandbox import Faults, Sandbox
from tests.fakes import run_virtual

STARTUP = Faults(startup=20.0, startup_spread=0.5, crash_once=0.02)
ADVERSE: dict[str, dict[str, Any]] = {
    "room for half of them": {"cell_memory_mb": 500 * 1024},
    "a fifth of them in crash loops": {"faults": replace(STARTUP, crash=0.2)},
    "server without embed": {"embeds": False},
}
CELLS = {"cells": 10, "cell_memory_mb": 200_000, "max_starting_per_cell": 10}


def client_of(cloud: Sandbox) -> Client:
    auth = PasswordGrant("admin", "admin")
    return Client(cloud.url, auth=auth, proxy="", limits=Limits(concurrency=500))


def virtual_sandbox(apps: int, faults: Faults, **options: Any) -> Sandbox:
    return Sandbox(apps, faults=faults, clock=asyncio.get_running_loop().time, **options)


async def batched(figures: dict[str, float], apps: int) -> None:
    """Start and wait the way this library does."""
    async with virtual_sandbox(apps, STARTUP) as cloud, client_of(cloud) as client:
        report = await client.bulk.start(list(cloud.apps), wait="all", concurrency=100)
        assert report.ok, report
        figures[f"requests per app, {apps} apps"] = report.requests.sent / apps


async def adverse(figures: dict[str, float], name: str, **options: Any) -> None:
    """Start and wait where a thousand apps do not just come up, or the server cannot embed."""
    embeds, faults = options.pop("embeds", True), options.pop("faults", STARTUP)
    async with virtual_sandbox(1_000, faults, **options) as cloud, client_of(cloud) as client:
        if not embeds:
            client.apps._caller.features.remember_missing("embed")  # noqa: SLF001
        report = await client.bulk.start(list(cloud.apps), wait="all")
        figures[f"requests per app, {name}"] = report.requests.sent / 1_000


async def naive(figures: dict[str, float], apps: int) -> None:
    """Start, and ask for each app's instances every 3 s."""
    async with virtual_sandbox(apps, STARTUP) as cloud, client_of(cloud) as client:

        async def start_and_poll(guid: str) -> None:
            await client.apps.start(guid)
            while True:
                await anyio.sleep(3)
                stats = await client.processes.get_stats(app_guid=guid)
                if all(one.state == "RUNNING" for one in stats):
                    return

        report = await client.bulk.map(start_and_poll, list(cloud.apps), concurrency=500)
        assert report.ok, report
        figures[f"requests per app, {apps} apps, naive"] = report.requests.sent / apps


async def start_limiter(figures: dict[str, float], bound: int | None) -> None:
    """Start a thousand apps on cells that cope with a hundred at a time."""
    faults = Faults(startup=10.0, startup_spread=0.3, overload_crash=0.5, crash_backoff=5.0)
    async with virtual_sandbox(1_000, faults, **CELLS) as cloud, client_of(cloud) as client:
        await client.bulk.start(
            list(cloud.apps), wait="all", max_starting=bound, startup_timeout=3_600, crash_grace=600
        )
        crashed = sum(any(i.crashes for i in cloud.instances(guid)) for guid in cloud.apps)
        name = "without a bound" if bound is None else f"max_starting={bound}"
        figures[f"peak of starting instances, {name}"] = cloud.peak_starting
        figures[f"share of apps that crashed, {name}"] = crashed / len(cloud.apps)


async def rate_limited(figures: dict[str, float]) -> None:
    """Start and wait for more apps than a window allows, on a real clock."""
    faults = Faults(startup=3.0, rate_limit=2_000, rate_window=20.0)
    async with Sandbox(2_500, faults=faults) as cloud, client_of(cloud) as client:
        report = await client.bulk.start(list(cloud.apps), wait="all")
        assert report.ok, report
        refused = sum(request.status == 429 for request in cloud.requests)
        figures["429s under a limit of 2,000"] = refused


async def predicted(figures: dict[str, float]) -> None:
    """Predict a run over quotas, suspensions, missing droplets and roles; then carry it out."""
    same = total = 0
    for seed, user in enumerate(("admin", "developer", "supporter", "auditor")):
        faults = Faults(without_droplet=0.05)
        async with Sandbox(2_000, seed=seed, faults=faults) as cloud:
            first, second = cloud.organizations.values()
            first.memory_limit, second.suspended = 900 * 1024, True
            next(iter(cloud.spaces.values())).suspended = True
            auth = PasswordGrant(user, user)
            async with Client(cloud.url, auth=auth, proxy="") as client:
                expected = await client.bulk.start(list(cloud.apps), dry_run=True)
                report = await client.bulk.start(list(cloud.apps))
        pairs = zip(expected, report, strict=True)
        same += sum(one.done == other.done for one, other in pairs)
        total += len(report)
    figures["share of predictions that came true"] = same / total


def passed(figures: dict[str, float]) -> dict[str, str]:
    """Name the figures that are not as they should be."""
    bounds = {f"requests per app, {apps} apps": 2.2 for apps in (100, 1_000, 10_000)}
    bounds |= dict.fromkeys((f"requests per app, {name}" for name in ADVERSE), 2.2)
    bounds |= {
        "requests per app, server without embed": 4.0,
        "429s under a limit of 2,000": 0,
        "peak of starting instances, max_starting=100": 100,
        "share of apps that crashed, max_starting=100": 0.02,
    }
    over = {name: f"at most {bound}" for name, bound in bounds.items() if figures[name] > bound}
    if figures["share of predictions that came true"] < 0.99:
        over["share of predictions that came true"] = "at least 0.99"
    return over


def main() -> int:
    logging.disable(logging.CRITICAL)
    figures: dict[str, float] = {}
    for apps in (100, 1_000, 10_000):
        run_virtual(batched(figures, apps))
        run_virtual(naive(figures, apps))
    for name, options in ADVERSE.items():
        run_virtual(adverse(figures, name, **options))
    for bound in (None, 100):
        run_virtual(start_limiter(figures, bound))
    asyncio.run(rate_limited(figures))
    asyncio.run(predicted(figures))
    figures = {name: round(value, 3) for name, value in figures.items()}
    print(json.dumps({"figures": figures, "passed": passed(figures)}, indent=1))
    return bool(passed(figures))


if __name__ == "__main__":
    sys.exit(main())
