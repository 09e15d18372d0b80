"""Predictions, compared with the outcomes of real runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aioappsapi import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    Report,
    Status,
    UnprocessableError,
)
from aioappsapi.sandbox import Faults, Sandbox
from tests.clients import client

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def predicted_and_real(
    cloud: Sandbox, user: str, action: Any = "start"
) -> tuple[Report[Any], Report[Any]]:
    """Predict, see that nothing was changed, and run; one at a time, so that the order is one."""
    guids = list(cloud.apps)
    async with client(cloud, user) as cf:
        run = getattr(cf.bulk, action)
        predicted = await run(guids, dry_run=True)
        assert cloud.count("POST", "/v3/") == 0
        assert predicted.predicted
        return predicted, await run(guids, concurrency=1)


def summary(report: Report[Any]) -> list[tuple[bool, str | None]]:
    """What a prediction has to get right: how each app ends, and why where it is refused."""
    return [
        (outcome.done, getattr(outcome.error, "detail", None))
        for outcome in report
        if outcome.status is not Status.NOT_ATTEMPTED
    ]


def spared(predicted: Report[Any], real: Report[Any]) -> list[Any]:
    """The predictions of those that the run spared, because their space was known to refuse."""
    pairs = zip(predicted, real, strict=True)
    return [one for one, other in pairs if other.status is Status.NOT_ATTEMPTED]


def started(cloud: Sandbox) -> None:
    for app in list(cloud.apps.values())[:5]:
        app.state = "STARTED"


def suspended_space(cloud: Sandbox) -> None:
    next(iter(cloud.spaces.values())).suspended = True


def suspended_organization(cloud: Sandbox) -> None:
    next(iter(cloud.organizations.values())).suspended = True


def small_quota(cloud: Sandbox) -> None:
    next(iter(cloud.organizations.values())).memory_limit = 7 * 1024


def small_space_quota(cloud: Sandbox) -> None:
    next(iter(cloud.spaces.values())).memory_limit = 3 * 1024


def docker_is_off(cloud: Sandbox) -> None:
    cloud.flags["diego_docker"] = False
    for app in list(cloud.apps.values())[::3]:
        app.lifecycle = "docker"


def cnb_is_off_and_says_so(cloud: Sandbox) -> None:
    for app in list(cloud.apps.values())[::3]:
        app.lifecycle = "cnb"


def limits_of_all_kinds(cloud: Sandbox) -> None:
    space, home = next(iter(cloud.spaces.values())), next(iter(cloud.organizations.values()))
    space.memory_limit = home.memory_limit = 16 * 1024
    space.instance_limit, home.instance_limit = 9, 11
    space.process_memory_limit, home.process_memory_limit = 3 * 1024, 2 * 1024
    for number, app in enumerate(cloud.apps.values()):
        app.processes[0].instances = number % 4
        app.processes[0].memory_in_mb = 512 * (1 + number % 7)


def nothing(cloud: Sandbox) -> None:
    pass


@pytest.mark.parametrize("user", ["admin", "developer", "supporter", "auditor", "manager"])
@pytest.mark.parametrize(
    "arrange",
    [
        nothing,
        started,
        suspended_space,
        suspended_organization,
        small_quota,
        small_space_quota,
        docker_is_off,
        cnb_is_off_and_says_so,
        limits_of_all_kinds,
    ],
)
async def test_predictions_come_true(arrange: Callable[[Sandbox], None], user: str) -> None:
    async with Sandbox(40, faults=Faults(without_droplet=0.2)) as cloud:
        arrange(cloud)
        predicted, real = await predicted_and_real(cloud, user)
    assert not any(outcome.done for outcome in spared(predicted, real))
    kept = [
        one
        for one, other in zip(predicted, real, strict=True)
        if other.status is not Status.NOT_ATTEMPTED
    ]
    details = [(one.done, getattr(one.error, "detail", None)) for one in kept]
    assert details == summary(real)
    assert predicted.counts["total"] == 40


@pytest.mark.parametrize("action", ["stop", "restart"])
async def test_stops_and_restarts_are_predicted_as_well(action: Any) -> None:
    async with Sandbox(20, faults=Faults(without_droplet=0.3)) as cloud:
        started(cloud)
        predicted, real = await predicted_and_real(cloud, "developer", action)
    assert summary(predicted) == summary(real)
    assert [one.status for one in predicted] == [one.status for one in real]


async def test_the_message_of_a_disabled_feature_is_predicted() -> None:
    async with Sandbox(3) as cloud:
        for app in cloud.apps.values():
            app.lifecycle = "docker"
        cloud.flags["diego_docker"] = False
        cloud.world.flag_messages["diego_docker"] = "no containers today"
        predicted, real = await predicted_and_real(cloud, "developer", "restart")
    assert summary(predicted) == summary(real)
    assert str(real[0].error).count("no containers today") == 1


async def test_a_quota_admits_as_many_concurrent_starts_as_predicted() -> None:
    async with Sandbox(400) as cloud, client(cloud) as cf:
        next(iter(cloud.organizations.values())).memory_limit = 100 * 1024
        guids = list(cloud.apps)
        predicted = await cf.bulk.start(guids, dry_run=True)
        real = await cf.bulk.start(guids)
    assert predicted.counts == real.counts


async def test_predicted_errors_have_the_classes_of_real_errors() -> None:
    async with Sandbox(6, faults=Faults(without_droplet=1.0)) as cloud, client(cloud) as cf:
        report = await cf.bulk.start([*cloud.apps, UNKNOWN, "no guid"], dry_run=True)
    assert [type(outcome.error) for outcome in report[-3:]] == [
        UnprocessableError,
        NotFoundError,
        InvalidInputError,
    ]
    error = report[0].error
    assert isinstance(error, UnprocessableError)
    assert (error.status, error.code, error.title) == (422, 10008, "CF-UnprocessableEntity")
    assert "would be refused" in str(error)
    assert report[0].name == "app-00001"


async def test_an_auditor_is_predicted_to_be_refused() -> None:
    async with Sandbox(4) as cloud, client(cloud, "auditor") as cf:
        seen = [app.guid async for app in cf.apps.list()]
        report = await cf.bulk.start(seen, dry_run=True)
    assert {type(outcome.error) for outcome in report} == {ForbiddenError}


async def test_a_prediction_takes_few_requests_and_counts_them() -> None:
    async with Sandbox(450) as cloud, client(cloud) as cf:
        await cf.log_in()
        before = len(cloud.requests)
        report = await cf.bulk.start(list(cloud.apps), dry_run=True)
        sent = len(cloud.requests) - before
    assert report.requests.sent == sent
    assert sent <= 12, "three batches of states, three of processes, quotas and the rate limit"


async def test_unreadable_data_does_not_make_a_prediction_fail(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Sandbox(3) as cloud, client(cloud) as cf:
        guids = list(cloud.apps)
        cloud.diego = "refused"
        report = await cf.bulk.start(guids, dry_run=True)
    assert report.counts["ok"] == 3


async def test_every_app_is_predicted_once_and_in_order() -> None:
    async with Sandbox(5) as cloud, client(cloud) as cf:
        guids = list(reversed(cloud.apps))
        report = await cf.bulk.start([*guids, guids[0]], dry_run=True)
    assert [outcome.key for outcome in report] == guids
    assert all(outcome.started_at is None for outcome in report)
