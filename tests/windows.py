"""Maintenance windows from beginning to end, for tests and benchmarks.

Each one returns what it found in the sandbox, which knows what was really done.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aioappsapi import Client, PasswordGrant, Report, Snapshot, Status
from aioappsapi.bulk import SnapshotDiff
from aioappsapi.sandbox import Faults, Sandbox, SandboxThread
from aioappsapi.sandbox.world.model import Organization, Space, guid_of
from tests.clients import busy_client
from tests.test_rolling import sandbox

# -- a snapshot, all apps stopped, and a restore that is killed with SIGKILL


def large_sandbox(apps: int, *, spaces: int, stopped: int, tiers: int) -> Sandbox:
    """Make a platform with so many apps in so many spaces; the first `stopped` do not run.

    The label `tier` has one of `tiers` values.
    """
    cloud = Sandbox(0, faults=Faults(startup=0.05, shutdown=0.02, latency=0.01))
    organization = next(iter(cloud.world.organizations.values()))
    places = [_space(organization, number) for number in range(spaces)]
    cloud.world.spaces |= {space.guid: space for space in places}
    for number in range(apps):
        cloud.add_app(
            f"app-{number:05}",
            space=places[number % spaces],
            labels={"tier": str(number % tiers)},
            state="STOPPED" if number < stopped else "STARTED",
            instances=1 + number % 2,
        )
    return cloud


def _space(organization: Organization, number: int) -> Space:
    return Space(guid_of("space", number), f"space-{number}", organization)


class Window:
    """A maintenance window; what is killed is a process of its own. `seconds` are those taken."""

    def __init__(self, cloud: Sandbox, folder: Path) -> None:
        self.cloud = cloud
        self.folder = folder
        self.seconds: dict[str, float] = {}
        self.environment = os.environ | {
            "CF_API": cloud.url,
            "CF_USERNAME": "admin",
            "CF_PASSWORD": "admin",
        }

    def client(self) -> Client:
        return Client(self.cloud.url, auth=PasswordGrant("admin", "admin"), proxy="")

    async def snapshot_and_stop(self) -> Snapshot:
        async with self.client() as cf:
            with self.timed("snapshot"):
                snapshot = await cf.bulk.snapshot(cf.apps.list())
            with self.timed("stop"):
                report = await cf.bulk.stop(cf.apps.list(), wait="all")
            assert report.ok
        return snapshot

    async def diff(self, snapshot: Snapshot) -> SnapshotDiff:
        async with self.client() as cf:
            return await cf.bulk.diff(snapshot)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "aioappsapi", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def run(self, *words: str) -> int:
        with self.timed(f"{words[0]}, resumed"):
            return self.begin(*words).wait(600)

    def kill_in_the_middle(self, *words: str, after: int) -> None:
        """Kill a command with SIGKILL when it has started so many apps."""
        process = self.begin(*words)
        while self.starts() < after and process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.002)
        process.kill()
        process.wait()

    def starts(self) -> int:
        return sum(app.applied["start"] for app in self.cloud.apps.values())

    def order(self) -> list[str]:
        """Return the apps in the order in which their start was asked for, by the log."""
        paths = [one.path_qs for one in self.cloud.requests if one.path_qs.endswith("/start")]
        return [path.split("/")[3] for path in paths]


def killed_window(cloud: Sandbox, folder: Path) -> tuple[Window, SnapshotDiff, int]:
    """Stop all apps, and bring them back by a restore that is killed half way and resumed.

    Returns what differs from the snapshot at the end, and how many starts were done at the kill.
    """
    running = sum(app.state == "STARTED" for app in cloud.apps.values())
    window = Window(cloud, folder)
    snapshot = asyncio.run(window.snapshot_and_stop())
    snapshot.write(folder / "before.json")
    assert not any(app.state == "STARTED" for app in cloud.apps.values())
    words = ["restore", "before.json", "--yes", "--wait", "all", "--journal", "j"]
    words += ["--waves-by", "label:tier"]
    window.kill_in_the_middle(*words, after=running // 2)
    at_the_kill = window.starts()
    assert window.run(*words, "--resume", "--report", "after.json") == 0
    return window, asyncio.run(window.diff(snapshot)), at_the_kill


def play_killed_window(
    apps: int, *, spaces: int, stopped: int, tiers: int, folder: Path
) -> dict[str, float]:
    """Play it, and check that no wave order was violated and nothing differs at the end."""
    cloud = large_sandbox(apps, spaces=spaces, stopped=stopped, tiers=tiers)
    with SandboxThread(cloud):
        window, diff, at_the_kill = killed_window(cloud, folder)
    assert (diff.same, len(diff.changed), len(diff.gone)) == (apps, 0, 0), diff
    assert 0 < at_the_kill < apps - stopped, "the kill came in the middle"
    tiers = [int(cloud.apps[guid].labels["tier"]) for guid in window.order()]
    assert tiers == sorted(tiers), "an app began before its wave"
    twice = Counter(window.order())
    report = Report.load(folder / "after.json")
    assert report.counts["ok"] + report.counts["already"] == apps
    return {
        "apps": apps,
        "apps that differ from the snapshot": len(diff.changed) + len(diff.gone),
        "starts done at the kill": at_the_kill,
        "apps whose start was sent twice": sum(count > 1 for count in twice.values()),
        "apps that began before their wave": 0,
        **{f"seconds of {name}": round(took, 1) for name, took in window.seconds.items()},
    }


# -- rolling restarts


async def play_rolling_restart(apps: int, large: int) -> dict[str, float]:
    """Restart apps by deployments; `large` of them have three instances."""
    from tests.test_rolling import never_without_an_instance

    async with sandbox(apps - large) as cloud, busy_client(cloud) as cf:
        for number in range(large):
            cloud.add_app(f"large-{number}", state="STARTED", instances=3)
        await asyncio.sleep(10)
        async with never_without_an_instance(cloud):
            report = await cf.bulk.restart(list(cloud.apps), strategy="rolling", wait="all")
        assert {outcome.status for outcome in report} == {Status.OK}
        assert cloud.count("POST", "/v3/deployments") == apps
        assert all(cloud.running(guid) for guid in cloud.apps)
        assert {app.processes[0].guid for app in cloud.apps.values()}.isdisjoint(cloud.apps)
        return {"apps": apps, "requests per app": round(report.requests.sent / apps, 2)}


# -- restages that are killed


async def play_killed_restage(
    apps: int, *, moments: tuple[float, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, float]:
    """Restage apps of which one in twenty has a build that fails; kill and resume the run."""
    path = folder / "run.journal"
    # Wall time goes on as fast as the loop's, across lives.
    wall = SimpleNamespace(time=asyncio.get_running_loop().time)
    monkeypatch.setattr("aioappsapi.bulk.run.journal.time", wall)
    faults = Faults(startup=1.0, staging_failed=0.05)
    async with sandbox(apps, faults=faults) as cloud:
        limit = max(apps // 10, 2)
        options: Any = {"journal": path, "wait": "all", "concurrency": limit, "max_building": limit}
        for moment in moments:
            async with busy_client(cloud) as cf:
                run = asyncio.create_task(
                    cf.bulk.restage(list(cloud.apps), resume=path.exists(), **options)
                )
                await asyncio.wait([run], timeout=moment)
                assert not run.done()
                saved = path.read_bytes()
                run.cancel()
                with suppress(asyncio.CancelledError):
                    await run
                path.write_bytes(saved)
        async with busy_client(cloud) as cf:
            report = await cf.bulk.restage(list(cloud.apps), resume=True, **options)
        return _restaged(cloud, report)


def _restaged(cloud: Sandbox, report: Report[Any]) -> dict[str, float]:
    builds = list(cloud.shelf.builds.values())
    failed = {build.app.guid for build in builds if build.state == "FAILED"}
    assert failed
    assert {one.key for one in report if one.status is Status.FAILED} == failed
    assert set(Counter(build.app.guid for build in builds).values()) == {1}
    assert all(app.applied["restart"] <= 1 for app in cloud.apps.values())
    # Nobody sees whether a restart of a killed process was carried out.
    unverified = report.counts["unverified"]
    assert report.counts["ok"] + len(failed) + unverified == len(report)
    return {
        "apps": len(report),
        "failed builds": len(failed),
        "builds per app": len(builds) / len(report),
        "apps restarted twice": 0,
        "unverified after the kills": unverified,
    }
