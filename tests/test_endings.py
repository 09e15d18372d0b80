from __future__ import annotations

import asyncio

import anyio
import pytest

from aioappsapi import Report, report_of
from aioappsapi.bulk import Bulk
from aioappsapi.resources.apps import Apps
from tests.fakes import virtual
from tests.replay import Answer, Seen, Wire


async def never(seen: Seen) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError


def bulk() -> Bulk:
    return Bulk(Apps(Wire(never).caller()), target="-", ceiling=10)


def check(report: Report[object] | None) -> None:
    assert report is not None
    assert report.counts["total"] == 3
    assert report.counts["ok"] == 0


@virtual
async def test_the_report_is_found_in_a_time_out_of_asyncio() -> None:
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(5):
            await bulk().start(["a", "b", "c"], concurrency=2)
    check(report_of(caught.value))


@virtual
async def test_the_report_is_found_in_a_time_out_of_anyio() -> None:
    with pytest.raises(TimeoutError) as caught, anyio.fail_after(5):
        await bulk().start(["a", "b", "c"], concurrency=2)
    check(report_of(caught.value))


@virtual
async def test_the_report_is_found_in_a_group() -> None:
    async def broken(key: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        async with anyio.create_task_group() as group:
            group.start_soon(bulk().map, broken, ["a", "b", "c"])
    check(report_of(caught.value))


def test_where_there_is_none_none_is_found() -> None:
    assert report_of(ValueError("x")) is None
