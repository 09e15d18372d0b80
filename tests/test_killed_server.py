"""A server process that is killed during a run and started again on the same port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import pytest

from aioappsapi import Client, PasswordGrant
from aioappsapi.sandbox import SandboxProcess
from tests.sockets import free_port

APPS = 300


def boot(port: int) -> SandboxProcess:
    return SandboxProcess(APPS, port=port, latency=0.02)


class Notices(logging.Handler):
    """Calls something when the client notices that its server is away."""

    def __init__(self, notice: Callable[[], None]) -> None:
        super().__init__()
        self.notice = notice

    def emit(self, record: logging.LogRecord) -> None:
        if "fail: one at a time is sent" in record.getMessage():
            self.notice()


async def test_a_run_goes_on_when_its_server_was_killed_and_booted_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = free_port()
    with contextlib.ExitStack() as servers:
        first = servers.enter_context(boot(port))
        booting: list[asyncio.Future[SandboxProcess]] = []

        def boot_again() -> None:
            booting.append(asyncio.ensure_future(asyncio.to_thread(boot, port)))

        notices = Notices(boot_again)
        logging.getLogger("aioappsapi").addHandler(notices)
        servers.callback(logging.getLogger("aioappsapi").removeHandler, notices)
        auth = PasswordGrant("admin", "admin")
        async with Client(first.url, auth=auth, proxy="") as client:
            guids = [app.guid async for app in client.apps.list()]
            run = client.bulk.start(
                guids, skip_unchanged=False, on_outcome=lambda outcome: first.kill()
            )
            report = await run
            servers.enter_context(await booting[0])
    counts = {name: count for name, count in report.counts.items() if count}
    assert counts.pop("ok") + counts.pop("unverified", 0) == counts.pop("total") == APPS
    assert counts == {}
    assert "The server answers again." in caplog.messages
