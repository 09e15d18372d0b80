from __future__ import annotations

import asyncio
from collections import Counter

import anyio
import pytest

from aioappsapi import (
    Client,
    DeadlineError,
    PasswordGrant,
    Pause,
    RateLimitedError,
    Report,
    RetryPolicy,
    Status,
    report_of,
)
from aioappsapi.api.apps import Apps
from aioappsapi.bulk import Bulk
from aioappsapi.sandbox import Faults, Sandbox
from aioappsapi.waiting.assess import Wait
from tests.fakes import virtual
from tests.replay import Answer, Seen, Wire

LIMITED = Answer(429, b"Rate limit exceeded", (("Retry-After", "7200"),))


async def never(seen: Seen) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError


def bulk() -> Bulk:
    return Bulk(Wire(never).caller(), target="-", ceiling=10)


def check(report: Report[object] | None) -> None:
    assert report is not None
    assert report.counts["total"] == 3
    assert report.counts["ok"] == 0


@virtual
async def test_the_report_is_found_in_a_timeout_of_asyncio() -> None:
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(5):
            await bulk().start(["a", "b", "c"], concurrency=2)
    check(report_of(caught.value))


@virtual
async def test_the_report_is_found_in_a_timeout_of_anyio() -> None:
    with pytest.raises(TimeoutError) as caught, anyio.fail_after(5):
        await bulk().start(["a", "b", "c"], concurrency=2)
    check(report_of(caught.value))


@virtual
async def test_the_report_is_found_in_an_exception_group() -> None:
    async def broken(key: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        async with anyio.create_task_group() as group:
            group.start_soon(bulk().map, broken, ["a", "b", "c"])
    check(report_of(caught.value))


def test_an_exception_without_a_report_gives_none() -> None:
    assert report_of(ValueError("x")) is None


@virtual
async def test_a_rate_limit_that_lasts_too_long_ends_the_run_with_that_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[Seen] = []

    async def limited(one: Seen) -> Answer:
        seen.append(one)
        return LIMITED

    pauses: list[Pause] = []
    wire = Wire(limited)
    caller = wire.caller(retry=RetryPolicy())
    one = Bulk(caller, target="-", ceiling=10)
    guids = [f"app-{number}" for number in range(100)]
    began = anyio.current_time()
    report = await one.start(guids, skip_unchanged=False, concurrency=3, on_pause=pauses.append)

    assert anyio.current_time() == began
    assert report.stopped is not None
    assert "opens again in 7200 s, which is more than max_retry_after" in report.stopped
    assert report.counts["failed"] == len(seen) == 3
    assert report.counts["not_attempted"] == 97
    assert "calls fail rather than wait 7200" in caplog.text
    assert [round(pause.seconds) for pause in pauses] == [7200]
    await anyio.sleep(1)
    with pytest.raises(RateLimitedError):  # the gate is open: who asks is told by the server
        await Apps(caller).start("app-0")


@pytest.mark.parametrize("wait", ["none", "all"])
@virtual
async def test_a_rate_limit_that_outlasts_the_deadline_ends_the_run_at_once(wait: Wait) -> None:
    clock = asyncio.get_running_loop().time
    faults = Faults(rate_limit=100, rate_window=600.0, startup=5.0)
    auth = PasswordGrant("admin", "admin")
    async with (
        Sandbox(500, faults=faults, clock=clock) as cloud,
        Client(cloud.url, auth=auth, proxy="") as client,
    ):
        await client.log_in()
        began = clock()
        report = await client.bulk.start(list(cloud.apps), deadline=100, wait=wait)
        assert clock() - began < 10
        ended = Counter(outcome.status for outcome in report)
        assert ended[Status.NOT_ATTEMPTED] > 300
        assert ended[Status.UNVERIFIED if wait == "all" else Status.OK] == 99, "and one to look"
        asked = len(cloud.requests)
        with pytest.raises(DeadlineError, match="nothing was sent"):
            await client.apps.get(next(iter(cloud.apps)), deadline=50)
        assert len(cloud.requests) == asked, "it stays closed for later calls"
