"""Restages in bulk, against the sandbox."""

from __future__ import annotations

import asyncio
from collections import Counter

from aioappsapi import BuildFailedError, InvalidInputError, Status
from aioappsapi.sandbox import Sandbox
from tests.clients import busy_client
from tests.fakes import virtual
from tests.test_rolling import never_without_an_instance, reasons, sandbox, statuses


def built(cloud: Sandbox) -> Counter[str]:
    """Count the builds of each app."""
    return Counter(build.app.guid for build in cloud.shelf.builds.values())


@virtual
async def test_an_app_gets_one_build_its_droplet_and_a_restart() -> None:
    async with sandbox(10) as cloud, busy_client(cloud) as cf:
        before = {guid: app.droplet for guid, app in cloud.apps.items()}
        report = await cf.bulk.restage(list(cloud.apps), wait="all")
        assert statuses(report) == {Status.OK}
        assert set(built(cloud).values()) == {1}
        droplets = {build.app.guid: build.droplet for build in cloud.shelf.builds.values()}
        assert {guid: app.droplet for guid, app in cloud.apps.items()} == droplets
        assert all(app.droplet != before[guid] for guid, app in cloud.apps.items())
        assert all(app.applied["restart"] == 1 for app in cloud.apps.values())
        assert all(cloud.running(guid) for guid in cloud.apps)


@virtual
async def test_a_rolling_restage_deploys_the_droplet_and_an_instance_always_runs() -> None:
    async with sandbox(10) as cloud, busy_client(cloud) as cf:
        await asyncio.sleep(10)
        async with never_without_an_instance(cloud):
            report = await cf.bulk.restage(list(cloud.apps), strategy="rolling", wait="all")
        assert statuses(report) == {Status.OK}
        droplets = {build.app.guid: build.droplet for build in cloud.shelf.builds.values()}
        assert {guid: app.droplet for guid, app in cloud.apps.items()} == droplets
        assert reasons(cloud) == ["DEPLOYED"] * 10


@virtual
async def test_a_failed_build_gives_the_servers_reason_and_changes_nothing() -> None:
    async with sandbox(3) as cloud, busy_client(cloud) as cf:
        cloud.shelf.staging_error = "no buildpack wants it"
        before = {guid: app.droplet for guid, app in cloud.apps.items()}
        report = await cf.bulk.restage(list(cloud.apps))
        assert statuses(report) == {Status.FAILED}
        assert all(isinstance(outcome.error, BuildFailedError) for outcome in report)
        assert all("no buildpack wants it" in str(outcome.error) for outcome in report)
        assert {guid: app.droplet for guid, app in cloud.apps.items()} == before
        assert all(not app.applied["restart"] for app in cloud.apps.values())


@virtual
async def test_an_app_without_a_package_fails_and_gets_no_build() -> None:
    async with sandbox(1) as cloud, busy_client(cloud) as cf:
        bare = cloud.add_app("bare", droplet=False)
        report = await cf.bulk.restage([bare.guid, *list(cloud.apps)[:1]])
        assert [outcome.status for outcome in report] == [Status.FAILED, Status.OK]
        assert isinstance(report[0].error, InvalidInputError)
        assert "no package that is ready" in str(report[0].error)
        assert report[0].attempts == 0


@virtual
async def test_max_building_bounds_the_builds_at_a_time() -> None:
    async with sandbox(30) as cloud, busy_client(cloud) as cf:
        most = 0

        async def look() -> None:
            nonlocal most
            while True:
                staging = [b for b in cloud.shelf.builds.values() if b.state == "STAGING"]
                most = max(most, len(staging))
                await asyncio.sleep(0.1)

        task = asyncio.create_task(look())
        report = await cf.bulk.restage(list(cloud.apps), max_building=4)
        task.cancel()
        assert statuses(report) == {Status.OK}
        assert 1 < most <= 4


@virtual
async def test_apps_move_to_another_stack() -> None:
    async with sandbox(2) as cloud, busy_client(cloud) as cf:
        report = await cf.bulk.restage(list(cloud.apps), to_stack="cflinuxfs3")
        assert statuses(report) == {Status.OK}, [str(one.error) for one in report]
        assert {app.stack for app in cloud.apps.values()} == {"cflinuxfs3"}


@virtual
async def test_a_dry_run_builds_nothing() -> None:
    async with sandbox(2) as cloud, busy_client(cloud) as cf:
        cloud.add_app("bare", droplet=False)
        report = await cf.bulk.restage(list(cloud.apps), dry_run=True)
        assert [one.status for one in report] == [Status.OK, Status.OK, Status.FAILED]
        assert report.predicted
        assert not cloud.shelf.builds
