"""An app that may have been changed is never `already` without a proof."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aioappsapi import InvalidInputError, Report, Status
from aioappsapi.sandbox import Faults, Sandbox, SandboxThread
from tests.clients import statuses
from tests.cloud import Cloud, Planned, set_state, web
from tests.command_line import run
from tests.fakes import virtual
from tests.replay import ONE_TRY, refusal

OK, ALREADY, FAILED = Status.OK, Status.ALREADY, Status.FAILED
UNVERIFIED, TIMED_OUT = Status.UNVERIFIED, Status.TIMED_OUT

# The ways in which a report is passed on.
WAYS: dict[str, Callable[[Report[Any]], Any]] = {
    "report": lambda report: report,
    "remaining": lambda report: report.remaining,
    "outcomes": list,
    "iterator": iter,
}


def posts(cloud: Cloud) -> int:
    return cloud.count("POST", "/actions/")


async def unverified_start(cloud: Cloud) -> Report[Any]:
    """Start under a runner that is away: written down, refused, and accepted on repetition."""
    report = await cloud.bulk().start(["a"])
    assert statuses(report) == [UNVERIFIED]
    assert cloud.apps["a"].state == "STARTED"
    return report


@pytest.mark.parametrize("way", WAYS)
@virtual
async def test_an_unverified_app_that_never_comes_up_stays_unverified(way: str) -> None:
    cloud = Cloud(Planned("a", lost=1))
    first = await unverified_start(cloud)
    again = await cloud.bulk().start(WAYS[way](first))
    assert statuses(again) == [UNVERIFIED]
    assert posts(cloud) == 2, "nothing is sent again, since the state is the requested one"


@pytest.mark.parametrize("way", WAYS)
@virtual
async def test_an_unverified_app_is_verified_by_waiting(way: str) -> None:
    cloud = Cloud(Planned("a", [web(after=3)], lost=1, repaired_after=20.0))
    first = await unverified_start(cloud)
    again = await cloud.bulk().start(WAYS[way](first), wait="all")
    assert statuses(again) == [OK]


@virtual
async def test_an_unverified_app_that_never_comes_up_is_timed_out_by_waiting() -> None:
    cloud = Cloud(Planned("a", lost=1))
    first = await unverified_start(cloud)
    again = await cloud.bulk().start(first, wait="all", startup_timeout=60.0)
    assert statuses(again) == [TIMED_OUT]


@virtual
async def test_an_unverified_app_that_runs_is_ok_without_waiting() -> None:
    cloud = Cloud(Planned("a", lost=1, repaired_after=1.0))
    first = await unverified_start(cloud)
    set_state(cloud.apps["a"], "STARTED", delay=-60.0)
    assert statuses(await cloud.bulk().start(first)) == [OK]


@virtual
async def test_an_unverified_app_that_was_stopped_meanwhile_is_started() -> None:
    cloud = Cloud(Planned("a", lost=1))
    first = await unverified_start(cloud)
    set_state(cloud.apps["a"], "STOPPED")
    again = await cloud.bulk().start(first, wait="all")
    assert statuses(again) == [OK]
    assert posts(cloud) == 3


@pytest.mark.parametrize("way", WAYS)
@virtual
async def test_a_failed_start_from_an_earlier_report_is_not_already(way: str) -> None:
    cloud = Cloud(Planned("a", lost=2))
    first = await cloud.bulk(ONE_TRY).start(["a"])
    assert statuses(first) == [FAILED]
    assert cloud.apps["a"].state == "STARTED"
    assert statuses(await cloud.bulk().start(WAYS[way](first))) == [UNVERIFIED]


@virtual
async def test_a_start_in_flight_at_the_deadline_is_not_already_in_the_next_run() -> None:
    cloud = Cloud(Planned("a"), latency=10.0)
    first = await cloud.bulk().start(["a"], skip_unchanged=False, deadline=5.0)
    assert statuses(first) == [TIMED_OUT]
    set_state(cloud.apps["a"], "STARTED", delay=None)
    cloud.latency = 0.0
    assert statuses(await cloud.bulk().start(first)) == [UNVERIFIED]


@virtual
async def test_doubt_survives_a_file_and_a_third_run(tmp_path: Path) -> None:
    cloud = Cloud(Planned("a", lost=1))
    report: Report[Any] = await unverified_start(cloud)
    for number in range(3):
        path = tmp_path / f"{number}.json"
        report.write(path)
        report = await cloud.bulk().start(Report.load(path))
        assert statuses(report) == [UNVERIFIED]


@virtual
async def test_guids_alone_carry_no_doubt() -> None:
    cloud = Cloud(Planned("a", lost=1))
    first = await unverified_start(cloud)
    assert statuses(await cloud.bulk().start(first.failed_keys())) == [ALREADY]


@virtual
async def test_a_report_of_another_api_is_refused_before_anything_is_sent() -> None:
    cloud, elsewhere = Cloud(Planned("a")), Cloud(Planned("a", lost=1))
    report = await unverified_start(elsewhere)
    report.target = "https://elsewhere.test"
    for call in (
        cloud.bulk().start(report),
        cloud.bulk().map(cloud.apps_on().get, report),
        cloud.bulk().plan("start", report),
        cloud.bulk().snapshot(report),
    ):
        with pytest.raises(InvalidInputError, match=r"report of https://elsewhere\.test"):
            await call
    with pytest.raises(InvalidInputError, match="failed_keys"):
        cloud.bulk().stream("start", report)
    assert cloud.seen == []
    assert statuses(await cloud.bulk().start(report.failed_keys())) == [OK]


@virtual
async def test_an_app_whose_instances_cannot_be_read_stays_unverified() -> None:
    cloud = Cloud(Planned("a", lost=1))
    first = await unverified_start(cloud)
    cloud.meddlers.append(
        lambda seen: refusal(500, "UnknownError") if "/processes" in seen.path else None
    )
    assert statuses(await cloud.bulk().start(first)) == [UNVERIFIED]


def test_the_command_line_carries_doubt_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SandboxThread(Sandbox(3, faults=Faults(repair_after=0.0))) as cloud:
        for name, value in {
            "CF_API": cloud.url,
            "CF_USERNAME": "admin",
            "CF_PASSWORD": "admin",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        cloud.diego = "bbs-503"
        first = run("start", "--all", "--report", "first.json")
        assert first.exit_code == 1
        assert Report.load("first.json").counts["unverified"] == 3
        planned = run("start", "@first.json", "--dry-run", "--output", "json")
        assert planned.exit_code == 0
        assert json.loads(planned.stdout)["counts"]["unverified"] == 3
        again = run("start", "@first.json", "--report", "again.json")
        assert again.exit_code == 1
        assert Report.load("again.json").counts["unverified"] == 3, (again.stderr, again.stdout)
        cloud.diego = "up"
        last = run("start", "@again.json", "--wait", "all", "--report", "last.json")
        assert (last.exit_code, Report.load("last.json").counts["ok"]) == (0, 3), last.stderr
