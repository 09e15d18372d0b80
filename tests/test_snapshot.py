"""Snapshots before a maintenance window, and restores after it."""

from __future__ import annotations

import asyncio
import json
import stat
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from aioappsapi import (
    Client,
    InvalidInputError,
    NotFoundError,
    Outcome,
    PasswordGrant,
    RunAbortedError,
    Snapshot,
    UnprocessableError,
    report_of,
)
from aioappsapi.bulk import AppState, ProcessState
from aioappsapi.sandbox import Sandbox


@pytest_asyncio.fixture
async def cloud() -> AsyncIterator[Sandbox]:
    """Six apps, of which the first three run, the first with three instances."""
    async with Sandbox(6) as sandbox:
        first, second, third, *_ = sandbox.apps.values()
        for app in (first, second, third):
            app.state = "STARTED"
        first.processes[0].instances = 3
        yield sandbox


@pytest_asyncio.fixture
async def client(cloud: Sandbox) -> AsyncIterator[Client]:
    async with Client(cloud.url, auth=PasswordGrant("admin", "admin"), proxy="") as opened:
        yield opened


def states(cloud: Sandbox) -> list[tuple[str, int]]:
    return [(app.state, app.processes[0].instances) for app in cloud.apps.values()]


def turn_around(cloud: Sandbox) -> None:
    """Do what a maintenance does to apps."""
    for app in cloud.apps.values():
        app.state = "STOPPED" if app.state == "STARTED" else "STARTED"
        app.processes[0].instances = 1


async def test_apps_come_back_as_they_were(cloud: Sandbox, client: Client, tmp_path: Path) -> None:
    before = states(cloud)
    (await client.bulk.snapshot(client.apps.list())).write(tmp_path / "before.json")
    turn_around(cloud)
    told: list[Outcome[object]] = []

    report = await client.bulk.restore(
        Snapshot.load(tmp_path / "before.json"), wait="all", on_outcome=told.append
    )

    assert states(cloud) == before
    assert report.action == "restore"
    assert [outcome.key for outcome in report] == list(cloud.apps), "in the snapshot's order"
    assert report.counts["ok"] == 6 == len(told)
    posts = [one.path_qs.rpartition("/")[2] for one in cloud.requests if "/actions/" in one.path_qs]
    assert posts[:3] == ["stop"] * 3, "what stops makes room for what starts"
    assert sorted(posts[3:]) == ["scale"] + ["start"] * 3
    assert [outcome.wave for outcome in report] == [2, 2, 2, 1, 1, 1]
    assert report[0].attempts == 2, "it was scaled and started"
    assert report.requests.sent == sum(report.requests.by_status.values())
    assert report.requests.by_status.keys() == {"200", "202"}


async def test_apps_that_match_the_snapshot_are_skipped(cloud: Sandbox, client: Client) -> None:
    snapshot = await client.bulk.snapshot(list(cloud.apps))
    report = await client.bulk.restore(snapshot)
    assert report.counts["already"] == 6
    assert [outcome.value for outcome in report] == [None] * 6  # nothing was sent
    assert cloud.count("POST", "/v3/") == 0


async def test_an_app_that_only_had_to_be_scaled_is_not_already(
    cloud: Sandbox, client: Client
) -> None:
    snapshot = await client.bulk.snapshot(list(cloud.apps))
    next(iter(cloud.apps.values())).processes[0].instances = 1
    report = await client.bulk.restore(snapshot)
    assert [outcome.status for outcome in report] == ["ok"] + ["already"] * 5


async def test_a_prediction_changes_nothing(cloud: Sandbox, client: Client) -> None:
    snapshot = await client.bulk.snapshot(list(cloud.apps))
    before = states(cloud)
    predicted = await client.bulk.restore(snapshot, dry_run=True)
    assert predicted.predicted
    assert predicted.counts["already"] == 6
    turn_around(cloud)
    predicted = await client.bulk.restore(snapshot, dry_run=True)
    assert predicted.counts["ok"] == 6
    assert cloud.count("POST", "/v3/") == 0
    assert states(cloud) != before


async def test_a_deleted_or_refused_app_does_not_stop_the_others(
    cloud: Sandbox, client: Client
) -> None:
    snapshot = await client.bulk.snapshot(list(cloud.apps))
    turn_around(cloud)
    gone, refused, *_ = cloud.apps
    del cloud.apps[gone]
    cloud.apps[refused].droplet = None
    report = await client.bulk.restore(snapshot)
    errors = {outcome.key: type(outcome.error) for outcome in report.failed}
    assert errors == {gone: NotFoundError, refused: UnprocessableError}
    assert report[0].name == "app-00001", "the snapshot knows how it was called"


async def test_a_scale_that_is_refused_is_the_apps_failure(cloud: Sandbox, client: Client) -> None:
    snapshot = await client.bulk.snapshot(list(cloud.apps))
    turn_around(cloud)
    first = next(iter(cloud.apps.values()))
    first.space.memory_limit = 2048
    report = await client.bulk.restore(snapshot)
    assert not report.ok
    assert report[0].status == "failed"
    assert "memory" in str(report[0].error)


async def test_a_restore_that_cannot_read_changes_nothing(cloud: Sandbox, client: Client) -> None:
    snapshot = await client.bulk.snapshot(list(cloud.apps))
    turn_around(cloud)
    async with Client(cloud.url, auth=PasswordGrant("admin", "wrong"), proxy="") as stranger:
        report = await stranger.bulk.restore(snapshot)
    assert (report.counts["failed"], report.counts["not_attempted"]) == (3, 3)
    assert "login was refused" in str(report.stopped)
    assert cloud.count("POST", "/v3/") == 0


