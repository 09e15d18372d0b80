"""The plan of a run: its requests and its earliest finish."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aioappsapi import Client, InvalidInputError, PasswordGrant
from aioappsapi.bulk import Plan, Report
from aioappsapi.sandbox import Faults, Sandbox
from tests.clients import client
from tests.fakes import run_virtual


async def test_a_plan_counts_the_requests_that_a_run_sends() -> None:
    async with Sandbox(450, faults=Faults(without_droplet=0.1)) as cloud, client(cloud) as cf:
        for app in list(cloud.apps.values())[:50]:
            app.state = "STARTED"
        guids = list(cloud.apps)
        plan = await cf.bulk.plan("start", guids)
        assert cloud.count("POST", "/v3/") == 0
        report = await cf.bulk.start(guids)
    assert plan.requests == plan.read + plan.ask == report.requests.sent
    assert plan.wait == 0
    assert plan.report.counts == report.counts
    assert plan.limit is None
    assert "rate limit: none for this login" in "\n".join(plan.lines())


async def test_a_plan_includes_the_requests_of_waiting() -> None:
    async with Sandbox(1_000) as cloud, client(cloud) as cf:
        plan = await cf.bulk.plan("start", list(cloud.apps), wait="all")
    assert 0 < plan.wait <= 1_000 * 1.2
    assert plan.requests <= 2.2 * 1_000


async def test_a_plan_counts_the_windows_of_the_rate_limit() -> None:
    faults = Faults(rate_limit=200, rate_window=60.0)
    async with Sandbox(700, faults=faults) as cloud, client(cloud) as cf:
        plan = await cf.bulk.plan("start", list(cloud.apps))
    assert plan.limit == 200
    assert plan.left is not None
    assert 0 <= plan.left <= 200
    assert plan.window == 60.0
    # The rest of this window, and two whole ones: into the fourth the last request fits.
    assert 120 <= plan.seconds <= 200
    fields = plan.to_dict()
    assert fields["rate_limit"] == {"limit": 200, "window_s": 60.0, "left": plan.left}
    assert "at least" in "\n".join(plan.lines())


def planned_and_real(
    action: Any, faults: Faults, *, apps: int = 400, started: bool = False, **options: Any
) -> tuple[Plan, Report[Any], float]:
    """Plan a run and carry it out, by a clock on which only the sandbox takes time."""
    found: list[tuple[Plan, Report[Any], float]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        async with Sandbox(apps, faults=faults, started=started, clock=loop.time) as cloud:
            next(iter(cloud.organizations.values())).memory_limit = apps * 512
            async with client(cloud) as cf:
                plan = await cf.bulk.plan(action, list(cloud.apps), **options)
                begun = loop.time()
                report = await getattr(cf.bulk, action)(list(cloud.apps), **options)
                found.append((plan, report, loop.time() - begun))

    run_virtual(run())
    return found[0]


def close(planned: float, real: float, share: float) -> bool:
    return abs(planned - real) <= share * real


SLOW = Faults(latency=0.2, latency_spread=0.0, without_droplet=0.1, startup=30.0, startup_spread=0)


@pytest.mark.parametrize("concurrency", [5, 50])
def test_without_waiting_requests_and_time_are_as_planned(concurrency: int) -> None:
    plan, report, seconds = planned_and_real("start", SLOW, concurrency=concurrency)
    assert plan.requests == report.requests.sent, "also what a quota refuses twice"
    assert close(plan.seconds, seconds, 0.3)  # the limit starts at 20, whatever the concurrency


@pytest.mark.parametrize(
    ("action", "options"),
    [
        ("start", {}),
        ("restart", {}),
        ("start", {"max_starting": 50}),
        ("start", {"max_starting_mb": 40 * 1024}),
        ("restart", {"max_starting": 50}),
    ],
)
def test_a_run_that_waits_is_nearly_as_planned(action: str, options: dict[str, Any]) -> None:
    started = action == "restart"
    plan, report, seconds = planned_and_real(action, SLOW, started=started, wait="all", **options)
    assert close(plan.requests, report.requests.sent, 0.05)
    assert close(plan.seconds, seconds, 0.25)


async def test_a_plan_of_a_stop_counts_the_time_until_instances_are_gone() -> None:
    async with Sandbox(10, started=True) as cloud, client(cloud) as cf:
        plan = await cf.bulk.plan("stop", list(cloud.apps), wait="all", max_starting=1)
    assert 10 <= plan.seconds < 12
    assert list(plan.lines())[-1].endswith("if an instance goes in 10 s")


async def test_a_plan_counts_few_requests_for_a_suspended_space_and_none_for_bad_guids() -> None:
    async with Sandbox(400) as cloud:
        for space in cloud.spaces.values():
            space.suspended = True
        async with Client(cloud.url, auth=PasswordGrant("developer", "developer"), proxy="") as cf:
            guids = [app.guid async for app in cf.apps.list()]
            plan = await cf.bulk.plan("start", [*guids, "no guid"], concurrency=10)
    assert len(guids) > 100
    assert plan.ask == 10


async def test_a_plan_of_an_unknown_action_is_refused() -> None:
    async with Sandbox(1) as cloud, client(cloud) as cf:
        with pytest.raises(InvalidInputError, match="one of start, stop, restart"):
            await cf.bulk.plan("delete", list(cloud.apps))  # type: ignore[arg-type]
