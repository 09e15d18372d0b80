"""Start, stop and restart of each app in a run: checks, requests and outcomes."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from aioappsapi import (
    Client,
    ConnectError,
    CrashedError,
    DeadlineError,
    InvalidInputError,
    PasswordGrant,
    RetryPolicy,
    ServerError,
    Status,
    UnprocessableError,
)
from aioappsapi.auth.base import Token
from aioappsapi.errors import AuthError
from aioappsapi.sandbox import Faults, Sandbox
from tests.clients import statuses
from tests.cloud import CRASHING, RUNNER, Cloud, Planned, now, set_state, up, web
from tests.fakes import FakeAuth, Time, virtual
from tests.replay import ONE_TRY, Answer, Seen, refusal

OK, ALREADY, FAILED, TIMED_OUT = Status.OK, Status.ALREADY, Status.FAILED, Status.TIMED_OUT
UNVERIFIED, NOT_ATTEMPTED = Status.UNVERIFIED, Status.NOT_ATTEMPTED

QUOTA = refusal(422, "CF-UnprocessableEntity", 10008, "memory quota_exceeded")
NO_DROPLET = refusal(422, "CF-UnprocessableEntity", 10008, "Assign a droplet before starting.")
BUSY = refusal(503, "CF-ServiceUnavailable", 10015)


def posts(cloud: Cloud) -> list[str]:
    return [seen.path.split("/")[3] for seen in cloud.seen if seen.method == "POST"]


# -- what is as asked already


@pytest.mark.parametrize(("action", "state"), [("start", "STARTED"), ("stop", "STOPPED")])
@virtual
async def test_apps_in_the_requested_state_are_skipped(action: str, state: str) -> None:
    other = "STOPPED" if state == "STARTED" else "STARTED"
    cloud = Cloud(Planned("a", state=state), Planned("b", state=other))
    report = await getattr(cloud.bulk(), action)(["a", "b"])
    assert statuses(report) == [ALREADY, OK]
    assert posts(cloud) == ["b"]
    assert report.ok
    already = report[0]
    assert (already.name, already.attempts, already.started_at) == ("name-of-a", 0, None)
    assert already.value is None  # nothing was called
    assert report.requests.sent == len(cloud.seen) == 2


@virtual
async def test_a_restart_is_never_skipped() -> None:
    cloud = Cloud(Planned("a", state="STARTED"))
    assert statuses(await cloud.bulk().restart(["a"])) == [OK]
    assert [seen.method for seen in cloud.seen] == ["POST"]


@virtual
async def test_skip_unchanged_false_sends_the_request_anyway() -> None:
    cloud = Cloud(Planned("a", state="STARTED"))
    assert statuses(await cloud.bulk().start(["a"], skip_unchanged=False)) == [OK]
    assert [seen.method for seen in cloud.seen] == ["POST"]


@virtual
async def test_apps_whose_state_cannot_be_read_are_sent_anyway() -> None:
    cloud = Cloud(Planned("a", state="STARTED"), "b")
    cloud.meddlers.append(
        lambda seen: refusal(500, "UnknownError") if seen.path == "/v3/apps" else None
    )
    assert statuses(await cloud.bulk(ONE_TRY).start(["a", "b", "gone"])) == [OK, OK, FAILED]
    assert posts(cloud) == ["a", "b", "gone"]


@virtual
async def test_with_wait_already_apps_are_verified() -> None:
    apps = [Planned(guid, [kind]) for guid, kind in (("well", web()), ("ill", web(CRASHING)))]
    cloud = Cloud(*apps, Planned("slow", [web(after=640)]))
    for app in cloud.apps.values():
        set_state(app, "STARTED")
    await asyncio.sleep(600)
    report = await cloud.bulk().start(list(cloud.apps), wait="all")
    assert statuses(report) == [ALREADY, FAILED, ALREADY]
    assert isinstance(report[1].error, CrashedError)
    assert report[2].time_to_running is None, "it did not take anything from here"
    assert posts(cloud) == []


@virtual
async def test_a_stopped_app_with_instances_left_is_waited_for() -> None:
    cloud = Cloud(Planned("a", shutdown=30))
    set_state(cloud.apps["a"], "STARTED")
    await asyncio.sleep(5)
    set_state(cloud.apps["a"], "STOPPED")
    assert statuses(await cloud.bulk().stop(["a"], wait="all")) == [ALREADY]
    assert now() >= 1_035


# -- the second round


@pytest.mark.parametrize(
    "first", [QUOTA, BUSY, ConnectError("refused")], ids=["quota", "503", "tcp"]
)
@virtual
async def test_failures_without_effect_are_retried_at_the_end(first: Any) -> None:
    cloud = Cloud(Planned("a", answers=[first]), "b", "c")
    report = await cloud.bulk(ONE_TRY).start(["a", "b", "c"], concurrency=1)
    assert statuses(report) == [OK, OK, OK]
    assert posts(cloud) == ["a", "b", "c", "a"]
    assert report[0].attempts == 2
    assert report.requests.retried == 1


@virtual
async def test_there_is_only_one_second_round() -> None:
    cloud = Cloud(Planned("a", answers=[QUOTA] * 9), "b")
    report = await cloud.bulk().start(["a", "b"], concurrency=1)
    assert statuses(report) == [FAILED, OK]
    assert posts(cloud) == ["a", "b", "a"]
    assert isinstance(report[0].error, UnprocessableError)


@pytest.mark.parametrize(
    "first",
    [NO_DROPLET, refusal(403, "CF-NotAuthorized", 10003), RUNNER],
    ids=["422", "403", "503"],
)
@virtual
async def test_a_final_or_ambiguous_failure_gets_no_second_round(first: Any) -> None:
    cloud = Cloud(Planned("a", answers=[first]), "b")
    report = await cloud.bulk(ONE_TRY).start(["a", "b"], concurrency=1)
    assert statuses(report) == [FAILED, OK]
    assert posts(cloud) == ["a", "b"]


@virtual
async def test_a_restart_that_a_quota_refused_is_retried_too() -> None:
    cloud = Cloud(Planned("a", answers=[QUOTA]), "b")
    assert statuses(await cloud.bulk().restart(["a", "b"], concurrency=1)) == [OK, OK]


@virtual
async def test_a_login_that_fails_for_a_moment_gets_a_second_round() -> None:
    cloud = Cloud("a", "b")
    away = [AuthError("the UAA is away", refused=False)] * 2
    auth = FakeAuth(*away, Token(access_token="t"))
    caller = cloud.wire.caller(retry=ONE_TRY, auth=auth)
    bulk = type(cloud.bulk())(caller, target="-", ceiling=9)
    assert statuses(await bulk.start(["a", "b"], concurrency=1)) == [OK, OK]


@virtual
async def test_apps_that_wait_for_the_second_round_count_for_max_failures() -> None:
    cloud = Cloud(*(Planned(f"app-{n}", answers=[QUOTA] * 9) for n in range(10)))
    report = await cloud.bulk().start(list(cloud.apps), concurrency=1, max_failures=3)
    assert statuses(report) == [FAILED] * 3 + [NOT_ATTEMPTED] * 7
    assert {type(outcome.error) for outcome in report[:3]} == {UnprocessableError}
    assert len(posts(cloud)) == 3, "a run that is stopping begins no second round"
    assert report.stopped is not None


@virtual
async def test_a_stopped_run_has_no_second_round() -> None:
    cloud = Cloud(Planned("a", answers=[QUOTA]), "b", "c")
    bulk = cloud.bulk()
    async with bulk.stream("start", ["a", "b", "c"], concurrency=1) as outcomes:
        async for outcome in outcomes:
            assert outcome.key == "b" or outcomes.stopping
            outcomes.stop("enough")
    assert outcomes.report[0].status is FAILED
    assert isinstance(outcomes.report[0].error, UnprocessableError)
    assert posts(cloud).count("a") == 1


@virtual
async def test_an_app_that_the_second_round_proves_is_ok() -> None:
    cloud = Cloud(Planned("a", [web(after=5)], answers=[QUOTA]), "b")
    report = await cloud.bulk().start(["a", "b"], wait="all", concurrency=1)
    assert statuses(report) == [OK, OK]
    assert report[0].time_to_running is not None


@virtual
async def test_a_deadline_before_the_second_round_keeps_the_first_outcome() -> None:
    cloud = Cloud(Planned("a", answers=[QUOTA] * 9), Planned("b", [web(after=500)]))
    report = await cloud.bulk().start(["a", "b"], wait="all", deadline=60, max_starting=1)
    assert statuses(report) == [FAILED, TIMED_OUT]
    assert isinstance(report[0].error, UnprocessableError)
    assert posts(cloud) == ["a", "b"], "the second try was held back until the end"


@virtual
async def test_a_second_attempt_in_flight_at_the_deadline_may_have_taken_effect() -> None:
    cloud = Cloud(Planned("a", answers=[QUOTA]), "b")
    answer = cloud._answer

    async def hang_at_the_second(seen: Seen) -> Answer:
        if posts(cloud).count("a") == 2:
            await asyncio.Event().wait()
        return await answer(seen)

    cloud.wire._answering = hang_at_the_second
    report = await cloud.bulk().start(["a", "b"], deadline=60)
    assert statuses(report) == [TIMED_OUT, OK]


# -- what failed and may have happened


@virtual
async def test_a_false_200_counts_only_when_instances_come_up() -> None:
    cloud = Cloud(Planned("a", lost=1, repaired_after=30), Planned("b", lost=1), "c")
    report = await cloud.bulk().start(["a", "b", "c"], wait="all", startup_timeout=90)
    assert statuses(report) == [OK, TIMED_OUT, OK]
    assert isinstance(report[1].error, DeadlineError)
    assert "DOWN" in str(report[1].error)
    assert [outcome.attempts for outcome in report] == [2, 2, 1]


@virtual
async def test_without_wait_a_false_200_is_unverified() -> None:
    cloud = Cloud(Planned("a", lost=1, repaired_after=0))
    assert statuses(await cloud.bulk().start(["a"])) == [UNVERIFIED]


@pytest.mark.parametrize("action", ["start", "stop"])
@virtual
async def test_a_look_may_prove_an_app_after_its_last_attempt(action: str) -> None:
    cloud = Cloud(
        Planned("a", lost=9, repaired_after=25),
        Planned("b", lost=9),
        Planned("c", answers=[RUNNER] * 9),
    )
    if action == "stop":
        for app in cloud.apps.values():
            set_state(app, "STARTED")
        await asyncio.sleep(10)
    began = now()
    report = await getattr(cloud.bulk(RetryPolicy(attempts=2, base=0)), action)(
        list(cloud.apps), wait="all"
    )
    assert statuses(report) == [OK, FAILED, FAILED]
    assert report[0].value is not None
    assert (report[0].error, report[0].name) == (None, "name-of-a")
    for outcome in report[1:]:
        assert isinstance(outcome.error, ServerError)
        assert outcome.error.title == "CF-RunnerUnavailable"
    assert 45 <= now() - began <= 47


@virtual
async def test_an_ambiguous_attempt_is_verified_whatever_failed_last() -> None:
    """The first try is written down, and the others meet a server that is busy."""
    cloud = Cloud(Planned("a", answers=[BUSY] * 9), "b")
    cloud.meddlers.append(committed_at_first(cloud, "a"))
    report = await cloud.bulk(RetryPolicy(attempts=2, base=0)).start(["a", "b"], wait="all")
    assert statuses(report) == [OK, OK]
    assert posts(cloud).count("a") == 2, "the second round looks before it asks again"

    cloud = Cloud(Planned("a", answers=[BUSY] * 9))
    cloud.meddlers.append(committed_at_first(cloud, "a"))
    app = await cloud.apps_on(RetryPolicy(attempts=2, base=0)).start("a", wait="all")
    assert app.state == "STARTED"


def committed_at_first(cloud: Cloud, guid: str) -> Any:
    def meddle(seen: Seen) -> Answer | None:
        if seen.method != "POST" or f"/{guid}/" not in seen.path or posts(cloud).count(guid) != 1:
            return None
        set_state(cloud.apps[guid], "STARTED", delay=10)
        return RUNNER

    return meddle


@virtual
async def test_running_instances_do_not_prove_a_failed_restart() -> None:
    cloud = Cloud(Planned("a", answers=[RUNNER]))
    set_state(cloud.apps["a"], "STARTED")
    report = await cloud.bulk().restart(["a"], wait="all")
    assert statuses(report) == [FAILED]
    assert len(cloud.seen) == 1


# -- the start limiter


@virtual
async def test_max_starting_bounds_the_starting_instances() -> None:
    cloud = Cloud(*(Planned(f"app-{n}", [web(after=4, count=2)]) for n in range(30)))
    bulk = cloud.bulk()
    report = await bulk.start(list(cloud.apps), wait="all", max_starting=8)
    assert report.ok
    begun = sorted(app.began for app in cloud.apps.values() if app.began is not None)
    for moment in begun:
        assert sum(2 for other in begun if other <= moment < other + 4) <= 8


@virtual
async def test_a_first_crash_slows_down_later_starts() -> None:
    once = ((0.0, "STARTING"), (4.0, "CRASHED"), (30.0, "STARTING"), (34.0, "RUNNING"))
    apps = [Planned(f"app-{n}", [web(once if n < 4 else up(4))]) for n in range(12)]
    cloud = Cloud(*apps)
    bulk = cloud.bulk()
    report = await bulk.start(list(cloud.apps), wait="all", max_starting=6, crash_grace=600)
    assert report.ok
    begun = sorted(app.began or 0.0 for app in apps)
    # Four are crashed and keep their places, of which only three are left: the rest waits.
    late = [moment for moment in begun if moment > begun[0] + 10]
    assert len(late) >= 4
    assert min(late) >= begun[0] + 34


@virtual
async def test_a_stop_is_not_held_back() -> None:
    cloud = Cloud(*(Planned(f"app-{n}", shutdown=20) for n in range(9)))
    for app in cloud.apps.values():
        set_state(app, "STARTED")
    report = await cloud.bulk().stop(list(cloud.apps), wait="all", max_starting=1)
    assert report.ok
    assert now() < 1_040


@virtual
async def test_the_memory_that_is_starting_is_bounded_in_the_second_round_as_well() -> None:
    cloud = Cloud(
        *(Planned(f"app-{n}", [web(after=9, memory=600)], answers=[QUOTA]) for n in range(3))
    )
    report = await cloud.bulk().start(list(cloud.apps), wait="all", max_starting_mb=1_000)
    assert report.ok
    begun = sorted(app.began for app in cloud.apps.values() if app.began is not None)
    assert all(later - earlier >= 9 for earlier, later in pairwise(begun))


@virtual
async def test_a_stopped_run_starts_nothing_that_was_held_back() -> None:
    cloud = Cloud(*(Planned(f"app-{n}", [web(after=10)]) for n in range(6)))
    run = cloud.bulk().stream(
        "start",
        list(cloud.apps),
        wait="all",
        max_starting=1,
        on_outcome=lambda _: run.stop("the operator said so"),
    )
    await run.run()
    assert sorted(statuses(run.report)) == [NOT_ATTEMPTED] * 5 + [OK]
    (spared, *_) = [one for one in run.report if one.status is NOT_ATTEMPTED]
    assert "the operator said so" in str(spared.error)
    assert len(posts(cloud)) == 1


@virtual
async def test_apps_held_back_are_counted_apart_from_those_in_flight() -> None:
    cloud = Cloud(*(Planned(f"app-{n}", [web(after=10)]) for n in range(9)), latency=0.1)
    run = cloud.bulk().stream(
        "start", list(cloud.apps), wait="all", concurrency=6, max_starting=2, max_failures=9
    )
    async with run:
        await asyncio.sleep(0.25)  # two lists of 0.1 s each, then the first requests
        assert (run.in_flight, run.held, run.waiting) == (2, 4, 0)
        await asyncio.sleep(0.2)
        assert (run.in_flight, run.held, run.waiting) == (0, 6, 2)
    assert {outcome.status for outcome in run.report} == {NOT_ATTEMPTED, UNVERIFIED}


@virtual
async def test_an_app_held_back_in_the_second_round_keeps_its_first_outcome() -> None:
    cloud = Cloud(*(Planned(f"app-{n}", [web(after=40)], answers=[QUOTA]) for n in range(2)))
    report = await cloud.bulk().start(list(cloud.apps), wait="all", max_starting=1, deadline=20)
    assert statuses(report) == [TIMED_OUT, FAILED]
    assert isinstance(report[1].error, UnprocessableError)
    assert report[1].attempts == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"wait": "some"},
        {"max_starting": 0, "wait": "all"},
        {"max_starting": 5},
        {"max_starting_mb": 5},
        {"max_starting": 2.5, "wait": "all"},
        {"max_starting_mb": "5", "wait": "all"},
        {"deadline": "5"},
        {"crash_grace": -1, "wait": "all"},
        {"startup_timeout": 0, "wait": "all"},
    ],
    ids=repr,
)
@virtual
async def test_bad_settings_are_refused_before_anything_is_sent(bad: dict[str, Any]) -> None:
    cloud = Cloud("a")
    with pytest.raises(InvalidInputError, match=next(iter(bad))):
        await cloud.bulk().start(["a"], **bad)
    assert cloud.seen == []


@virtual
async def test_a_broken_startup_timeout_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud = Cloud(Planned("a", [web(up(1))]))
    monkeypatch.setenv("CF_STARTUP_TIMEOUT", "soon")
    with pytest.raises(InvalidInputError, match="CF_STARTUP_TIMEOUT"):
        await cloud.bulk().start(["a"], wait="all")
    assert cloud.seen == []
    assert statuses(await cloud.bulk().start(["a"])) == [OK], "nobody waits, nobody cares"


# -- with a journal, over real sockets


class Steps:
    """A sleep of the client that moves the sandbox's clock on, and takes no time."""

    def __init__(self, time: Time) -> None:
        self.time = time

    async def __call__(self, seconds: float) -> None:
        self.time.now += seconds
        await asyncio.sleep(0)


