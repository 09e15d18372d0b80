"""Whole runs that wait: every app has one true outcome, however the run ends."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi import (
    App,
    AppsApiError,
    CrashedError,
    DeadlineError,
    DisconnectedError,
    NotFoundError,
    NotRunningError,
    Outcome,
    Report,
    RetryPolicy,
    RunAbortedError,
    ServerError,
    Status,
    UnverifiedError,
    report_of,
)
from tests.clients import statuses
from tests.cloud import CRASHING, RUNNER, Cloud, Kind, Life, Planned, now, set_state, up, web
from tests.counting import Counting
from tests.fakes import run_virtual, virtual
from tests.replay import ONE_TRY, Answer, Seen, refusal

OK, ALREADY, FAILED, TIMED_OUT = Status.OK, Status.ALREADY, Status.FAILED, Status.TIMED_OUT
UNVERIFIED, CANCELLED = Status.UNVERIFIED, Status.CANCELLED
NOT_ATTEMPTED = Status.NOT_ATTEMPTED


def found(error: BaseException) -> Report[Any]:
    report = report_of(error)
    assert report is not None
    return report


def check(report: Report[Any], cloud: Cloud, keys: list[str]) -> None:
    """One outcome for each app in its order, and all requests counted."""
    assert [outcome.key for outcome in report] == keys
    assert report.complete
    counts = report.counts
    assert counts.pop("total") == sum(counts.values()) == len(keys)
    assert report.requests.sent == len(cloud.seen)
    for outcome in report:
        assert (outcome.error is None) == outcome.done


# -- good and bad news


@virtual
async def test_an_outcome_has_the_times_of_each_stage() -> None:
    cloud = Cloud(Planned("a", [web(up(3), up(11))]), latency=0.25)
    (outcome,) = await cloud.bulk().start(["a"], wait="all")
    assert outcome.status is OK
    assert outcome.time_to_accept == 0.25
    assert outcome.time_to_first_instance is not None
    assert outcome.time_to_running is not None
    assert outcome.duration is not None
    assert 3 <= outcome.time_to_first_instance <= 5
    assert 11 <= outcome.time_to_running <= 13
    assert outcome.time_to_running <= outcome.duration <= 18
    assert outcome.value is not None
    assert outcome.attempts == 1, "polls are the run's and not the app's"


@virtual
async def test_each_kind_of_failure_has_its_own_outcome() -> None:
    cloud = Cloud(
        Planned("well", [web(after=20)]),
        Planned("deleted", [web(after=500)]),
        Planned("stopped", [web(after=500)]),
        Planned("deploying", [web(up(1)), web(up(25), number=2)]),
        Planned("zero", [web(wanted=0)]),
        Planned("worker", [web(wanted=0), Kind([up(9)], "worker")]),
        Planned("crashing", [web(CRASHING)]),
        Planned("late", [web(after=500)]),
    )
    cloud.forget("deleted", 10)
    cloud.at(10, lambda app: set_state(app, "STOPPED"), "stopped")
    keys = list(cloud.apps)
    report = await cloud.bulk().start(keys, wait="all", startup_timeout=120)
    assert dict(zip(keys, statuses(report), strict=True)) == {
        "well": OK,
        "deleted": FAILED,
        "stopped": FAILED,
        "deploying": OK,
        "zero": OK,
        "worker": OK,
        "crashing": FAILED,
        "late": TIMED_OUT,
    }
    errors = {outcome.key: type(outcome.error) for outcome in report if outcome.error}
    assert errors == {
        "deleted": NotFoundError,
        "stopped": NotRunningError,
        "crashing": CrashedError,
        "late": DeadlineError,
    }
    assert "by another user" in str(report[2].error)
    check(report, cloud, keys)


@virtual
async def test_failed_polls_delay_apps_but_fail_none() -> None:
    cloud = Cloud(*(f"app-{n}" for n in range(5)))
    bad = [
        refusal(500, "UnknownError"),
        Answer(200, b'{"pagination": {"next": null}, "resour'),
        DisconnectedError("the connection broke"),
        refusal(503, "CF-ServiceUnavailable", 10015),
    ]

    def meddle(seen: Seen) -> Answer | BaseException | None:
        return bad.pop() if bad and seen.path == "/v3/processes" else None

    cloud.meddlers.append(meddle)
    keys = list(cloud.apps)
    report = await cloud.bulk().start(keys, wait="all")
    assert statuses(report) == [OK] * 5
    check(report, cloud, keys)


@virtual
async def test_waiting_works_with_an_older_server() -> None:
    for embeds in ("refused", "ignored"):
        cloud = Cloud(*(f"app-{n}" for n in range(300)), embeds=embeds)
        keys = list(cloud.apps)
        report = await cloud.bulk().start(keys, wait="all")
        assert report.ok
        check(report, cloud, keys)


# -- how many requests


@virtual
async def test_a_thousand_apps_take_few_requests() -> None:
    cloud = Cloud(*(Planned(f"app-{n:04}", [web(after=5 + n % 30)]) for n in range(1_000)))
    keys = list(cloud.apps)
    report = await cloud.bulk().start(keys, wait="all")
    assert report.ok
    ticks = Counter(at for at, seen in cloud.times if seen.path == "/v3/processes")
    assert max(ticks.values()) <= 5
    assert len(cloud.seen) / 1_000 <= 2.2
    assert len(cloud.seen) / 1_000 < 1.1, "in fact it is far less"
    check(report, cloud, keys)


@virtual
async def test_a_thousand_apps_of_which_many_crash_take_few_requests() -> None:
    kinds = [web(CRASHING), web(((0.0, "DOWN"),), details="insufficient resources"), web(after=9)]
    cloud = Cloud(*(Planned(f"app-{n:04}", [kinds[n % 3]]) for n in range(1_000)))
    keys = list(cloud.apps)
    report = await cloud.bulk().start(keys, wait="all")
    assert Counter(statuses(report)) == {FAILED: 667, OK: 333}
    assert len(cloud.seen) / 1_000 <= 2.2
    check(report, cloud, keys)


def counted(cloud: Cloud, server: Counting) -> None:
    """Have the cloud count its requests in windows, and refuse what is too much."""
    answer = cloud.wire._answering

    async def count(seen: Seen) -> Answer:
        told = server.count()
        server.refused += told.status == 429
        made = refusal(429, "CF-RateLimitExceeded") if told.status == 429 else await answer(seen)
        return msgspec.structs.replace(made, headers=(*made.headers, *told.headers.items()))

    cloud.wire._answering = count


@virtual
async def test_polls_are_rare_while_the_rate_limit_is_needed_for_starts() -> None:
    apps = (Planned(f"app-{n:03}", [web(after=250)]) for n in range(300))
    cloud, server = Cloud(*apps, latency=0.5), Counting(100)
    counted(cloud, server)
    report = await cloud.bulk().start(list(cloud.apps), wait="all", concurrency=1)
    assert report.ok
    assert server.refused == 0
    *_, last = [moment for moment, seen in cloud.times if seen.method == "POST"]
    polls = [moment for moment, seen in cloud.times if seen.path == "/v3/processes"]
    before = [moment for moment in polls if moment < last]
    assert len(before) <= 20, "every 5 s it would be 40"
    assert len(polls) - len(before) >= 50, "then they are as often as ever"


# -- ends


@virtual
async def test_a_run_cancelled_while_it_waits_reports_every_app() -> None:
    cloud = Cloud(Planned("a", [web(up(1), up(500))]), Planned("b", [web(after=3)]), "c")
    run = asyncio.create_task(cloud.bulk().start(list(cloud.apps), wait="all"))
    await asyncio.sleep(20)
    run.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await run
    report = found(caught.value)
    assert statuses(report) == [UNVERIFIED, OK, OK]
    assert isinstance(report[0].error, UnverifiedError)
    assert "seen last: web: 1 RUNNING, 1 STARTING of 2" in str(report[0].error)
    assert report[0].value is not None
    check(report, cloud, ["a", "b", "c"])


@virtual
async def test_a_deadline_while_a_run_waits_ends_every_app() -> None:
    cloud = Cloud(Planned("a", [web(after=500)]), "b", Planned("c", [web(after=500)]))
    began = now()
    report = await cloud.bulk().start(["a", "b", "c"], wait="all", deadline=30, concurrency=2)
    assert now() - began == 30
    assert statuses(report) == [TIMED_OUT, OK, TIMED_OUT]
    assert isinstance(report[0].error, DeadlineError)
    assert "1 STARTING" in str(report[0].error)
    check(report, cloud, ["a", "b", "c"])


@virtual
async def test_a_deadline_of_the_run_holds_although_polls_hang() -> None:
    cloud = Cloud("a", "b")
    keys = list(cloud.apps)
    answer = cloud._answer

    async def hang(seen: Seen) -> Answer:
        if seen.path == "/v3/processes":
            await asyncio.Event().wait()
        return await answer(seen)

    cloud.wire._answering = hang
    report = await cloud.bulk().start(keys, wait="all", deadline=30)
    assert statuses(report) == [TIMED_OUT, TIMED_OUT]
    assert now() == 1_030
    check(report, cloud, keys)


@virtual
async def test_a_stop_with_grace_ends_the_waiting() -> None:
    cloud = Cloud(
        Planned("a", [web(after=8)]), Planned("b", [web(after=500)]), Planned("c", answers=[RUNNER])
    )
    run = cloud.bulk(ONE_TRY).stream("start", ["a", "b", "c", "d"], wait="all", concurrency=3)
    asyncio.get_running_loop().call_later(2, lambda: run.stop("Ctrl-C", grace=10))
    await run.run()
    assert now() == 1_012
    assert statuses(run.report) == [OK, UNVERIFIED, FAILED, FAILED]
    assert "Ctrl-C before that was verified" in str(run.report[1].error)
    # What failed and may have happened stays what it was: nothing has proved it.
    assert isinstance(run.report[2].error, ServerError)
    assert run.report.stopped == "Ctrl-C"
    check(run.report, cloud, ["a", "b", "c", "d"])


@virtual
async def test_a_stop_without_grace_waits_for_the_apps_that_began() -> None:
    cloud = Cloud(*(Planned(guid, [web(after=20)]) for guid in "abc"))
    async with cloud.bulk().stream("start", list("abc"), wait="all", concurrency=1) as run:
        await asyncio.sleep(1)
        assert (run.waiting, run.in_flight) == (3, 0)
        run.stop()
        assert run.stopping
    assert {CANCELLED, UNVERIFIED} >= set(statuses(run.report)), "the block was left at once"
    again = Cloud(*(Planned(guid, [web(after=20)]) for guid in "abc"))
    async with again.bulk().stream("start", list("abc"), wait="all") as run:
        await asyncio.sleep(1)
        run.stop()
        assert [outcome.status async for outcome in run] == [OK] * 3


@virtual
async def test_too_many_crashes_stop_the_run() -> None:
    cloud = Cloud(*(Planned(f"app-{n}", [web(CRASHING)]) for n in range(55)))
    keys = list(cloud.apps)
    report = await cloud.bulk().start(
        keys, wait="all", max_failures=3, max_starting=5, crash_grace=5
    )
    counts = report.counts
    assert counts["failed"] == 5, "those that were begun have their own end"
    assert counts["not_attempted"] == 50
    assert "max_failures=3" in str(report[-1].error)
    check(report, cloud, keys)


@pytest.mark.parametrize("failure", [ZeroDivisionError(), AppsApiError("mine")], ids=repr)
@virtual
async def test_a_callback_that_raises_aborts_and_loses_nothing(failure: Exception) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    cloud = Cloud("a", Planned("b", [web(after=100)]), Planned("c", [web(after=100)]))

    def tell(outcome: Outcome[App]) -> None:
        raise failure

    before = asyncio.all_tasks()
    with pytest.raises(RunAbortedError) as caught:
        await cloud.bulk().start(["a", "b", "c"], wait="all", on_outcome=tell)
    assert caught.value.__cause__ is failure
    report = caught.value.report
    assert statuses(report) == [OK, UNVERIFIED, UNVERIFIED]
    check(report, cloud, ["a", "b", "c"])
    assert asyncio.all_tasks() == before
    del caught
    gc.collect()
    assert complaints == []


@virtual
async def test_a_task_that_is_cancelled_while_polls_are_under_way_leaves_nothing_behind() -> None:
    cloud = Cloud(*(f"app-{n}" for n in range(450)), latency=3)
    keys = list(cloud.apps)
    before = asyncio.all_tasks()
    for seconds in (1, 4, 8, 9, 10, 11, 12):
        run = asyncio.create_task(cloud.bulk().start(keys, wait="all", concurrency=200))
        await asyncio.sleep(seconds)
        run.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await run
        assert len(found(caught.value)) == 450
        assert asyncio.all_tasks() == before


# -- whatever happens

LIVES: list[Life] = [
    up(0.5),
    up(7),
    up(10_000),
    CRASHING,
    ((0.0, "DOWN"),),
    ((0.0, "STARTING"), (2.0, "CRASHED"), (9.0, "STARTING"), (12.0, "RUNNING")),
    ((0.0, "RUNNING"), (6.0, "STOPPING")),
    ((0.0, "NEW-STATE"),),
]
ANSWERS: list[Answer | BaseException] = [
    RUNNER,
    refusal(422, "CF-UnprocessableEntity", 10008, "memory quota_exceeded"),
    refusal(422, "CF-UnprocessableEntity", 10008, "Assign a droplet"),
    refusal(403, "CF-SpaceSuspended", 10019),
    refusal(404, "CF-ResourceNotFound", 10010),
    refusal(500, "UnknownError"),
    DisconnectedError("the connection broke"),
    Answer(502, b"bad gateway"),
    Answer(200, b"{"),
]

one_app = st.builds(
    dict,
    lives=st.lists(st.sampled_from(LIVES), max_size=3),
    answers=st.lists(st.sampled_from(ANSWERS), max_size=3),
    lost=st.integers(0, 2),
    repaired_after=st.none() | st.just(20.0),
    state=st.sampled_from(["STOPPED", "STARTED"]),
    space=st.sampled_from(["space-1", "space-2"]),
    deleted=st.none() | st.integers(0, 30),
    stopped=st.none() | st.integers(0, 30),
)


@settings(max_examples=150, deadline=None)
@given(
    apps=st.lists(one_app, max_size=8),
    action=st.sampled_from(["start", "stop", "restart"]),
    wait=st.sampled_from(["any", "all", "routable"]),
    options=st.fixed_dictionaries(
        {},
        optional={
            "deadline": st.sampled_from([0.5, 20.0, 70.0]),
            "max_failures": st.integers(1, 3),
            "max_starting": st.integers(1, 3),
            "max_starting_mb": st.integers(50, 200),
            "skip_unchanged": st.booleans(),
            "concurrency": st.integers(1, 4),
        },
    ),
    polls=st.lists(st.sampled_from([None, *ANSWERS]), max_size=12),
    embeds=st.sampled_from(["yes", "refused", "ignored"]),
    end=st.none() | st.tuples(st.sampled_from(["cancel", "stop", "raise"]), st.integers(0, 60)),
)
def test_every_app_has_exactly_one_outcome(**story: Any) -> None:
    run_virtual(_live(**story))


async def _live(
    *,
    apps: list[dict[str, Any]],
    action: Any,
    wait: Any,
    options: dict[str, Any],
    polls: list[Any],
    embeds: str,
    end: tuple[str, int] | None,
) -> None:
    cloud = _cloud(apps, embeds)
    answers = iter(polls)
    cloud.meddlers.append(lambda seen: next(answers, None) if seen.method == "GET" else None)
    told: list[str] = []

    def tell(outcome: Outcome[App]) -> None:
        told.append(outcome.key)
        if end is not None and end[0] == "raise" and len(told) > end[1] % 4:
            raise ZeroDivisionError

    keys, planned = list(cloud.apps), list(cloud.apps.values())
    run = cloud.bulk(RetryPolicy(attempts=2, base=0)).stream(
        action, keys, wait=wait, startup_timeout=60, crash_grace=10, on_outcome=tell, **options
    )
    task = asyncio.create_task(run.run())
    if end is not None and end[0] != "raise":
        finish = task.cancel if end[0] == "cancel" else lambda: run.stop("no more", grace=5)
        asyncio.get_running_loop().call_later(end[1] + 0.1, finish)
    began = now()
    (result,) = await asyncio.gather(task, return_exceptions=True)
    assert result is None or isinstance(result, asyncio.CancelledError | RunAbortedError)
    if "deadline" in options:
        assert now() - began <= options["deadline"]
    check(run.report, cloud, keys)
    if not isinstance(result, RunAbortedError):
        assert sorted(told) == sorted(keys)
    for outcome in run.report:
        _check_true(cloud, outcome)
    assert action != "restart" or all(app.done <= 1 for app in planned)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def _cloud(apps: list[dict[str, Any]], embeds: str) -> Cloud:
    cloud = Cloud(embeds=embeds)
    for number, drawn in enumerate(apps):
        fields = dict(drawn)
        lives, deleted, stopped = (fields.pop(one) for one in ("lives", "deleted", "stopped"))
        planned = Planned(f"app-{number}", [Kind(lives)], **fields)
        cloud.apps[planned.guid] = planned
        if planned.state == "STARTED":
            planned.began = now() - 100
        loop = asyncio.get_running_loop()
        if deleted is not None:
            loop.call_later(deleted + 0.3, cloud.apps.pop, planned.guid)
        if stopped is not None:
            loop.call_later(stopped + 0.7, set_state, planned, "STOPPED")
    return cloud


def _check_true(cloud: Cloud, outcome: Outcome[App]) -> None:
    """Nothing is told of an app that the platform knows better."""
    posts = cloud.count("POST", f"/{outcome.key}/actions/")
    if outcome.status is ALREADY:
        assert posts == 0
    if outcome.status is NOT_ATTEMPTED:
        assert outcome.started_at is None
        assert outcome.error is not None
    if outcome.status is OK:
        assert posts >= 1
        assert outcome.value is not None
        assert outcome.time_to_running is not None
    moments = [outcome.time_to_first_instance, outcome.time_to_running, outcome.duration]
    known = [moment for moment in moments if moment is not None]
    assert known == sorted(known)
