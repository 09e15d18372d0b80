"""Restores: memory and droplets on request, waves, journals, and differences before them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi import InvalidInputError, Scale, Status, Wave, Waves
from aioappsapi.bulk import SnapshotDiff
from aioappsapi.sandbox import Sandbox
from aioappsapi.sandbox.world.model import App
from tests.clients import busy_client, statuses
from tests.fakes import run_virtual, virtual
from tests.test_rolling import sandbox
from tests.test_waves import killed, one_clock

OK, ALREADY, FAILED = Status.OK, Status.ALREADY, Status.FAILED


def numbers(app: App) -> tuple[str, str | None, int, int]:
    """Return what a restore brings back of an app: state, droplet, instances, memory."""
    web = app.processes[0]
    return app.state, app.droplet, web.instances, web.memory_in_mb


def all_numbers(cloud: Sandbox) -> list[tuple[str, str | None, int, int]]:
    return [numbers(app) for app in cloud.apps.values()]


def posts(cloud: Sandbox, guid: str) -> list[str]:
    """Return the changes that were asked of an app."""
    sent = [one for one in cloud.requests if one.method != "GET" and guid in one.path_qs]
    return [one.path_qs.rpartition("/")[2] for one in sent]


def other_droplet(cloud: Sandbox, app: App) -> str:
    """Let the app run another one of its droplets."""
    before = cloud.shelf.current_droplet(app)
    assert before is not None
    app.droplet = f"new-of-{app.guid}"
    cloud.shelf.add_droplet(app, app.droplet)
    return before.guid


@virtual
async def test_memory_and_droplets_come_back_only_if_asked() -> None:
    async with sandbox(3) as cloud, busy_client(cloud) as cf:
        await asyncio.sleep(10)
        running, stopped, untouched = cloud.apps.values()
        snapshot = await cf.bulk.snapshot(list(cloud.apps))
        before = all_numbers(cloud)
        for app in (running, stopped):
            other_droplet(cloud, app)
            app.processes[0].memory_in_mb = 64
        stopped.state = "STOPPED"
        plain = await cf.bulk.restore(snapshot, wait="all")
        assert statuses(plain) == [ALREADY, OK, ALREADY]
        assert running.processes[0].memory_in_mb == 64
        stopped.state = "STOPPED"
        report = await cf.bulk.restore(snapshot, memory=True, droplets=True, wait="all")
        assert statuses(report) == [OK, OK, ALREADY]
        assert all_numbers(cloud) == before
        assert posts(cloud, running.guid) == ["scale", "current_droplet", "restart"]
        assert posts(cloud, stopped.guid) == ["start", "scale", "current_droplet", "start"]
        assert posts(cloud, untouched.guid) == []


@virtual
async def test_restarts_and_starts_share_the_bound_on_starting_instances() -> None:
    async with sandbox(8) as cloud, busy_client(cloud) as cf:
        await asyncio.sleep(10)
        snapshot = await cf.bulk.snapshot(list(cloud.apps))
        for number, app in enumerate(cloud.apps.values()):
            app.processes[0].memory_in_mb = 64
            app.state = "STOPPED" if number % 2 else "STARTED"
        await asyncio.sleep(10)
        most = 0

        async def look() -> None:
            nonlocal most
            while True:
                lives = [one.processes[0].live or [] for one in cloud.apps.values()]
                starting = [one for live in lives for one in live if one.state == "STARTING"]
                most = max(most, len(starting))
                await asyncio.sleep(0.1)

        looking = asyncio.create_task(look())
        report = await cf.bulk.restore(snapshot, memory=True, wait="all", max_starting=2)
        looking.cancel()
        assert statuses(report) == [OK] * 8
        assert 1 <= most <= 2


@virtual
async def test_a_number_of_instances_alone_restarts_nothing() -> None:
    async with sandbox(1) as cloud, busy_client(cloud) as cf:
        [app] = cloud.apps.values()
        snapshot = await cf.bulk.snapshot([app.guid])
        app.processes[0].instances = 4
        report = await cf.bulk.restore(snapshot, memory=True, droplets=True)
        assert statuses(report) == [OK]
        assert posts(cloud, app.guid) == ["scale"]


@virtual
async def test_a_type_of_process_that_is_gone_keeps_no_app_from_starting() -> None:
    async with sandbox(1) as cloud, busy_client(cloud) as cf:
        [app] = cloud.apps.values()
        snapshot = await cf.bulk.snapshot([app.guid])
        app.processes[0].type = "other"
        app.state = "STOPPED"
        assert statuses(await cf.bulk.restore(snapshot)) == [OK]
        assert app.state == "STARTED"


@virtual
async def test_a_diff_shows_what_is_gone_new_and_changed() -> None:
    async with sandbox(5) as cloud, busy_client(cloud) as cf:
        same, state, droplet, scaled, gone = cloud.apps.values()
        snapshot = await cf.bulk.snapshot(list(cloud.apps))
        state.state = "STOPPED"
        old = other_droplet(cloud, droplet)
        scaled.processes[0].instances, scaled.processes[0].memory_in_mb = 7, 128
        del cloud.apps[gone.guid]
        new = cloud.add_app("new")
        new.created_at = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        cloud.add_app("older than the snapshot")
        diff = await cf.bulk.diff(snapshot)
        assert [one.guid for one in diff.gone] == [gone.guid]
        assert [one.name for one in diff.new] == ["new"]
        assert diff.same == 1
        assert {one.app.guid: [str(part) for part in one.differences] for one in diff.changed} == {
            state.guid: ["state: STARTED before, STOPPED now"],
            droplet.guid: [f"droplet: {old} before, {droplet.droplet} now"],
            scaled.guid: [
                "instances of web: 1 before, 7 now",
                "memory of web: 1024 before, 128 now",
            ],
        }
        assert repr(diff) == ("<SnapshotDiff: 3 apps changed, 1 gone, 1 new, 1 as in the snapshot>")
        await check_predictions(cf.bulk, snapshot, diff)
        assert cloud.count("POST", "/v3/") == 0
        assert posts(cloud, same.guid) == []


async def check_predictions(bulk: Any, snapshot: Any, diff: SnapshotDiff) -> None:
    plan = await bulk.plan_restore(snapshot)
    assert plan.diff == diff
    assert statuses(plan.report) == [ALREADY, OK, ALREADY, OK, FAILED]
    full = await bulk.restore(snapshot, memory=True, droplets=True, dry_run=True)
    assert statuses(full) == [ALREADY, OK, OK, OK, FAILED]
    assert full.predicted


@virtual
async def test_stops_are_the_first_wave_and_the_waves_are_those_of_the_starts() -> None:
    async with sandbox(6) as cloud, busy_client(cloud) as cf:
        apps = list(cloud.apps.values())
        for number, app in enumerate(apps):
            app.labels = {"order": str(9 - number)}
        apps[2].state = "STOPPED"
        snapshot = await cf.bulk.snapshot(list(cloud.apps))
        for app in apps:
            app.state = "STARTED" if app is apps[2] else "STOPPED"
        asked: list[str] = []

        def approve(wave: Wave) -> bool:
            asked.append(str(wave))
            return True

        waves = Waves.by_label("order", approve=approve)
        plan = await cf.bulk.plan_restore(snapshot, waves=waves)
        report = await cf.bulk.restore(snapshot, waves=waves, wait="all")
        assert report.ok
        numbers = [outcome.wave for outcome in report]
        assert numbers == [6, 5, 1, 4, 3, 2] == [outcome.wave for outcome in plan.report]
        assert asked[:2] == ["wave 1 of 6 (stops)", "wave 2 of 6 (4)"]
        changes = [one.path_qs for one in cloud.requests if one.method == "POST"]
        order = [apps[2], *apps[:2:-1], apps[1], apps[0]]
        assert [path for path in changes if "/actions/" in path] == [
            f"/v3/apps/{app.guid}/actions/{'stop' if app is apps[2] else 'start'}" for app in order
        ]


@settings(max_examples=8, deadline=None)
@given(kills=st.lists(st.floats(0.0, 12.0), max_size=3), wait=st.sampled_from(["none", "all"]))
def test_however_often_it_dies_a_restore_ends_at_the_snapshot(
    kills: list[float], wait: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    journal = tmp_path_factory.mktemp("restore") / "j"

    async def story() -> None:
        async with sandbox(8) as cloud, busy_client(cloud) as cf:
            apps = list(cloud.apps.values())
            for number, app in enumerate(apps):
                app.state = "STOPPED" if number % 4 == 0 else "STARTED"
                app.processes[0].instances = 1 + number % 3
            await asyncio.sleep(10)
            snapshot = await cf.bulk.snapshot(list(cloud.apps))
            before = all_numbers(cloud)
            for number, app in enumerate(apps):
                app.state = "STARTED" if number % 3 == 0 else "STOPPED"
                app.processes[0].instances = 2
                app.processes[0].memory_in_mb = 64
                other_droplet(cloud, app)
            await asyncio.sleep(10)
            how: dict[str, Any] = {
                "memory": True,
                "droplets": True,
                "wait": wait,
                "journal": journal,
                "waves": Waves.ramp(proceed_at=0),
                "concurrency": 2,
            }
            for after in kills:
                run = cf.bulk.restoring(snapshot, resume=journal.exists(), **how)
                await killed(run, journal, after)
            last = await cf.bulk.restore(snapshot, resume=journal.exists(), **how)
            assert all_numbers(cloud) == before
            # A restart whose answer was lost shows in no state: such an app is `unverified`.
            assert {one.status for one in last} <= {OK, ALREADY, Status.UNVERIFIED}
            assert all(app.applied["restart"] <= 1 for app in apps)

    with one_clock():
        run_virtual(story())


@virtual
async def test_a_journal_is_of_one_snapshot_and_of_what_is_restored(tmp_path: Path) -> None:
    async with sandbox(2) as cloud, busy_client(cloud) as cf:
        snapshot = await cf.bulk.snapshot(list(cloud.apps))
        journal = tmp_path / "j"
        await cf.bulk.restore(snapshot, journal=journal)
        other = await cf.bulk.snapshot(list(cloud.apps))
        with pytest.raises(InvalidInputError, match="is the journal of `restore of "):
            await cf.bulk.restore(other, journal=journal, resume=True)
        with pytest.raises(InvalidInputError, match=r"not of `restore of .* with droplets`"):
            await cf.bulk.restore(snapshot, droplets=True, journal=journal, resume=True)
        assert (await cf.bulk.restore(snapshot, journal=journal, resume=True)).ok


@virtual
async def test_steps_that_an_app_does_not_need_are_not_noted(tmp_path: Path) -> None:
    async with sandbox(4) as cloud, busy_client(cloud) as cf:
        journal = tmp_path / "j"
        first, second, *_ = cloud.apps.values()
        first.state = "STOPPED"
        snapshot = await cf.bulk.snapshot(list(cloud.apps))
        await cf.bulk.restore(snapshot, memory=True, droplets=True, journal=journal)
        assert "sending" not in journal.read_text()
        second.state = "STOPPED"
        await cf.bulk.restore(snapshot, memory=True, droplets=True, journal=journal, resume=True)
        assert journal.read_text().count("sending") == 1


@virtual
async def test_a_scales_journal_refuses_other_numbers(tmp_path: Path) -> None:
    async with sandbox(2) as cloud, busy_client(cloud) as cf:
        keys = list(cloud.apps)
        one, many = tmp_path / "one", tmp_path / "many"
        await cf.bulk.scale(keys, Scale(instances=2), journal=one)
        with pytest.raises(InvalidInputError, match=r"`scale to web instances=2` .*=3`"):
            await cf.bulk.scale(keys, Scale(instances=3), journal=one, resume=True)
        wanted = {key: Scale(instances=3) for key in keys}
        await cf.bulk.scale(wanted, journal=many)
        assert (await cf.bulk.scale(wanted, journal=many, resume=True)).ok
        wanted[keys[0]] = Scale(instances=4)
        with pytest.raises(InvalidInputError, match="`scale to numbers"):
            await cf.bulk.scale(wanted, journal=many, resume=True)