def client(cloud: Sandbox, time: Time) -> Client:
    made = Client(cloud.url, auth=PasswordGrant("admin", "admin"), retry=ONE_TRY)
    made.apps._caller.sleep = Steps(time)
    return made


def actions(cloud: Sandbox) -> list[str]:
    return [
        request.path_qs.split("/")[3]
        for request in cloud.requests
        if request.method == "POST" and "/actions/" in request.path_qs
    ]


def doubtful(path: Path, cloud: Sandbox, action: str, *guids: str) -> None:
    """Write the journal of a run that was killed with these apps in flight."""
    head = (
        f'{{"schema":2,"action":"{action}","target":"{cloud.url}",'
        '"started_at":"2026-01-01T00:00:00Z"}'
    )
    lines = [head, '["resumed","none",0]', *(f'["sending","{guid}",0]' for guid in guids)]
    path.write_text("\n".join(lines) + "\n")


async def test_apps_in_flight_are_proved_by_waiting_and_not_sent_again(tmp_path: Path) -> None:
    time, path = Time(), tmp_path / "run.journal"
    cloud = Sandbox(3, faults=Faults(startup=10), clock=time)
    async with cloud, client(cloud, time) as cf:
        first, second, third = cloud.apps
        for guid in (first, second):
            cloud.apps[guid].state = "STARTED"
            cloud.world.fleet.launch(cloud.apps[guid])
        doubtful(path, cloud, "start", first, third)
        report = await cf.bulk.start(list(cloud.apps), wait="all", journal=path, resume=True)
        assert statuses(report) == [OK, ALREADY, OK]
        assert actions(cloud) == [third]
        assert all(cloud.running(guid) for guid in cloud.apps)


