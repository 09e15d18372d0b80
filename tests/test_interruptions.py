"""Runs that end by an exception that is not an `Exception`."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from aioappsapi import App, InvalidInputError, Outcome, Report, Run, Status, report_of
from aioappsapi.errors import CertificateError
from tests.cloud import Cloud, Planned, web
from tests.fakes import virtual

OK, UNVERIFIED, NOT_ATTEMPTED = Status.OK, Status.UNVERIFIED, Status.NOT_ATTEMPTED
FAILED = Status.FAILED
KINDS = [KeyboardInterrupt, SystemExit, GeneratorExit]


@pytest.fixture
def complaints() -> Iterator[list[dict[str, Any]]]:
    """What the event loop complains about until the end of the test."""
    found: list[dict[str, Any]] = []
    yield found
    gc.collect()
    assert found == []


def listen(complaints: list[dict[str, Any]]) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))


def raising(kind: type[BaseException], told: list[str]) -> Any:
    def on_outcome(outcome: Outcome[App]) -> None:
        told.append(outcome.key)
        raise kind

    return on_outcome


def check(report: Report[Any] | None, told: list[str], count: int) -> None:
    assert report is not None
    assert told == [report[0].key], "a broken callback is not called again"
    counts = report.counts
    assert counts.pop("total") == sum(counts.values()) == len(report) == count
    assert report[0].status is OK


@pytest.mark.parametrize("kind", KINDS)
@virtual
async def test_an_awaited_run_raises_the_original_error_with_the_report(
    kind: type[BaseException], complaints: list[dict[str, Any]]
) -> None:
    listen(complaints)
    before, told = asyncio.all_tasks(), []  # type: ignore[var-annotated]
    with pytest.raises(kind) as caught:
        await Cloud(*"abc").bulk().start(list("abc"), concurrency=1, on_outcome=raising(kind, told))
    report = report_of(caught.value)
    check(report, told, 3)
    assert [one.status for one in report or ()] == [OK, NOT_ATTEMPTED, NOT_ATTEMPTED]
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("kind", KINDS)
@virtual
async def test_a_run_that_waits_raises_the_original_error_with_the_report(
    kind: type[BaseException], complaints: list[dict[str, Any]]
) -> None:
    listen(complaints)
    cloud, told = Cloud("a", Planned("b", [web(after=100)])), []  # type: ignore[var-annotated]
    with pytest.raises(kind) as caught:
        await cloud.bulk().start(["a", "b"], wait="all", on_outcome=raising(kind, told))
    report = report_of(caught.value)
    check(report, told, 2)
    assert [one.status for one in report or ()] == [OK, UNVERIFIED]


@pytest.mark.parametrize("wait", ["none", "all"])
@pytest.mark.parametrize("kind", KINDS)
@virtual
async def test_a_stream_raises_the_original_error_with_the_report_at_the_end_of_its_block(
    kind: type[BaseException], wait: Any, complaints: list[dict[str, Any]]
) -> None:
    listen(complaints)
    before, told = asyncio.all_tasks(), []  # type: ignore[var-annotated]
    run = (
        Cloud(*"abc")
        .bulk()
        .stream("start", list("abc"), wait=wait, concurrency=1, on_outcome=raising(kind, told))
    )
    got: list[Outcome[App]] = []
    with pytest.raises(kind) as caught:
        await _read(run, got)
    check(report_of(caught.value), told, 3)
    assert len(run.report) == 3
    assert {one.key for one in got} == set("abc")
    assert asyncio.all_tasks() == before


async def _read(run: Run[App], got: list[Outcome[App]]) -> None:
    async with run:
        async for outcome in run:
            got += [outcome]


@pytest.mark.parametrize("kind", KINDS)
@virtual
async def test_a_map_raises_the_error_of_its_function_with_the_report(
    kind: type[BaseException], complaints: list[dict[str, Any]]
) -> None:
    listen(complaints)

    async def work(key: str) -> str:
        if key == "b":
            raise kind
        return key

    with pytest.raises(kind) as caught:
        await Cloud().bulk().map(work, list("abc"), concurrency=1)
    report = report_of(caught.value)
    assert report is not None
    assert report[0].status is OK
    assert len(report) == 3


@virtual
async def test_iterating_a_stream_that_was_never_entered_is_an_error() -> None:
    cloud = Cloud("a")
    run = cloud.bulk().stream("start", ["a"])
    with pytest.raises(InvalidInputError, match="`async with`"):
        await anext(aiter(run))
    assert cloud.seen == []


@virtual
async def test_an_untrusted_certificate_ends_the_run_at_once() -> None:
    cloud = Cloud(*(f"app-{n}" for n in range(50)))
    cloud.meddlers.append(lambda seen: CertificateError("self-signed certificate"))
    report = await cloud.bulk().start(list(cloud.apps), concurrency=5)
    assert len(cloud.seen) <= 6, "not one attempt for each app"
    counts = report.counts
    assert counts["failed"] + counts["not_attempted"] == 50
    assert counts["failed"] <= 5
    assert report.stopped is not None
    assert "certificate" in report.stopped
    assert "self-signed" in str(report[-1].error)
