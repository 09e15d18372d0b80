"""Rolling restarts and restages that are killed and resumed: no action is carried out twice.

Each history is a run of up to four processes over a sandbox with faults. Earlier ones are killed,
cancelled, stopped or run out of time; the last one ends by itself, without faults.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aioappsapi import BuildFailedError, NotRunningError, Report, Status
from aioappsapi.sandbox import Faults, Sandbox
from tests.clients import busy_client
from tests.fakes import run_virtual
from tests.test_rolling import reason, sandbox

ACTIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "rolling restart": ("restart", {"strategy": "rolling"}),
    "rolling restage": ("restage", {"strategy": "rolling", "max_building": 10}),
    "plain restage": ("restage", {}),
}


def some_faults(draw: random.Random) -> Faults:
    return replace(
        Faults(),
        latency=draw.choice([0.0, 0.1]),
        unavailable=draw.choice([0.0, 0.1]),
        reset_before=draw.choice([0.0, 0.1]),
        reset_after=draw.choice([0.0, 0.1]),
        bad_gateway=draw.choice([0.0, 0.1]),
        garbage=draw.choice([0.0, 0.1]),
        staging_failed=draw.choice([0.0, 0.1]),
        writes=1.0,
        reads=draw.choice([0.0, 0.3]),
        startup=draw.choice([0.0, 2.0]),
    )


async def kill_and_resume(name: str, seed: int, folder: Path, apps: int = 30) -> None:
    draw, path = random.Random(seed), folder / "run.journal"
    async with sandbox(apps, seed=seed) as cloud:
        await asyncio.sleep(10)
        for _ in range(draw.randint(0, 3)):
            cloud.faults = some_faults(draw)
            report = await live(cloud, name, path, draw, draw.choice(["kill", "cancel", "stop"]))
            if report is not None:
                hold(cloud, report, name)
            await asyncio.sleep(1)  # what was in flight arrives
        cloud.faults = Faults(startup=1.0)
        report = await live(cloud, name, path, draw, "none")
        assert report is not None
        hold(cloud, report, name)
        hold_the_last(report, name)


async def live(
    cloud: Sandbox, name: str, path: Path, draw: random.Random, end: str
) -> Report[Any] | None:
    action, more = ACTIONS[name]
    async with busy_client(cloud) as cf:
        run = cf.bulk.stream(
            action,
            list(cloud.apps),
            journal=path,
            resume=path.exists(),
            wait="none" if name != "plain restage" and draw.random() < 0.5 else "all",
            startup_timeout=60.0,
            concurrency=draw.choice([3, 30]),
            **more,
        )
        task = asyncio.create_task(run.run())
        saved = None
        if end != "none":
            await asyncio.wait([task], timeout=draw.uniform(0.0, 8.0))
            if end == "kill":
                saved = path.read_bytes() if path.exists() else b""
            if end == "stop":
                run.stop("stopped", grace=1.0)
            else:
                task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        if saved is not None:
            path.write_bytes(saved)
            return None
        return run.report


def hold(cloud: Sandbox, report: Report[Any], name: str) -> None:
    """Hold a report against what the sandbox knows."""
    counts = report.counts
    assert counts.pop("total") == sum(counts.values()) == len(report) == len(cloud.apps)
    deployments = Counter(one.app.guid for one in cloud.shelf.deployments.values())
    builds = Counter(one.app.guid for one in cloud.shelf.builds.values())
    assert max(deployments.values(), default=0) <= 1
    assert max(builds.values(), default=0) <= 1
    assert all(app.applied["restart"] <= 1 for app in cloud.apps.values())
    droplets = {one.app.guid: one.droplet for one in cloud.shelf.builds.values()}
    reasons = {one.app.guid: reason(one) for one in cloud.shelf.deployments.values()}
    for outcome in report:
        app = cloud.apps[outcome.key]
        if outcome.status is Status.OK:
            if "restage" in name:
                assert app.droplet == droplets[outcome.key]
            if "rolling" in name:
                assert reasons[outcome.key] == "DEPLOYED"
            else:
                assert app.applied["restart"] == 1
            assert cloud.running(outcome.key)


def hold_the_last(report: Report[Any], name: str) -> None:
    for outcome in report:
        if name == "plain restage" and outcome.status is Status.UNVERIFIED:
            continue  # nobody sees whether a restart was carried out
        assert outcome.status in {Status.OK, Status.FAILED}, outcome
        if outcome.status is Status.FAILED:
            assert isinstance(outcome.error, BuildFailedError | NotRunningError), outcome


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("seed", range(4))
def test_no_action_is_carried_out_twice_however_the_run_ends(
    name: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        # Wall time passes as fast as the loop's, across processes.
        wall = SimpleNamespace(time=asyncio.get_running_loop().time)
        monkeypatch.setattr("aioappsapi.bulk.run.journal.time", wall)
        await kill_and_resume(name, seed, tmp_path)

    run_virtual(run())