async def test_a_restart_in_flight_stays_unverified_although_the_app_runs(tmp_path: Path) -> None:
    time, path = Time(), tmp_path / "run.journal"
    cloud = Sandbox(2, started=True, clock=time)
    async with cloud, client(cloud, time) as cf:
        first, second = cloud.apps
        doubtful(path, cloud, "restart", first)
        report = await cf.bulk.restart([first, second], wait="all", journal=path, resume=True)
        assert statuses(report) == [UNVERIFIED, OK]
        assert actions(cloud) == [second]


async def test_apps_that_waiting_proved_are_done_for_a_resumed_run(tmp_path: Path) -> None:
    time, path = Time(), tmp_path / "run.journal"
    cloud = Sandbox(4, faults=Faults(startup=3), clock=time)
    async with cloud, client(cloud, time) as cf:
        guids = list(cloud.apps)
        report = await cf.bulk.start(guids, wait="all", journal=path)
        assert statuses(report) == [OK] * 4
        before = len(cloud.requests)
        again = await cf.bulk.start(guids, wait="all", journal=path, resume=True)
        assert statuses(again) == [OK] * 4
        assert len(cloud.requests) == before


async def test_apps_in_the_requested_state_get_no_audit_event() -> None:
    time = Time()
    cloud = Sandbox(50, started=True, clock=time)
    async with cloud, client(cloud, time) as cf:
        report = await cf.bulk.start(list(cloud.apps), wait="all")
    assert statuses(report) == [ALREADY] * 50
    assert {request.method for request in cloud.requests if "/v3/" in request.path_qs} == {"GET"}


async def test_every_outcome_agrees_with_the_sandbox() -> None:
    time = Time()
    faults = Faults(startup=5, crash=0.1, crash_once=0.1, without_droplet=0.05, readiness=2)
    cloud = Sandbox(300, seed=3, faults=faults, clock=time)
    async with cloud, client(cloud, time) as cf:
        report = await cf.bulk.start(
            list(cloud.apps), wait="routable", crash_grace=0, concurrency=20
        )
        for outcome in report:
            assert (outcome.status is OK) <= cloud.running(outcome.key)
        assert report.counts["ok"] > 200
        crashed = [one for one in report if isinstance(one.error, CrashedError)]
        assert len(crashed) > 20
        assert report.counts["ok"] + report.counts["failed"] == 300
        assert report.requests.sent == sum("/v3/" in request.path_qs for request in cloud.requests)
