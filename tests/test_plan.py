"""The plan of a run: what it takes, and when it can be over."""

from __future__ import annotations

import pytest

from aioappsapi import Client, InvalidInputError, PasswordGrant
from aioappsapi.sandbox import Faults, Sandbox


def client(cloud: Sandbox) -> Client:
    return Client(cloud.url, auth=PasswordGrant("admin", "admin"), proxy="")


async def test_a_plan_counts_what_a_run_then_sends() -> None:
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


async def test_waiting_is_planned_for() -> None:
    async with Sandbox(1_000) as cloud, client(cloud) as cf:
        plan = await cf.bulk.plan("start", list(cloud.apps), wait="all")
    assert 0 < plan.wait <= 1_000 * 1.2
    assert plan.requests <= 2.2 * 1_000


async def test_more_requests_than_the_rate_limit_allows_take_more_windows() -> None:
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


async def test_only_actions_are_planned() -> None:
    async with Sandbox(1) as cloud, client(cloud) as cf:
        with pytest.raises(InvalidInputError, match="start, stop or restart"):
            await cf.bulk.plan("delete", list(cloud.apps))  # type: ignore[arg-type]
