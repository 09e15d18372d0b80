"""Restarts and resumed runs: outcomes are true across processes and delays."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aioappsapi import CrashedError, Run, Status
from aioappsapi.bulk.run.journal import Journal
from tests.clients import statuses
from tests.cloud import CRASHING, Cloud, Planned, now, set_state, up, web
from tests.fakes import virtual
from tests.replay import Answer, app_json, reply

OK, FAILED, UNVERIFIED = Status.OK, Status.FAILED, Status.UNVERIFIED
NOT_ATTEMPTED = Status.NOT_ATTEMPTED


def running(*guids: str, after: float = 1.5) -> Cloud:
    cloud = Cloud(*(Planned(guid, [web(after=after)]) for guid in guids))
    for app in cloud.apps.values():
        set_state(app, "STARTED", delay=-100.0)
    return cloud


@virtual
async def test_an_old_instance_that_comes_up_while_a_gate_holds_a_restart_proves_nothing() -> None:
    held_up = Answer(429, b"{}", (("Retry-After", "6"),))
    app = Planned("a", [web(after=1.7)], lingers=4, answers=[held_up])
    cloud = Cloud(app)
    set_state(app, "STARTED")
    cloud.at(9.5, lambda app: setattr(app.processes[0], "lives", [CRASHING]), "a")
    [outcome] = await cloud.bulk().restart(["a"], wait="all")
    assert outcome.status is FAILED
    assert isinstance(outcome.error, CrashedError)
    assert outcome.time_to_running is None


@virtual
async def test_durations_of_a_restart_count_from_the_request_and_not_from_the_gate() -> None:
    held_up = Answer(429, b"{}", (("Retry-After", "6"),))
    cloud = running("a", "b", after=3.0)
    cloud.apps["a"].answers = [held_up]
    report = await cloud.bulk().restart(["a", "b"], wait="all", concurrency=1)
    assert statuses(report) == [OK, OK]
    late = report[1]
    assert late.time_to_accept is not None
    assert late.time_to_running is not None
    assert late.time_to_accept < 1.0, "the gate is no part of it"
    assert late.time_to_accept < late.time_to_running < 8.0


def slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every flush of a journal take a second."""
    save = Journal._save

    async def slowly(journal: Journal) -> None:
        await asyncio.sleep(1.0)
        await save(journal)

    monkeypatch.setattr(Journal, "_save", slowly)


async def by_deadline(run: Run[Any]) -> None:
    await run.run()  # it has a deadline


async def by_stop(run: Run[Any]) -> None:
    asyncio.get_running_loop().call_later(2.5, lambda: run.stop("stopped"))
    await run.run()


async def by_stop_at_once(run: Run[Any]) -> None:
    asyncio.get_running_loop().call_later(2.5, lambda: run.stop("stopped", grace=0.0))
    await run.run()


async def by_cancellation(run: Run[Any]) -> None:
    task = asyncio.create_task(run.run())
    await asyncio.sleep(2.5)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("end", [by_deadline, by_stop, by_stop_at_once, by_cancellation])
@virtual
async def test_a_restart_that_waits_for_the_disk_when_the_run_ends_is_sent_by_the_next(
    end: Callable[[Run[Any]], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_disk(monkeypatch)
    guids = [f"app-{number}" for number in range(40)]
    cloud, path = running(*guids), tmp_path / "run.journal"
    deadline = 2.5 if end is by_deadline else None
    run = cloud.bulk().stream("restart", guids, journal=path, concurrency=10, deadline=deadline)
    await end(run)
    left = [outcome.key for outcome in run.report if outcome.status is NOT_ATTEMPTED]
    assert 10 <= len(left) <= 30
    waited = path.read_text().count('"not_done"')
    assert waited == (0 if end is by_stop else 10), "an orderly stop waits for the disk"
    assert all(cloud.apps[guid].done == 0 for guid in left)

    again = await cloud.bulk().restart(guids, journal=path, resume=True)
    assert statuses(again) == [OK] * 40
    assert {app.done for app in cloud.apps.values()} == {1}, "none twice, none lost"


@virtual
async def test_a_restart_that_came_up_before_a_killed_run_resumes_is_ok(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", now)  # wall time goes on with the virtual clock
    guids, path = [f"app-{number}" for number in range(33)], tmp_path / "run.journal"
    cloud = running(*guids, after=20.0)
    task = asyncio.create_task(cloud.bulk().restart(guids, journal=path, wait="all"))
    await asyncio.sleep(10)
    on_disk = path.read_bytes()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    path.write_bytes(on_disk)  # a killed process writes nothing more
    await asyncio.sleep(120)

    begun = now()
    again = await cloud.bulk().restart(guids, journal=path, resume=True, wait="all")
    assert statuses(again) == [OK] * 33
    assert {app.done for app in cloud.apps.values()} == {1}
    assert now() - begun < 30, "they run for long"


@virtual
async def test_an_outcome_without_a_proof_is_not_taken_over_by_a_run_that_waits(
    tmp_path: Path,
) -> None:
    guids, path = list("abc"), tmp_path / "run.journal"
    cloud = Cloud(*(Planned(guid, [web(CRASHING)]) for guid in guids))
    assert statuses(await cloud.bulk().start(guids, journal=path)) == [OK] * 3
    again = await cloud.bulk().start(guids, journal=path, resume=True, wait="all", crash_grace=5)
    assert statuses(again) == [FAILED] * 3
    for outcome in again:
        assert isinstance(outcome.error, CrashedError)
    assert {app.done for app in cloud.apps.values()} == {1}


@pytest.mark.parametrize(("first", "second"), [("any", "all"), ("all", "routable")])
@virtual
async def test_a_weaker_proof_is_not_enough_for_a_stronger_wait(
    first: Any, second: Any, tmp_path: Path
) -> None:
    path = tmp_path / "run.journal"
    kind = web(up(1.0), up(1.0 if first == "all" else 40.0), routable_after=60.0)
    cloud = Cloud(Planned("a", [kind]))
    assert statuses(await cloud.bulk().start(["a"], journal=path, wait=first)) == [OK]
    begun = now()
    again = await cloud.bulk().start(["a"], journal=path, resume=True, wait=second)
    assert statuses(again) == [OK]
    assert now() - begun > 20, "it was looked at, until it was so"


@pytest.mark.parametrize(
    "answer", [app_json("a", state="STOPPED"), app_json("another")], ids=["state", "guid"]
)
@virtual
async def test_a_200_with_a_wrong_state_or_guid_is_unverified_and_looked_at_by_waiting(
    answer: dict[str, object],
) -> None:
    cloud = Cloud(Planned("a", answers=[reply(answer)]))
    [outcome] = await cloud.bulk().start(["a"])
    assert outcome.status is UNVERIFIED
    assert outcome.error is not None
    waiting = Cloud(Planned("a", answers=[reply(answer)]))
    waiting.at(3, lambda app: set_state(app, "STARTED"), "a")
    assert statuses(await waiting.bulk().start(["a"], wait="all")) == [OK]
    assert waiting.count("POST", "/actions/start") == 1
