"""A server process that is killed in the middle of a run and booted again on the same port."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from aioappsapi import App, Client, Outcome, PasswordGrant
from aioappsapi.sandbox import SandboxProcess
from tests.sockets import free_port

APPS = 300


def boot(port: int) -> SandboxProcess:
    return SandboxProcess(APPS, port=port, latency=0.02)


async def test_a_run_goes_on_when_its_server_was_killed_and_booted_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = free_port()
    with contextlib.ExitStack() as servers:
        first = servers.enter_context(boot(port))
        booting: list[asyncio.Future[SandboxProcess]] = []

        def kill_once(outcome: Outcome[App]) -> None:
            if not booting:
                first.kill()
                booting.append(asyncio.ensure_future(asyncio.to_thread(boot, port)))

        auth = PasswordGrant("admin", "admin")
        async with Client(first.url, auth=auth, proxy="") as client:
            guids = [app.guid async for app in client.apps.list()]
            run = client.bulk.start(guids, skip_unchanged=False, on_outcome=kill_once)
            report = await run
            servers.enter_context(await booting[0])
    counts = {name: count for name, count in report.counts.items() if count}
    assert counts.pop("ok") + counts.pop("unverified", 0) == counts.pop("total") == APPS
    assert counts == {}
    assert "The server answers again." in caplog.messages