async def test_a_restore_past_its_deadline_attempts_nothing(cloud: Sandbox, client: Client) -> None:
    snapshot = await client.bulk.snapshot(list(cloud.apps))
    turn_around(cloud)
    report = await client.bulk.restore(snapshot, deadline=1e-9)
    assert report.counts["not_attempted"] == 6
    assert cloud.count("POST", "/v3/") == 0


async def test_a_restore_that_is_ended_early_has_the_report_of_all_apps(
    cloud: Sandbox, client: Client
) -> None:
    snapshot = await client.bulk.snapshot(list(cloud.apps))
    turn_around(cloud)

    def broken(outcome: Outcome[object]) -> None:
        raise ZeroDivisionError

    with pytest.raises(RunAbortedError) as aborted:
        await client.bulk.restore(snapshot, on_outcome=broken)
    assert aborted.value.report.action == "restore"
    assert len(aborted.value.report) == 6

    turn_around(cloud)
    tasks: list[asyncio.Task[object]] = []

    def cancel(outcome: Outcome[object]) -> None:
        tasks[0].cancel()

    tasks.append(asyncio.create_task(client.bulk.restore(snapshot, on_outcome=cancel)))
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await tasks[0]
    report = report_of(cancelled.value)
    assert report is not None
    assert len(report) == 6
    assert report.counts["not_attempted"] >= 3, "nothing was started any more"


async def test_another_api_is_restored_only_by_force(cloud: Sandbox, client: Client) -> None:
    snapshot = await client.bulk.snapshot(list(cloud.apps))
    async with Sandbox(6) as twin:
        async with Client(twin.url, auth=PasswordGrant("admin", "admin"), proxy="") as other:
            with pytest.raises(InvalidInputError, match="The snapshot is of"):
                await other.bulk.restore(snapshot)
            report = await other.bulk.restore(snapshot, force=True)
            assert report.ok
            assert report.target == twin.url
        assert [app.state for app in twin.apps.values()] == ["STARTED"] * 3 + ["STOPPED"] * 3


async def test_invisible_apps_are_refused(client: Client, cloud: Sandbox) -> None:
    with pytest.raises(InvalidInputError, match="1 app is not visible"):
        await client.bulk.snapshot([*cloud.apps, "00000000-0000-4000-8000-000000000000"])


def document(**fields: object) -> str:
    head = {"schema": 2, "target": "x", "taken_at": "2026-01-01T00:00:00Z", "apps": []}
    return json.dumps(head | fields)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        document(apps=[{"guid": "a", "name": "a", "state": "GONE"}]),
        document(apps=[{"guid": "a", "state": "STARTED"}]),
        document(
            apps=[
                {
                    "guid": "a",
                    "name": "a",
                    "state": "STARTED",
                    "processes": [{"type": "web", "instances": -1}],
                }
            ]
        ),
        '{"schema": 2, "other": ' + "[" * 100_000,
    ],
)
def test_another_file_is_not_a_snapshot(text: str, tmp_path: Path) -> None:
    path = tmp_path / "before.json"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=r"before\.json is not a snapshot: "):
        Snapshot.load(path)


@pytest.mark.parametrize("schema", [1, 3])
def test_another_schema_is_refused_by_name(schema: int, tmp_path: Path) -> None:
    path = tmp_path / "before.json"
    path.write_text(document(schema=schema, apps={"shaped": "differently"}))
    with pytest.raises(InvalidInputError, match=f"it has schema {schema}, .* reads schema 2"):
        Snapshot.load(path)


async def test_a_snapshot_has_everything_that_a_restore_may_need(
    cloud: Sandbox, client: Client, tmp_path: Path
) -> None:
    first = next(iter(cloud.apps.values()))
    first.labels["start-order"] = "1"
    path = tmp_path / "before.json"
    taken = await client.bulk.snapshot(list(cloud.apps))
    taken.write(path)
    assert Snapshot.load(path) == taken
    state = taken.apps[0]
    web = first.processes[0]
    assert state.droplet == first.droplet
    assert state.labels == first.labels
    assert state.labels["start-order"] == "1"
    assert (state.space, state.organization) == (first.space.name, first.space.organization.name)
    assert state.processes[0] == ProcessState(
        type="web", instances=3, memory_in_mb=web.memory_in_mb, disk_in_mb=web.disk_in_mb
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert repr(taken) == f"<Snapshot of 6 apps at {cloud.url}>"


async def test_a_snapshot_takes_two_requests_for_200_apps(tmp_path: Path) -> None:
    async with (
        Sandbox(400) as cloud,
        Client(cloud.url, auth=PasswordGrant("admin", "admin"), proxy="") as client,
    ):
        await client.log_in()
        before = len(cloud.requests)
        await client.bulk.snapshot(list(cloud.apps))
        assert len(cloud.requests) - before == 4


def test_an_app_takes_at_most_2_kb_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "before.json"
    apps = tuple(
        AppState(
            guid=str(uuid4()),
            name=f"application-{n:05}",
            space="production",
            organization="acme",
            state="STARTED",
            droplet=str(uuid4()),
            processes=tuple(
                ProcessState(type=type_, instances=2, memory_in_mb=1024, disk_in_mb=2048)
                for type_ in ("web", "worker")
            ),
            labels={"env": "production", "team": "payments"},
        )
        for n in range(1_000)
    )
    Snapshot(target="https://api.test", taken_at=datetime.now(UTC), apps=apps).write(path)
    tracemalloc.start()
    try:
        loaded = Snapshot.load(path)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(loaded.apps) == 1_000
    assert used / 1_000 <= 2_048
