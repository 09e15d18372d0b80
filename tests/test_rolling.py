"""Rolling restarts in bulk, against the sandbox."""

from __future__ import annotations

import asyncio
from typing import Any

from aioappsapi import Client, Limits, PasswordGrant, RetryPolicy, Status
from aioappsapi.sandbox import Faults, Sandbox
from tests.fakes import virtual


def client(cloud: Sandbox) -> Client:
    return Client(
        cloud.url,
        auth=PasswordGrant("admin", "admin"),
        proxy="",
        retry=RetryPolicy(base=0.05, cap=0.5),
        limits=Limits(concurrency=100),
    )


def sandbox(apps: int, **options: Any) -> Sandbox:
    options = {"started": True, "faults": Faults(startup=2.0)} | options
    return Sandbox(apps, clock=asyncio.get_running_loop().time, **options)


@virtual
async def test_each_app_gets_one_deployment_and_new_instances() -> None:
    async with sandbox(20) as cloud, client(cloud) as cf:
        report = await cf.bulk.restart(list(cloud.apps), strategy="rolling", wait="all")
        assert {outcome.status for outcome in report} == {Status.OK}, list(report)
        assert cloud.count("POST", "/v3/deployments") == 20
        assert all(cloud.running(guid) for guid in cloud.apps)
