"""Rolling restarts in bulk, against the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from aioappsapi import (
    CrashedError,
    DeploymentFailedError,
    DeploymentInProgressError,
    InvalidInputError,
    Status,
)
from aioappsapi.sandbox import Faults, Sandbox
from tests.clients import busy_client
from tests.fakes import virtual


def sandbox(apps: int, **options: Any) -> Sandbox:
    options = {"started": True, "faults": Faults(startup=2.0)} | options
    return Sandbox(apps, clock=asyncio.get_running_loop().time, **options)


def statuses(report: Any) -> set[Status]:
    return {outcome.status for outcome in report}


def reasons(cloud: Sandbox) -> list[str]:
    return [reason(deployment) for deployment in cloud.shelf.deployments.values()]


def reason(deployment: Any) -> str:
    return str(getattr(deployment, "phase", deployment).reason)


@asynccontextmanager
async def never_without_an_instance(cloud: Sandbox) -> AsyncIterator[None]:
    """Look at each app four times a second: an instance of it runs."""

    async def look() -> None:
        while True:
            for guid, app in cloud.apps.items():
                webs = [one for one in app.processes if one.type == "web"]
                lives = [cloud.world.fleet.instances(app, web) for web in webs]
                states = [live.state for one in lives for live in one]
                assert "RUNNING" in states, f"{guid}: {states}"
            await asyncio.sleep(0.25)

    task = asyncio.create_task(look())
    yield
    assert not task.done(), task.exception()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@virtual
async def test_a_deployment_whose_instances_crash_is_cancelled_and_the_old_ones_run() -> None:
    async with sandbox(3) as cloud, busy_client(cloud) as cf:
        await asyncio.sleep(10)
        cloud.faults = Faults(startup=1.0, crash=1.0)
        report = await cf.bulk.restart(
            list(cloud.apps), strategy="rolling", wait="all", crash_grace=10.0
        )
        assert statuses(report) == {Status.FAILED}
        assert all(isinstance(outcome.error, CrashedError) for outcome in report)
        assert all("the old instances run again" in str(outcome.error) for outcome in report)
        assert reasons(cloud) == ["CANCELED"] * 3
        assert all(cloud.running(guid) for guid in cloud.apps)


@virtual
async def test_a_deployment_that_fails_may_be_left_as_it_is() -> None:
    async with sandbox(2) as cloud, busy_client(cloud) as cf:
        await asyncio.sleep(10)
        cloud.faults = Faults(startup=1.0, crash=1.0)
        report = await cf.bulk.restart(
            list(cloud.apps), strategy="rolling", crash_grace=10.0, on_timeout="leave"
        )
        assert statuses(report) == {Status.FAILED}
        assert all("was left as it is" in str(outcome.error) for outcome in report)
        assert reasons(cloud) == ["DEPLOYING"] * 2


@virtual
async def test_an_app_without_progress_is_timed_out_and_its_deployment_cancelled() -> None:
    async with sandbox(1) as cloud, busy_client(cloud) as cf:
        await asyncio.sleep(10)
        cloud.faults = Faults(startup=1_000.0, startup_spread=0.0)
        report = await cf.bulk.restart(list(cloud.apps), strategy="rolling", startup_timeout=60.0)
        assert statuses(report) == {Status.TIMED_OUT}
        assert "made no progress for 60 s" in str(report[0].error)
        assert reasons(cloud) == ["CANCELED"]


@virtual
async def test_an_app_with_a_deployment_in_progress_gets_no_request() -> None:
    async with sandbox(2) as cloud, busy_client(cloud) as cf:
        await asyncio.sleep(10)
        first, second = cloud.apps
        cloud.faults = Faults(startup=1_000.0, startup_spread=0.0)
        other = await cf.deployments.create(first)
        cloud.faults = Faults(startup=1.0)
        report = await cf.bulk.restart([first, second], strategy="rolling")
        assert [outcome.status for outcome in report] == [Status.FAILED, Status.OK]
        error = report[0].error
        assert isinstance(error, DeploymentInProgressError)
        assert error.guid == other.guid
        assert report[0].attempts == 0
        assert reason(cloud.shelf.deployments[other.guid]) == "DEPLOYING"


@virtual
async def test_an_app_that_was_held_back_is_checked_again() -> None:
    async with sandbox(3, faults=Faults(startup=20.0)) as cloud, busy_client(cloud) as cf:
        await asyncio.sleep(60)
        first, second, last = cloud.apps
        # The first two hold the last one back, which meanwhile gets a deployment of somebody else.
        run = asyncio.create_task(
            cf.bulk.restart([first, second, last], strategy="rolling", wait="all", max_starting=1)
        )
        await asyncio.sleep(5)
        cloud.faults = Faults(startup=1_000.0, startup_spread=0.0)
        other = await cf.deployments.create(last)
        await asyncio.sleep(0)
        cloud.faults = Faults(startup=1.0)
        report = await run
        assert [one.status for one in report] == [Status.OK, Status.OK, Status.FAILED]
        assert isinstance(report[2].error, DeploymentInProgressError)
        assert report[2].error.guid == other.guid
        assert reason(cloud.shelf.deployments[other.guid]) == "DEPLOYING"


@virtual
async def test_a_stopped_app_is_started() -> None:
    async with sandbox(2, started=False) as cloud, busy_client(cloud) as cf:
        report = await cf.bulk.restart(list(cloud.apps), strategy="rolling", wait="all")
        assert statuses(report) == {Status.OK}
        assert all(cloud.running(guid) for guid in cloud.apps)


@virtual
async def test_a_deployment_whose_answer_was_lost_is_found_and_not_made_twice() -> None:
    faults = Faults(reset_after=1.0, writes=1.0, max_per_app=1, startup=1.0)
    async with sandbox(10, faults=faults) as cloud, busy_client(cloud) as cf:
        report = await cf.bulk.restart(list(cloud.apps), strategy="rolling", wait="all")
        assert statuses(report) == {Status.OK}
        assert len(cloud.shelf.deployments) == 10


@virtual
async def test_a_superseded_deployment_fails() -> None:
    async with sandbox(1) as cloud, busy_client(cloud) as cf:
        await asyncio.sleep(10)
        (guid,) = cloud.apps
        cloud.faults = Faults(startup=60.0, startup_spread=0.0)
        run = asyncio.create_task(cf.bulk.restart([guid], strategy="rolling"))
        await asyncio.sleep(5)
        await cf.deployments.create(guid)
        report = await run
        error = report[0].error
        assert isinstance(error, DeploymentFailedError)
        assert error.reason == "SUPERSEDED"


@virtual
async def test_a_canary_goes_on_when_its_new_instances_run() -> None:
    async with sandbox(3) as cloud, busy_client(cloud) as cf:
        report = await cf.bulk.restart(
            list(cloud.apps), strategy="rolling", canary_steps=[50], wait="all"
        )
        assert statuses(report) == {Status.OK}
        assert cloud.count("POST", "/actions/continue") == 3
        assert reasons(cloud) == ["DEPLOYED"] * 3


@virtual
async def test_a_canary_is_held_for_longer_than_its_patience() -> None:
    async with sandbox(2) as cloud, busy_client(cloud) as cf:
        began = asyncio.get_running_loop().time()
        options: Any = {"strategy": "rolling", "canary_steps": [50], "startup_timeout": 20.0}
        report = await cf.bulk.restart(
            list(cloud.apps), canary_hold=90.0, on_timeout="leave", **options
        )
        assert statuses(report) == {Status.OK}
        assert 90.0 <= asyncio.get_running_loop().time() - began < 150.0
        assert reasons(cloud) == ["DEPLOYED"] * 2


@virtual
async def test_a_canary_that_crashes_while_it_is_held_is_cancelled() -> None:
    async with sandbox(1) as cloud, busy_client(cloud) as cf:
        [app] = cloud.apps.values()
        await asyncio.sleep(10)
        options: Any = {"strategy": "rolling", "canary_steps": [50], "crash_grace": 5.0}
        run = asyncio.create_task(cf.bulk.restart([app.guid], canary_hold=300.0, **options))
        await asyncio.sleep(60)
        [deployment] = cloud.shelf.deployments.values()
        assert reason(deployment) == "PAUSED"
        for process in app.processes:
            process.states = ["CRASHED"] if process.guid != app.guid else None
        await asyncio.sleep(60)
        for process in app.processes:
            process.states = None
        report = await run
        assert isinstance(report[0].error, CrashedError)
        assert reasons(cloud) == ["CANCELED"]
        assert cloud.count("POST", "/actions/continue") == 0


@virtual
async def test_an_app_that_does_not_exist_fails_with_the_servers_error() -> None:
    async with sandbox(1) as cloud, busy_client(cloud) as cf:
        report = await cf.bulk.restart(
            ["0" * 8 + "-0000-4000-8000-" + "0" * 12], strategy="rolling"
        )
        assert statuses(report) == {Status.FAILED}
        assert "Unable to use app" in str(report[0].error)


@virtual
async def test_a_dry_run_sees_deployments_in_progress_and_changes_nothing() -> None:
    async with sandbox(3) as cloud, busy_client(cloud) as cf:
        await cf.log_in()
        first, *_ = cloud.apps
        cloud.faults = Faults(startup=1_000.0, startup_spread=0.0)
        await cf.deployments.create(first)
        report = await cf.bulk.restart(list(cloud.apps), strategy="rolling", dry_run=True)
        assert [one.status for one in report] == [Status.FAILED, Status.OK, Status.OK]
        assert report.predicted
        assert len(cloud.shelf.deployments) == 1


@virtual
async def test_a_killed_run_is_resumed_and_no_app_is_deployed_twice(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    async with sandbox(60) as cloud:
        await asyncio.sleep(10)
        options: Any = {"strategy": "rolling", "wait": "all", "journal": path}
        for moment in (0.05, 2.0, 4.0):
            async with busy_client(cloud) as cf:
                run = asyncio.create_task(
                    cf.bulk.restart(
                        list(cloud.apps), concurrency=10, resume=path.exists(), **options
                    )
                )
                await asyncio.wait([run], timeout=moment)
                saved = path.read_bytes() if path.exists() else b""
                run.cancel()
                with suppress(asyncio.CancelledError):
                    await run
                path.write_bytes(saved)
        async with busy_client(cloud) as cf:
            report = await cf.bulk.restart(list(cloud.apps), resume=True, **options)
        assert statuses(report) == {Status.OK}, [str(one.error) for one in report]
        assert len(cloud.shelf.deployments) == 60
        assert reasons(cloud) == ["DEPLOYED"] * 60


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "blue-green"},
        {"strategy": "rolling", "max_in_flight": 0},
        {"strategy": "rolling", "canary_steps": [50, 10]},
        {"strategy": "rolling", "canary_hold": 60},
        {"strategy": "rolling", "canary_steps": [50], "canary_hold": -1},
        {"strategy": "rolling", "on_timeout": "panic"},
        {"max_in_flight": 2},
    ],
)
@virtual
async def test_options_that_do_not_fit_are_refused_before_anything_is_sent(
    options: Any,
) -> None:
    async with sandbox(1) as cloud, busy_client(cloud) as cf:
        with pytest.raises(InvalidInputError):
            await cf.bulk.restart(list(cloud.apps), **options)
        assert not cloud.requests
