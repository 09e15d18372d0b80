"""Scales in bulk, against the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from aioappsapi import InvalidInputError, NotFoundError, Scale, Status
from tests.clients import busy_client
from tests.fakes import virtual
from tests.test_rolling import sandbox, statuses


@virtual
async def test_numbers_are_set_where_they_differ() -> None:
    async with sandbox(4) as cloud, busy_client(cloud) as cf:
        first = cloud.apps[next(iter(cloud.apps))]
        first.processes[0].instances = 3
        scale = Scale(instances=3, memory_in_mb=512, disk_in_mb=2048)
        report = await cf.bulk.scale(list(cloud.apps), scale)
        assert statuses(report) == {Status.OK}
        assert all(app.processes[0].memory_in_mb == 512 for app in cloud.apps.values())
        again = await cf.bulk.scale(list(cloud.apps), scale)
        assert statuses(again) == {Status.ALREADY}
        assert cloud.count("POST", "/actions/scale") == 4


@virtual
async def test_each_app_may_have_its_own_numbers_and_its_instances_are_verified() -> None:
    async with sandbox(3) as cloud, busy_client(cloud) as cf:
        wanted = {guid: Scale(instances=number) for number, guid in enumerate(cloud.apps, 1)}
        report = await cf.bulk.scale(wanted, wait="all")
        assert [one.status for one in report] == [Status.ALREADY, Status.OK, Status.OK]
        assert all(cloud.running(guid) for guid in cloud.apps)
        assert [len(cloud.instances(guid)) for guid in cloud.apps] == [1, 2, 3]


@virtual
async def test_the_instances_of_a_stopped_app_are_not_waited_for() -> None:
    async with sandbox(1, started=False) as cloud, busy_client(cloud) as cf:
        report = await cf.bulk.scale(list(cloud.apps), Scale(instances=4), wait="all")
        assert statuses(report) == {Status.OK}


@virtual
async def test_a_missing_process_is_an_error_and_nothing_is_sent() -> None:
    async with sandbox(1) as cloud, busy_client(cloud) as cf:
        report = await cf.bulk.scale(list(cloud.apps), Scale(instances=1, process="clock"))
        assert "no process of the type clock" in str(report[0].error)
        assert not cloud.count("POST", "/v3/")


@virtual
async def test_an_app_that_does_not_exist_fails() -> None:
    async with sandbox(1) as cloud, busy_client(cloud) as cf:
        report = await cf.bulk.scale(["00000000-0000-4000-8000-000000000000"], Scale(instances=1))
        assert isinstance(report[0].error, NotFoundError)


@virtual
async def test_a_dry_run_sees_what_would_change() -> None:
    async with sandbox(2) as cloud, busy_client(cloud) as cf:
        first, second = cloud.apps
        wanted = {first: Scale(instances=1), second: Scale(instances=5)}
        report = await cf.bulk.scale(wanted, dry_run=True)
        assert [one.status for one in report] == [Status.ALREADY, Status.OK]
        assert not cloud.count("POST", "/v3/")


@virtual
async def test_a_journal_takes_finished_apps_over(tmp_path: Any) -> None:
    path = tmp_path / "run.journal"
    async with sandbox(2) as cloud, busy_client(cloud) as cf:
        scale = Scale(instances=2)
        await cf.bulk.scale(list(cloud.apps), scale, journal=path)
        report = await cf.bulk.scale(list(cloud.apps), scale, journal=path, resume=True)
        assert statuses(report) == {Status.OK}
        assert cloud.count("POST", "/actions/scale") == 2


@pytest.mark.parametrize("numbers", [{}, {"instances": -1}, {"memory_in_mb": 0}])
def test_numbers_that_no_process_can_have_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError):
        Scale(**numbers)


@virtual
async def test_a_scale_needs_numbers() -> None:
    async with sandbox(1) as cloud, busy_client(cloud) as cf:
        with pytest.raises(TypeError, match="a mapping"):
            await cf.bulk.scale(list(cloud.apps))
        with pytest.raises(InvalidInputError, match="scale="):
            cf.bulk.stream("scale", list(cloud.apps))
