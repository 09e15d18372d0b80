"""The waiter polls many apps with one request. The clock is virtual."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import anyio
import pytest

from aioappsapi import (
    AppsApiError,
    CrashedError,
    DeadlineError,
    DisconnectedError,
    NotFoundError,
    NotRunningError,
    PlacementError,
    ServerError,
    UnverifiedError,
)
from aioappsapi.api.apps import readers_of
from aioappsapi.errors import AuthError, TargetError
from aioappsapi.waiting.finding import Finding, Proof
from aioappsapi.waiting.waiter import Waiter
from tests.cloud import CRASHING, Cloud, Kind, Planned, now, set_state, states_of, up, web
from tests.fakes import virtual
from tests.replay import AT_ONCE, Answer, Seen, refusal, reply

LOST = ServerError("start a: 503", status=503)


class Watch:
    """A waiter over a cloud whose apps were all started, or stopped, just now."""

    def __init__(
        self, cloud: Cloud, wait: Any = "all", *, until_stopped: bool = False, **options: Any
    ):
        self.cloud = cloud
        self.began = now()
        self.until_stopped = until_stopped
        self.findings: list[Finding] = []
        self.times: dict[str, float] = {}
        self.waiter = Waiter(
            readers_of(cloud.wire.caller(retry=AT_ONCE)),
            wait,
            until_stopped=until_stopped,
            **options,
        )

    def start(self, *guids: str) -> None:
        for guid in guids or list(self.cloud.apps):
            set_state(self.cloud.apps[guid], "STOPPED" if self.until_stopped else "STARTED")

    def add(self, *guids: str, patience: float = 300.0, doubt: Any = None) -> None:
        for guid in guids or list(self.cloud.apps):
            self.waiter.watch(
                guid, f"start {guid}", sent_at=now(), ends_at=now() + patience, doubt=doubt
            )

    def on_finding(self, finding: Finding) -> None:
        self.findings.append(finding)
        self.times[finding.key] = now() - self.began

    async def run(self) -> dict[str, AppsApiError | None]:
        self.waiter.complete()
        await self.waiter.run(self.on_finding)
        assert self.waiter.waiting == 0
        errors = {finding.key: finding.error for finding in self.findings}
        assert len(errors) == len(self.findings), "each has one finding"
        return errors


async def waited(
    cloud: Cloud, wait: Any = "all", patience: float = 300.0, **options: Any
) -> tuple[Watch, dict[str, AppsApiError | None]]:
    watch = Watch(cloud, wait, **options)
    watch.start()
    watch.add(patience=patience)
    return watch, await watch.run()


async def error_of(cloud: Cloud, wait: Any = "all", **options: Any) -> Any:
    _, errors = await waited(cloud, wait, **options)
    (error,) = errors.values()
    return error


def between(first: float, last: float, answer: Answer | BaseException) -> Callable[[Seen], Any]:
    """Answer the polls of a time like this."""
    begin = now()

    def meddle(seen: Seen) -> Answer | BaseException | None:
        within = first <= now() - begin < last
        return answer if within and seen.path == "/v3/processes" else None

    return meddle


# -- coming up, going down


@virtual
async def test_each_app_is_reported_when_it_runs() -> None:
    cloud = Cloud(Planned("a", [web(after=2)]), Planned("b", [web(after=20)]))
    watch, errors = await waited(cloud)
    assert errors == {"a": None, "b": None}
    assert 2 <= watch.times["a"] <= 2 + 5.5
    assert 20 <= watch.times["b"] <= 20 + 5.5


@virtual
async def test_times_come_from_the_instances_and_not_from_the_polls() -> None:
    cloud = Cloud(Planned("a", [web(up(12), up(21))]))
    watch, _ = await waited(cloud)
    (finding,) = watch.findings
    assert finding.first_at is not None
    assert finding.all_at is not None
    # The server tells whole seconds.
    assert 12 <= finding.first_at - watch.began <= 13
    assert 21 <= finding.all_at - watch.began <= 22


@virtual
async def test_any_waits_for_one_instance_of_each_process() -> None:
    never = ((0.0, "STARTING"),)
    cloud = Cloud(Planned("a", [web(up(2), never), Kind([up(6), never], "worker")]))
    watch, errors = await waited(cloud, "any")
    assert errors == {"a": None}
    assert watch.times["a"] >= 6
    assert isinstance(await error_of(cloud, "all", patience=30), DeadlineError)


@virtual
async def test_an_app_without_instances_to_wait_for_is_proved_by_the_first_poll() -> None:
    cloud = Cloud(
        Planned("zero", [web(wanted=0)]),
        Planned("worker", [web(wanted=0), Kind([up(0.5)], "worker")]),
    )
    watch, errors = await waited(cloud)
    assert errors == {"zero": None, "worker": None}
    assert cloud.count("GET", "") == 1
    assert {one.key: one.first_at is None for one in watch.findings} == {
        "zero": True,
        "worker": False,
    }


@virtual
async def test_an_app_that_is_scaled_to_zero_while_it_starts_is_proved() -> None:
    cloud = Cloud(Planned("a", [web(after=1_000)]))
    cloud.at(10, lambda app: setattr(app.processes[0], "wanted", 0), "a")
    assert await error_of(cloud) is None


@virtual
async def test_both_web_processes_of_a_rolling_deployment_count() -> None:
    old, new = web(up(1)), web(up(15), number=2)
    watch, errors = await waited(Cloud(Planned("a", [old, new])))
    assert errors == {"a": None}
    assert watch.times["a"] >= 15
    crashes = await error_of(Cloud(Planned("a", [old, web(CRASHING, number=2)])))
    assert isinstance(crashes, CrashedError)
    assert "1 RUNNING" in str(crashes)


@virtual
async def test_a_stopped_app_is_proved_when_no_instance_is_left() -> None:
    cloud = Cloud(Planned("a", shutdown=8), Planned("b", shutdown=0))
    watch = Watch(cloud, until_stopped=True)
    for app in cloud.apps.values():
        set_state(app, "STARTED")
    await asyncio.sleep(10)
    watch.start()
    watch.add()
    assert await watch.run() == {"a": None, "b": None}
    assert watch.times["a"] - watch.times["b"] > 6


@virtual
async def test_routable_waits_until_all_instances_get_requests() -> None:
    cloud = Cloud(Planned("a", [web(after=1, routable_after=9), web(wanted=0, number=2)]))
    watch, errors = await waited(cloud, "routable")
    assert errors == {"a": None}
    assert watch.times["a"] >= 10
    never = Cloud(Planned("a", [web(after=1, routable_after=1_000)]))
    error = await error_of(never, "routable", patience=20)
    assert "not routable yet" in str(error)


@virtual
async def test_running_is_enough_if_the_server_does_not_know_routable() -> None:
    def silent(seen: Seen) -> Answer | None:
        stat = {"type": "web", "index": 0, "state": "RUNNING", "routable": None}
        return reply({"resources": [stat]}) if "stats" in seen.path else None

    cloud = Cloud("a")
    cloud.meddlers.append(silent)
    assert await error_of(cloud, "routable") is None


@virtual
async def test_stats_that_fail_are_read_again_with_the_next_poll() -> None:
    failures = [refusal(503, "CF-StatsUnavailable", 200002)] * 3
    cloud = Cloud("a")
    cloud.meddlers.append(
        lambda seen: failures.pop() if failures and "stats" in seen.path else None
    )
    assert await error_of(cloud, "routable") is None
    assert failures == []


# -- only new instances


async def restarted(*, sent_ago: float, up_ago: float, **options: Any) -> Finding:
    """Wait for an app whose instance came up `up_ago` seconds before the wait began."""
    cloud = Cloud(Planned("a", [web(after=0)]))
    watch = Watch(cloud, only_new=True, **options)
    watch.start()
    await asyncio.sleep(up_ago)
    sent_at = now() - sent_ago
    watch.waiter.watch("a", "restart a", sent_at=sent_at, ends_at=now() + 60)
    await watch.run()
    (finding,) = watch.findings
    return finding


@virtual
async def test_an_instance_that_came_up_after_the_request_counts_however_old_it_is() -> None:
    for up_ago in (0.0, 50.0, 599.0):
        began = now()
        finding = await restarted(sent_ago=600, up_ago=up_ago)
        assert finding.proof is Proof.PROVED
        assert now() - began - up_ago < 2, "the first poll proves it"
        assert finding.all_at is not None
        assert finding.all_at >= began - 600


@virtual
async def test_an_instance_that_came_up_before_the_request_never_counts() -> None:
    for sent_ago in (0.0, 50.0):
        finding = await restarted(sent_ago=sent_ago, up_ago=sent_ago + 5)
        assert (finding.proof, finding.late) == (Proof.UNPROVED, True)
        assert "1 STOPPING of 1" in str(finding.error)


@virtual
async def test_the_time_of_the_request_may_lie_before_the_clock_began() -> None:
    assert (await restarted(sent_ago=50_000, up_ago=20_000)).proof is Proof.PROVED


# -- what a finding says


@virtual
async def test_a_finding_is_proved_disproved_or_unproved() -> None:
    cloud = Cloud(
        Planned("runs"),
        Planned("crashes", [web(CRASHING)]),
        Planned("deleted", [web(after=100)]),
        Planned("stopped", [web(after=100)]),
        Planned("slow", [web(after=1_000)]),
        Planned("no-room", [web(((0.0, "DOWN"),), details="insufficient resources: memory")]),
    )
    cloud.forget("deleted", 5)
    cloud.at(5, lambda app: set_state(app, "STOPPED"), "stopped")
    watch, _ = await waited(cloud)
    disproved = dict.fromkeys(("crashes", "deleted", "stopped", "no-room"), Proof.DISPROVED)
    assert {finding.key: finding.proof for finding in watch.findings} == disproved | {
        "runs": Proof.PROVED,
        "slow": Proof.UNPROVED,
    }
    assert {finding.key for finding in watch.findings if finding.late} == {"slow"}


@virtual
async def test_an_app_whose_instances_cannot_be_read_is_unproved_but_not_late() -> None:
    cloud = Cloud("a")
    cloud.meddlers.append(between(0, 1_000, refusal(403, "CF-NotAuthorized", 10003)))
    watch, _ = await waited(cloud)
    (finding,) = watch.findings
    assert (finding.proof, finding.late) == (Proof.UNPROVED, False)


# -- what goes wrong with apps


@virtual
async def test_an_app_may_crash_once() -> None:
    life = ((0.0, "STARTING"), (2.0, "CRASHED"), (10.0, "STARTING"), (14.0, "RUNNING"))
    assert await error_of(Cloud(Planned("a", [web(life)]))) is None


@virtual
async def test_a_crash_beyond_the_grace_is_final_and_says_why() -> None:
    cloud = Cloud(Planned("a", [web(CRASHING, up(1), details="Exited with status 137")]))
    watch, errors = await waited(cloud, crash_grace=20)
    error = errors["a"]
    assert isinstance(error, CrashedError)
    assert error.details == "Exited with status 137"
    assert error.states == ("CRASHED", "RUNNING")
    assert str(error) == (
        "start a: its instances crash (web: 1 CRASHED, 1 RUNNING of 2): Exited with status 137."
    )
    assert 22 <= watch.times["a"] <= 28
    (asked,) = [seen.target for seen in cloud.seen if "audit_events" in seen.target]
    assert asked == (
        "/v3/audit_events?order_by=-created_at&types=audit.app.process.crash"
        "&target_guids=a&per_page=1"
    )
    assert cloud.count("GET", "/stats") == 0


@virtual
async def test_a_crash_loop_has_one_grace_for_all_its_crashes() -> None:
    life = tuple(
        (7.0 * n + at, state) for n in range(20) for at, state in ((0, "STARTING"), (1, "CRASHED"))
    )
    watch, errors = await waited(Cloud(Planned("a", [web(life)])), crash_grace=20)
    assert isinstance(errors["a"], CrashedError)
    # Now and then a look finds it starting.
    assert 21 <= watch.times["a"] < 70


@virtual
async def test_an_app_that_crashed_long_before_gets_no_grace() -> None:
    cloud = Cloud(Planned("a", [web(CRASHING)]))
    watch = Watch(cloud)
    watch.start()
    await asyncio.sleep(600)
    watch.add()
    errors = await watch.run()
    assert isinstance(errors["a"], CrashedError)
    assert watch.times["a"] - 600 < 2


@pytest.mark.parametrize(
    "answer",
    [
        None,
        refusal(403, "CF-NotAuthorized", 10003),
        refusal(404, "CF-NotFound", 10000),
        refusal(503, "CF-ServiceUnavailable", 10015),
        reply({"pagination": {}, "resources": [{"guid": "e", "data": None}]}),
        reply({"pagination": {}, "resources": [{"guid": "e", "data": {"index": 0}}]}),
        DisconnectedError("the connection broke"),
    ],
    ids=repr,
)
@virtual
async def test_a_crash_whose_reason_cannot_be_read_says_so(answer: Any) -> None:
    cloud = Cloud(*(Planned(f"app-{n}", [web(CRASHING)]) for n in range(20)))
    cloud.meddlers.append(lambda seen: answer if "audit_events" in seen.path else None)
    _, errors = await waited(cloud)
    for error in errors.values():
        assert isinstance(error, CrashedError)
        assert error.details is None
        assert str(error).endswith("(web: 1 CRASHED of 1); the server gives no reason.")
    assert cloud.count("GET", "audit_events") <= 20, "at most one request per app"


@virtual
async def test_a_server_without_audit_events_gets_few_requests_for_them() -> None:
    cloud = Cloud(*(Planned(f"app-{n}", [web(CRASHING)]) for n in range(50)), latency=0.1)
    missing = refusal(404, "CF-NotFound", 10000)
    cloud.meddlers.append(lambda seen: missing if "audit_events" in seen.path else None)
    await waited(cloud)
    assert 1 <= cloud.count("GET", "audit_events") <= 4


@virtual
async def test_a_process_crash_event_with_a_plain_reason_gives_it() -> None:
    cloud = Cloud(Planned("a", [web(CRASHING)]))
    event = {"guid": "e", "data": {"reason": "CRASHED", "exit_description": ""}}
    page = reply({"pagination": {}, "resources": [event]})
    cloud.meddlers.append(lambda seen: page if "audit_events" in seen.path else None)
    assert (await error_of(cloud)).details == "CRASHED"


@pytest.mark.parametrize("details", ["insufficient resources: memory", "found no compatible cell"])
@virtual
async def test_an_instance_without_a_cell_beyond_the_grace_is_final(
    details: str,
) -> None:
    cloud = Cloud(Planned("a", [web(((0.0, "DOWN"),), details=details)]))
    watch, errors = await waited(cloud)
    error = errors["a"]
    assert isinstance(error, PlacementError)
    assert error.details == details
    assert error.states == ("DOWN",)
    assert 30 <= watch.times["a"] <= 60
    assert cloud.count("GET", "/stats") == 1, "nobody asks why before it matters"


@virtual
async def test_an_app_that_gets_a_cell_within_the_grace_is_proved() -> None:
    life = ((0.0, "DOWN"), (25.0, "STARTING"), (27.0, "RUNNING"))
    kind = web(life, details="insufficient resources: memory")
    assert await error_of(Cloud(Planned("a", [kind]))) is None


@virtual
async def test_the_deadline_error_names_the_missing_cell() -> None:
    kind = web(((0.0, "DOWN"),), details="insufficient resources: memory")
    error = await error_of(Cloud(Planned("a", [kind])), crash_grace=1_000, patience=9)
    assert isinstance(error, DeadlineError)
    assert "insufficient resources: memory" in str(error)


@virtual
async def test_a_missing_cell_and_a_crash_of_one_app_are_both_seen() -> None:
    kind = web(CRASHING, ((0.0, "STARTING"), (7.0, "DOWN")))
    cloud = Cloud(Planned("a", [kind]))

    def stats(seen: Seen) -> Answer | None:
        rows = [
            {"index": 0, "state": "CRASHED", "details": None},
            {"index": 1, "state": "DOWN", "details": "insufficient resources: memory"},
        ]
        return reply({"resources": rows}) if "stats" in seen.path else None

    cloud.meddlers.append(stats)
    assert isinstance(await error_of(cloud, crash_grace=1_000, patience=9), DeadlineError)
    error = await error_of(cloud, crash_grace=20)
    assert isinstance(error, CrashedError)
    assert error.states == ("CRASHED", "DOWN")


@virtual
async def test_a_deleted_app_ends_with_the_servers_error() -> None:
    cloud = Cloud(Planned("a", [web(after=100)]), Planned("b", [web(after=30)]))
    cloud.forget("a", 10)
    watch, errors = await waited(cloud)
    assert isinstance(errors["a"], NotFoundError)
    assert errors["a"].__traceback__ is None
    assert errors["b"] is None
    assert watch.times["a"] < 17, "it need not time out"


@virtual
async def test_an_app_that_lost_its_processes_but_exists_times_out() -> None:
    cloud = Cloud(Planned("a", [web(after=100)]))
    cloud.at(5, lambda app: app.processes.clear(), "a")
    error = await error_of(cloud, patience=40)
    assert isinstance(error, DeadlineError)
    assert "no process" in str(error)


@virtual
async def test_an_app_that_the_server_cannot_look_up_does_not_count_as_deleted() -> None:
    cloud = Cloud("a")

    def meddle(seen: Seen) -> Answer | None:
        return None if seen.path == "/v3/processes" else refusal(503, "CF-X", 1)

    cloud.meddlers.append(meddle)
    cloud.forget("a", 0.5)
    assert isinstance(await error_of(cloud, patience=40), DeadlineError)


@virtual
async def test_an_app_that_another_user_stopped_is_not_running() -> None:
    cloud = Cloud(Planned("a", [web(after=100)]))
    cloud.at(4, lambda app: set_state(app, "STOPPED"), "a")
    watch, errors = await waited(cloud)
    error = errors["a"]
    assert type(error) is NotRunningError
    assert str(error) == "start a: the app is STOPPED again, by another user."
    assert error.states == ("DOWN",)
    assert watch.times["a"] < 20


@virtual
async def test_an_app_that_another_user_started_while_it_stops_is_an_error() -> None:
    cloud = Cloud(Planned("a", shutdown=60))
    watch = Watch(cloud, until_stopped=True)
    set_state(cloud.apps["a"], "STARTED")
    await asyncio.sleep(10)
    watch.start()
    cloud.at(4, lambda app: set_state(app, "STARTED"), "a")
    watch.add()
    error = (await watch.run())["a"]
    assert type(error) is NotRunningError
    assert "STARTED" in str(error)


@virtual
async def test_the_deadline_error_says_what_was_seen_last() -> None:
    cloud = Cloud(Planned("a", [web(up(1), up(500))]))
    watch, errors = await waited(cloud, patience=60)
    assert isinstance(errors["a"], DeadlineError)
    assert "seen last: web: 1 RUNNING, 1 STARTING of 2" in str(errors["a"])
    assert 60 <= watch.times["a"] <= 61
    assert watch.findings[0].first_at is not None


@virtual
async def test_each_app_has_its_own_deadline() -> None:
    cloud = Cloud(*(Planned(guid, [web(after=500)]) for guid in "ab"))
    watch = Watch(cloud)
    watch.start()
    watch.add("a", patience=30)
    watch.add("b", patience=90)
    await watch.run()
    assert 30 <= watch.times["a"] <= 31
    assert 90 <= watch.times["b"] <= 91


@virtual
async def test_an_app_that_runs_just_in_time_is_proved() -> None:
    assert await error_of(Cloud(Planned("a", [web(after=59.9)])), patience=60) is None


# -- what goes wrong with polls

BAD = [
    refusal(500, "UnknownError"),
    refusal(503, "CF-RunnerUnavailable", 170015),
    Answer(502, b"<html><title>502 Bad Gateway</title></html>"),
    Answer(200, b'{"pagination": {"next": null}, "resour'),
    Answer(200, b""),
    DisconnectedError("the connection broke"),
    refusal(403, "CF-NotAuthorized", 10003),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: str(getattr(bad, "status", "reset")))
@virtual
async def test_no_app_fails_because_polls_fail_for_a_while(bad: Answer) -> None:
    cloud = Cloud(Planned("a", [web(after=2)]))
    # The permanent one passes, too, unless it comes three times in a row.
    last = 3.0 if isinstance(bad, Answer) and bad.status == 403 else 60.0
    cloud.meddlers.append(between(0, last, bad))
    watch, errors = await waited(cloud)
    assert errors == {"a": None}
    assert last <= watch.times["a"] <= last + 6


@virtual
async def test_polls_that_never_succeed_end_at_the_apps_deadline() -> None:
    cloud = Cloud("a", "b")
    cloud.meddlers.append(between(0, 1_000, refusal(500, "UnknownError")))
    watch, errors = await waited(cloud, patience=60)
    assert {type(error) for error in errors.values()} == {DeadlineError}
    assert "seen last: nothing" in str(errors["a"])
    # The last poll may run over the deadline by a few seconds.
    assert all(60 <= moment <= 65 for moment in watch.times.values())


@virtual
async def test_polls_that_hang_delay_no_deadline() -> None:
    cloud = Cloud("a", latency=10_000)
    watch, errors = await waited(cloud, patience=30)
    assert isinstance(errors["a"], DeadlineError)
    assert 30 <= watch.times["a"] <= 36


@virtual
async def test_a_slow_server_proves_apps_while_others_time_out() -> None:
    hopeless = [Planned(f"late-{n}", [web(after=10_000)]) for n in range(30)]
    cloud = Cloud(*hopeless, Planned("well", [web(after=20)]), latency=2)
    watch = Watch(cloud)
    watch.start()
    for number, app in enumerate(hopeless):
        watch.add(app.guid, patience=10 + number)
    watch.add("well", patience=41)
    errors = await watch.run()
    assert errors["well"] is None
    assert all(isinstance(errors[app.guid], DeadlineError) for app in hopeless)


@virtual
async def test_three_refused_polls_in_a_row_end_the_wait_for_each_app() -> None:
    cloud = Cloud(*(f"app-{n}" for n in range(900)))
    refuses = refusal(403, "CF-NotAuthorized", 10003)
    cloud.meddlers.append(between(0, 1_000, refuses))
    _, errors = await waited(cloud)
    assert {type(error) for error in errors.values()} == {UnverifiedError}
    assert "CF-NotAuthorized" in str(errors["app-0"])
    assert len(cloud.seen) == 3 * 5, "three times for each, and not for all batches together"


@virtual
async def test_refused_polls_with_a_success_between_do_not_end_the_wait() -> None:
    cloud = Cloud(Planned("a", [web(after=60)]))
    polls = iter(range(1_000))
    refuses = refusal(403, "CF-NotAuthorized", 10003)
    cloud.meddlers.append(lambda seen: refuses if next(polls) % 3 else None)
    assert await error_of(cloud) is None


@virtual
async def test_an_expired_token_that_cannot_be_renewed_leaves_the_app_unverified() -> None:
    cloud = Cloud(Planned("a", [web(after=100)]))
    cloud.meddlers.append(between(2, 1_000, refusal(401, "CF-InvalidAuthToken", 1000)))
    watch, errors = await waited(cloud)
    assert isinstance(errors["a"], UnverifiedError)
    assert watch.times["a"] < 20


@pytest.mark.parametrize("failure", [AuthError("refused"), TargetError("no API here")], ids=repr)
@virtual
async def test_without_a_login_or_a_server_there_is_one_poll(failure: AppsApiError) -> None:
    cloud = Cloud("a", "b")
    cloud.meddlers.append(between(0, 1_000, failure))
    _, errors = await waited(cloud)
    assert {type(error) for error in errors.values()} == {UnverifiedError}
    assert len(cloud.seen) == 1


# -- servers that cannot embed


@pytest.mark.parametrize("embeds", ["refused", "ignored"])
@virtual
async def test_each_process_is_read_if_instances_cannot_be_embedded(
    embeds: str,
) -> None:
    apps = [Planned(f"app-{n}", [web(after=4), web(wanted=0, number=2)]) for n in range(20)]
    cloud = Cloud(*apps, embeds=embeds)
    _, errors = await waited(cloud)
    assert set(errors.values()) == {None}
    assert cloud.count("GET", "embed=") == 1, "once found out, it is remembered"
    assert cloud.count("GET", "-web2/stats") == 0, "what wants no instance is not asked for any"


@virtual
async def test_a_server_may_refuse_to_embed_at_any_poll() -> None:
    cloud = Cloud(Planned("a", [web(after=20)]), Planned("b", [web(after=5)]))
    cloud.at(8, lambda app: setattr(cloud, "embeds", "refused"), "a")
    _, errors = await waited(cloud)
    assert errors == {"a": None, "b": None}
    assert cloud.count("GET", "/stats") >= 1


@virtual
async def test_an_unreadable_process_does_not_delay_other_apps() -> None:
    cloud = Cloud(*(f"app-{n}" for n in range(50)), embeds="refused")
    begin = now()

    def meddle(seen: Seen) -> Answer | None:
        down = "app-7/stats" in seen.path and now() - begin < 30
        return refusal(503, "CF-StatsUnavailable", 200002) if down else None

    cloud.meddlers.append(meddle)
    watch, errors = await waited(cloud)
    assert set(errors.values()) == {None}
    late = {key for key, moment in watch.times.items() if moment > 10}
    assert late == {"app-7"}


@virtual
async def test_after_eight_failures_a_poll_reads_no_more_stats() -> None:
    cloud = Cloud(*(f"app-{n}" for n in range(200)), embeds="refused")
    cloud.meddlers.append(
        lambda seen: refusal(503, "CF-StatsUnavailable", 200002) if "stats" in seen.path else None
    )
    _, errors = await waited(cloud, patience=20)
    assert {type(error) for error in errors.values()} == {DeadlineError}
    polls = cloud.count("GET", "/v3/processes?")
    assert cloud.count("GET", "/v3/apps") == 0, "unknown is not gone"
    assert cloud.count("GET", "/stats") <= 16 * polls


@virtual
async def test_unknown_instances_do_not_prove_a_stop() -> None:
    cloud = Cloud("a", embeds="refused")
    cloud.meddlers.append(
        lambda seen: refusal(503, "CF-StatsUnavailable", 200002) if "stats" in seen.path else None
    )
    assert isinstance(await error_of(cloud, until_stopped=True, patience=20), DeadlineError)


@virtual
async def test_at_most_eight_processes_are_read_at_once() -> None:
    now_open = most = 0
    cloud = Cloud(*(f"app-{n}" for n in range(100)), embeds="refused")
    answer = cloud._answer

    async def counted(seen: Seen) -> Answer:
        nonlocal now_open, most
        now_open += 1
        most = max(most, now_open)
        try:
            await asyncio.sleep(0.01)
            return await answer(seen)
        finally:
            now_open -= 1

    cloud.wire._answering = counted
    await waited(cloud)
    assert most == 8


@virtual
async def test_a_thousand_apps_without_embed_take_three_requests_each_and_eight_at_once() -> None:
    apps = [Planned(f"app-{n:03}", [web(after=5 + n % 30)]) for n in range(1_000)]
    cloud = Cloud(*apps, embeds="refused", latency=0.1)
    watch = Watch(cloud)
    watch.waiter._caller.features.remember_missing("embed")
    watch.start()
    watch.add()
    assert set((await watch.run()).values()) == {None}
    moments = [moment for moment, seen in cloud.times if "/stats" in seen.path]
    most = max(sum(at <= other < at + 0.1 for other in moments) for at in moments[::50])
    assert most <= 8
    assert len(cloud.seen) <= 3_000
    assert max(watch.times.values()) <= 35 + 35


@virtual
async def test_polls_that_are_cut_short_do_not_starve_the_same_apps_every_time() -> None:
    hopeless = [Planned(f"never-{n:03}", [web(after=10_000)]) for n in range(400)]
    others = [Planned(f"late-{n:03}", [web(after=62)]) for n in range(200)]
    cloud = Cloud(*hopeless, *others, embeds="refused", latency=0.2)
    watch = Watch(cloud)
    watch.start()
    for n, app in enumerate(hopeless):
        watch.add(app.guid, patience=60.0 + n)
    watch.add(*(app.guid for app in others), patience=200)
    errors = await watch.run()
    assert [errors[app.guid] for app in others] == [None] * 200
    assert all(isinstance(errors[app.guid], DeadlineError) for app in hopeless)


@virtual
async def test_each_failed_app_takes_one_request_for_its_reason_and_four_at_once() -> None:
    kinds = [web(CRASHING), web(((0.0, "DOWN"),), details="insufficient resources: memory")]
    cloud = Cloud(*(Planned(f"app-{n:03}", [kinds[n % 2]]) for n in range(1_000)), latency=0.1)
    _, errors = await waited(cloud)
    kinds_of_errors = Counter(type(error) for error in errors.values())
    assert kinds_of_errors == {CrashedError: 500, PlacementError: 500}
    moments = [
        moment for moment, seen in cloud.times if "/stats" in seen.path or "events" in seen.path
    ]
    assert len(moments) == 1_000
    assert max(sum(at <= other < at + 0.1 for other in moments) for at in moments[::50]) <= 4


@virtual
async def test_the_reason_of_a_down_instance_is_read_at_growing_intervals() -> None:
    cloud = Cloud(Planned("a", [web(((0.0, "DOWN"),))]))
    assert isinstance(await error_of(cloud), DeadlineError)
    assert 3 <= cloud.count("GET", "/stats") <= 6


# -- failed attempts that may have taken effect


async def doubted(planned: Planned, state: str | None = None) -> tuple[Watch, Any]:
    cloud = Cloud(planned)
    watch = Watch(cloud)
    if state is not None:
        set_state(planned, state, delay=planned.repaired_after)
    watch.add(patience=45, doubt=LOST)
    return watch, (await watch.run())[planned.guid]


@virtual
async def test_state_and_instances_together_prove_a_doubtful_app() -> None:
    watch, error = await doubted(Planned("a", repaired_after=10), "STARTED")
    assert error is None
    assert watch.findings[0].app is not None
    assert watch.findings[0].app.state == "STARTED"


@virtual
async def test_instances_without_the_state_do_not_prove_a_doubtful_app() -> None:
    planned = Planned("a", began=now())
    watch, error = await doubted(planned)
    assert [state for state, _ in states_of(planned, planned.processes[0])] == ["RUNNING"]
    assert error is LOST
    assert 45 <= watch.times["a"] <= 46


@virtual
async def test_a_state_without_instances_does_not_prove_a_doubtful_app() -> None:
    _, error = await doubted(Planned("a"), "STARTED")
    assert error is LOST


@virtual
async def test_states_that_cannot_be_read_are_read_with_the_next_poll() -> None:
    failures = [refusal(500, "UnknownError")] * 3
    cloud = Cloud("a")
    watch = Watch(cloud)
    watch.start()
    cloud.meddlers.append(
        lambda seen: failures.pop() if failures and seen.path == "/v3/apps" else None
    )
    watch.add(doubt=LOST)
    assert await watch.run() == {"a": None}
    assert failures == []


@virtual
async def test_a_doubtful_app_whose_instances_cannot_be_read_keeps_its_error() -> None:
    cloud = Cloud("a")
    cloud.meddlers.append(between(0, 1_000, refusal(403, "CF-NotAuthorized", 10003)))
    watch = Watch(cloud)
    watch.add(doubt=LOST)
    assert await watch.run() == {"a": LOST}


# -- the waiter itself


@virtual
async def test_two_hundred_apps_take_one_request_and_polls_become_rarer() -> None:
    cloud = Cloud(*(Planned(f"app-{n:04}", [web(after=30)]) for n in range(1_000)))
    _, errors = await waited(cloud)
    assert set(errors.values()) == {None}
    ticks = sorted({at for at, _ in cloud.times})
    for number, tick in enumerate(ticks):
        assert sum(at == tick for at, _ in cloud.times) == (1 if number < 2 else 5)
    pauses = [later - earlier for earlier, later in pairwise(ticks)]
    assert pauses[0] < 2 < 4.4 < pauses[-1] < 5.6
    assert all(len(seen.target) < 10_240 for seen in cloud.seen)


@virtual
async def test_an_app_of_any_batch_is_seen_within_the_longest_pause() -> None:
    slow = [Planned(f"app-{n:04}", [web(after=60)]) for n in range(400)]
    cloud = Cloud(*slow, Planned("quick", [web(after=0.5)]))
    watch, errors = await waited(cloud)
    assert set(errors.values()) == {None}
    assert watch.times["quick"] <= 5


@virtual
async def test_when_the_first_apps_are_up_the_others_are_polled_at_once() -> None:
    cloud = Cloud(*(Planned(f"app-{n:04}", [web(after=0.5)]) for n in range(1_000)))
    await waited(cloud)
    assert len({at for at, _ in cloud.times}) == 1
    assert len(cloud.times) == 5


@virtual
async def test_polls_are_rarer_while_the_quota_is_low() -> None:
    ample, low = Cloud(Planned("a", [web(after=60)])), Cloud(Planned("a", [web(after=60)]))
    await waited(ample)
    await waited(low, quota_is_low=lambda: True)
    assert len(low.seen) * 2 < len(ample.seen)


@virtual
async def test_apps_may_be_added_while_the_waiter_runs() -> None:
    cloud = Cloud(Planned("a", [web(after=40)]), Planned("b"))
    watch = Watch(cloud)
    async with anyio.create_task_group() as group:
        group.start_soon(watch.waiter.run, watch.on_finding)
        await asyncio.sleep(50)
        assert cloud.seen == [], "nothing to look at"
        watch.start("a")
        watch.add("a")
        await asyncio.sleep(100)
        assert watch.times["a"] < 97
        watch.start("b")
        watch.add("b")
        watch.waiter.complete()
    assert watch.times["b"] - 150 < 3, "the first look at new ones is soon, however long it idled"


@virtual
async def test_an_exception_of_the_callback_ends_the_waiter() -> None:
    for failure in (ZeroDivisionError(), AppsApiError("of the callback")):

        def tell(finding: Finding, failure: Exception = failure) -> None:
            raise failure

        cloud = Cloud("a", "b")
        watch = Watch(cloud)
        watch.start()
        watch.add()
        watch.waiter.complete()
        with pytest.raises(type(failure)) as caught:
            await watch.waiter.run(tell)
        assert caught.value is failure


@virtual
async def test_last_seen_describes_the_last_poll() -> None:
    cloud = Cloud(Planned("a", [web(after=100)]))
    watch = Watch(cloud)
    watch.start()
    watch.add()
    assert watch.waiter.last_seen("a") == "nothing"
    assert watch.waiter.waiting == 1
    with anyio.move_on_after(10):
        await watch.waiter.run(watch.on_finding)
    assert watch.waiter.last_seen("a") == "web: 1 STARTING of 1"
    assert watch.waiter.last_seen("unknown") == "nothing"


@virtual
async def test_a_failed_poll_is_not_retried() -> None:
    cloud = Cloud("a")
    cloud.meddlers.append(between(0, 1_000, refusal(503, "CF-ServiceUnavailable", 10015)))
    await waited(cloud, patience=20)
    moments = [at for at, _ in cloud.times]
    assert all(later - earlier > 0.8 for earlier, later in pairwise(moments[:-1]))
