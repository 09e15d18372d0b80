"""A fleet on bad days: whatever ends a run, no app is lost, doubled, or called what it is not."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from aioappsapi import (
    App,
    Client,
    Fleet,
    Outcome,
    PasswordGrant,
    Report,
    RetryPolicy,
    RunAbortedError,
    Status,
    Waves,
    report_of,
)
from aioappsapi.sandbox import Faults, Sandbox

DOWN = "http://127.0.0.1:9"
BAD_DAY = Faults(
    latency=0.01,
    bad_gateway=0.05,
    unavailable=0.05,
    reset_before=0.05,
    reset_after=0.05,
    gateway_timeout=0.03,
    truncated=0.02,
    reads=0.3,
    startup=0.02,
    crash=0.05,
)


class Day:
    """One run over three sandboxes and an address where nobody listens, with its misfortunes."""

    def __init__(self, seed: int, folder: Path) -> None:
        rng = random.Random(seed)
        self.action = rng.choice(["start", "restart"])
        self.sizes = [rng.randint(1, 12) for _ in range(3)]
        self.knows_apps = rng.random() < 0.6
        self.breaks = rng.random() < 0.2
        self.ends_after = rng.uniform(0.01, 0.3) if rng.random() < 0.5 else None
        self.journal = folder / "journals"
        self.how: dict[str, Any] = {"crash_grace": 0.2, "journal": self.journal}
        may_be = {
            "max_failures": rng.choice([1, 2, 0.2]),
            "max_failures_per_target": 1,
            "deadline": rng.uniform(0.02, 0.4),
            "wait": "all",
            "concurrency": rng.choice([1, 2, 3]),
            "target_waves": rng.choice([Waves.canary(1), Waves.ramp(1, 2, pause=0.01)]),
        }
        self.how |= {name: value for name, value in may_be.items() if rng.random() < 0.3}

    async def run(self, fleet: Fleet, keys: dict[str, list[str]]) -> Report[Any]:
        """Run it until something ends it; return what is known then."""
        seen: list[Outcome[App]] = []

        def note(outcome: Outcome[App]) -> None:
            seen.append(outcome)
            if self.breaks and len(seen) == 4:
                raise LookupError("a broken callback")

        chosen: Any = keys if self.knows_apps else lambda client: client.apps.list(per_page=5)
        try:
            async with asyncio.timeout(self.ends_after):
                run = getattr(fleet.bulk, self.action)
                return await run(chosen, on_outcome=note, **self.how)
        except (TimeoutError, RunAbortedError) as ended:
            report = report_of(ended)
            assert report is not None
            return report
        finally:
            assert len({(one.target, one.key) for one in seen}) == len(seen)


def sent(cloud: Sandbox, action: str) -> Counter[str]:
    paths = [one.path_qs for one in cloud.requests if one.method == "POST"]
    return Counter(path.split("/")[3] for path in paths if path.endswith(f"/actions/{action}"))


def check(day: Day, report: Report[Any], clouds: dict[str, Sandbox]) -> None:
    """Compare a report with what the servers know."""
    assert len({(one.target, one.key) for one in report}) == len(report)
    for name, cloud in clouds.items():
        mine = {one.key: one.status for one in report if one.target == cloud.url}
        told = cloud.url in report.target_errors or not report.complete
        assert set(mine) == set(cloud.apps) or (told and not day.knows_apps), name
        requests = sent(cloud, day.action)
        for key, status in mine.items():
            assert not (status is Status.NOT_ATTEMPTED and requests[key]), (name, key)
            assert not status.done or cloud.apps[key].state == "STARTED", (name, key)
    nowhere = [one.status for one in report if one.target == DOWN]
    assert set(nowhere) <= {Status.NOT_ATTEMPTED}
    assert len(nowhere) == (2 if day.knows_apps else 0)


@pytest.mark.parametrize("seed", range(5))
async def test_no_app_is_lost_or_doubled(seed: int, tmp_path: Path) -> None:
    day = Day(seed, tmp_path)
    async with AsyncExitStack() as stack:
        clouds = {
            f"cf-{n}": await stack.enter_async_context(Sandbox(size, seed=n, faults=BAD_DAY))
            for n, size in enumerate(day.sizes)
        }
        keys = {name: list(cloud.apps) for name, cloud in clouds.items()} | {"down": ["x", "y"]}
        urls = {name: cloud.url for name, cloud in clouds.items()} | {"down": DOWN}
        clients = {
            name: Client(
                url,
                auth=PasswordGrant("admin", "admin"),
                retry=RetryPolicy(base=0.01, attempts=1 if name == "down" else 3),
            )
            for name, url in urls.items()
        }
        fleet = await stack.enter_async_context(Fleet(clients, patience=2))
        check(day, await day.run(fleet, keys), clouds)
        for cloud in clouds.values():
            cloud.faults = Faults()
        again = await getattr(fleet.bulk, day.action)(keys, journal=day.journal, resume=True)
    assert len(again) == sum(map(len, keys.values()))
    for cloud in clouds.values():
        done = [one.path_qs for one in cloud.requests if one.status == 200]
        restarts = Counter(path for path in done if path.endswith("/actions/restart"))
        assert max(restarts.values(), default=1) == 1
