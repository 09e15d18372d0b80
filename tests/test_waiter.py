"""Waiting for many apps with one request, on a clock that takes no time."""

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
from aioappsapi.errors import AuthError, TargetError
from aioappsapi.resources.apps import Apps
from aioappsapi.resources.waiter import Waiter, polling
from aioappsapi.resources.watched import Sighting, Watched
from tests.cloud import CRASHING, Cloud, Kind, Planned, now, set_state, states_of, up, web
from tests.fakes import virtual
from tests.replay import Answer, Seen, refusal, reply

LOST = ServerError("start a: 503", status=503)


class Watch:
    """A waiter over a cloud whose apps were all started, or stopped, just now."""

    def __init__(self, cloud: Cloud, wait: Any = "all", *, down: bool = False, **options: Any):
        self.cloud = cloud
        self.began = now()
        self.down = down
        self.told: list[Sighting] = []
        self.times: dict[str, float] = {}
        self.waiter = Waiter(Apps(polling(cloud.apps_on().caller)), wait, down=down, **options)

    def start(self, *guids: str) -> None:
        for guid in guids or list(self.cloud.apps):
            set_state(self.cloud.apps[guid], "STOPPED" if self.down else "STARTED")

    def add(self, *guids: str, patience: float = 300.0, fallback: Any = None) -> None:
        for guid in guids or list(self.cloud.apps):
            ends_at = now() + patience
            watched = Watched(
                guid, f"start {guid}", asked_at=now(), ends_at=ends_at, fallback=fallback
            )
            self.waiter.add(watched)

    def tell(self, sighting: Sighting) -> None:
        self.told.append(sighting)
        self.times[sighting.key] = now() - self.began

    async def run(self) -> dict[str, AppsApiError | None]:
        self.waiter.complete()
        await self.waiter.run(self.tell)
        assert self.waiter.waiting == 0
        errors = {sighting.key: sighting.error for sighting in self.told}
        assert len(errors) == len(self.told), "each is told of once"
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
async def test_each_is_told_of_when_it_is_up() -> None:
    cloud = Cloud(Planned("a", [web(after=2)]), Planned("b", [web(after=20)]))
    watch, errors = await waited(cloud)
    assert errors == {"a": None, "b": None}
    assert 2 <= watch.times["a"] <= 2 + 5.5
    assert 20 <= watch.times["b"] <= 20 + 5.5


@virtual
async def test_moments_are_those_of_the_instances_and_not_of_the_polls() -> None:
    cloud = Cloud(Planned("a", [web(up(12), up(21))]))
    watch, _ = await waited(cloud)
    (sighting,) = watch.told
    assert sighting.first_at is not None
    assert sighting.all_at is not None
    # The server tells whole seconds.
    assert 12 <= sighting.first_at - watch.began <= 13
    assert 21 <= sighting.all_at - watch.began <= 22


@virtual
async def test_any_is_content_with_one_of_each_process() -> None:
    never = ((0.0, "STARTING"),)
    cloud = Cloud(Planned("a", [web(up(2), never), Kind([up(6), never], "worker")]))
    watch, errors = await waited(cloud, "any")
    assert errors == {"a": None}
    assert watch.times["a"] >= 6
    assert isinstance(await error_of(cloud, "all", patience=30), DeadlineError)


@virtual
async def test_nothing_to_wait_for_is_done_at_the_first_look() -> None:
    cloud = Cloud(
        Planned("zero", [web(wanted=0)]),
        Planned("worker", [web(wanted=0), Kind([up(0.5)], "worker")]),
    )
    watch, errors = await waited(cloud)
    assert errors == {"zero": None, "worker": None}
    assert cloud.count("GET", "") == 1
    assert {one.key: one.first_at is None for one in watch.told} == {"zero": True, "worker": False}


@virtual
async def test_scaled_to_zero_by_somebody_while_it_comes_up() -> None:
    cloud = Cloud(Planned("a", [web(after=1_000)]))
    cloud.at(10, lambda app: setattr(app.processes[0], "wanted", 0), "a")
    assert await error_of(cloud) is None


@virtual
async def test_a_rolling_deployment_has_two_web_processes() -> None:
    old, new = web(up(1)), web(up(15), number=2)
    watch, errors = await waited(Cloud(Planned("a", [old, new])))
    assert errors == {"a": None}
    assert watch.times["a"] >= 15
    crashes = await error_of(Cloud(Planned("a", [old, web(CRASHING, number=2)])))
    assert isinstance(crashes, CrashedError)
    assert "1 RUNNING" in str(crashes)


@virtual
async def test_stopped_is_what_has_no_instance_left() -> None:
    cloud = Cloud(Planned("a", shutdown=8), Planned("b", shutdown=0))
    watch = Watch(cloud, down=True)
    for app in cloud.apps.values():
        set_state(app, "STARTED")
    await asyncio.sleep(10)
    watch.start()
    watch.add()
    assert await watch.run() == {"a": None, "b": None}
    assert watch.times["a"] - watch.times["b"] > 6


@virtual
async def test_routable_is_more_than_running() -> None:
    cloud = Cloud(Planned("a", [web(after=1, routable_after=9), web(wanted=0, number=2)]))
    watch, errors = await waited(cloud, "routable")
    assert errors == {"a": None}
    assert watch.times["a"] >= 10
    never = Cloud(Planned("a", [web(after=1, routable_after=1_000)]))
    error = await error_of(never, "routable", patience=20)
    assert "not routable yet" in str(error)


@virtual
async def test_a_server_that_does_not_say_routable_is_taken_at_its_word() -> None:
    def silent(seen: Seen) -> Answer | None:
        stat = {"type": "web", "index": 0, "state": "RUNNING", "routable": None}
        return reply({"resources": [stat]}) if "stats" in seen.path else None

    cloud = Cloud("a")
    cloud.meddlers.append(silent)
    assert await error_of(cloud, "routable") is None


@virtual
async def test_stats_that_fail_leave_it_open_whether_it_is_routable() -> None:
    failures = [refusal(503, "CF-StatsUnavailable", 200002)] * 3
    cloud = Cloud("a")
    cloud.meddlers.append(
        lambda seen: failures.pop() if failures and "stats" in seen.path else None
    )
    assert await error_of(cloud, "routable") is None
    assert failures == []


# -- what goes wrong with apps


@virtual
async def test_an_app_may_crash_once() -> None:
    life = ((0.0, "STARTING"), (2.0, "CRASHED"), (10.0, "STARTING"), (14.0, "RUNNING"))
    assert await error_of(Cloud(Planned("a", [web(life)]))) is None


@virtual
async def test_a_crash_beyond_the_grace_is_final_and_says_why() -> None:
    cloud = Cloud(Planned("a", [web(CRASHING, up(1), details="Exited with status 137")]))
    watch, errors = await waited(cloud, grace=20)
    error = errors["a"]
    assert isinstance(error, CrashedError)
    assert error.details == "Exited with status 137"
    assert error.states == ("CRASHED", "RUNNING")
    assert str(error) == (
        "start a: its instances crash (web: 1 CRASHED, 1 RUNNING of 2): Exited with status 137."
    )
    assert 22 <= watch.times["a"] <= 28
    assert cloud.count("GET", "/stats") == 1


@virtual
async def test_a_crash_loop_has_one_grace_and_not_one_each() -> None:
    life = tuple(
        (7.0 * n + at, state) for n in range(20) for at, state in ((0, "STARTING"), (1, "CRASHED"))
    )
    watch, errors = await waited(Cloud(Planned("a", [web(life)])), grace=20)
    assert isinstance(errors["a"], CrashedError)
    # Now and then a look finds it starting.
    assert 21 <= watch.times["a"] < 70


@virtual
async def test_what_had_crashed_long_before_gets_no_grace() -> None:
    cloud = Cloud(Planned("a", [web(CRASHING)]))
    watch = Watch(cloud)
    watch.start()
    await asyncio.sleep(600)
    watch.add()
    errors = await watch.run()
    assert isinstance(errors["a"], CrashedError)
    assert watch.times["a"] - 600 < 2


@virtual
async def test_a_crash_without_words_or_stats_is_told_as_well() -> None:
    cloud = Cloud(Planned("a", [web(CRASHING)]))
    cloud.meddlers.append(
        lambda seen: refusal(503, "CF-StatsUnavailable", 200002) if "stats" in seen.path else None
    )
    error = await error_of(cloud)
    assert isinstance(error, CrashedError)
    assert error.details is None
    assert str(error).endswith("(web: 1 CRASHED of 1).")


@pytest.mark.parametrize("details", ["insufficient resources: memory", "found no compatible cell"])
@virtual
async def test_no_room_for_longer_than_the_grace(details: str) -> None:
    cloud = Cloud(Planned("a", [web(((0.0, "DOWN"),), details=details)]))
    watch, errors = await waited(cloud)
    error = errors["a"]
    assert isinstance(error, PlacementError)
    assert error.details == details
    assert error.states == ("DOWN",)
    assert 30 <= watch.times["a"] <= 60
    assert cloud.count("GET", "/stats") == 1, "nobody asks why before it matters"


@virtual
async def test_room_that_comes_in_time_is_room() -> None:
    life = ((0.0, "DOWN"), (25.0, "STARTING"), (27.0, "RUNNING"))
    kind = web(life, details="insufficient resources: memory")
    assert await error_of(Cloud(Planned("a", [kind]))) is None


@virtual
async def test_no_room_shows_in_what_is_said_at_the_end() -> None:
    kind = web(((0.0, "DOWN"),), details="insufficient resources: memory")
    error = await error_of(Cloud(Planned("a", [kind])), grace=1_000, patience=9)
    assert isinstance(error, DeadlineError)
    assert "insufficient resources: memory" in str(error)


@virtual
async def test_no_room_is_seen_beside_a_crash() -> None:
    kind = web(CRASHING, ((0.0, "STARTING"), (7.0, "DOWN")))
    cloud = Cloud(Planned("a", [kind]))

    def stats(seen: Seen) -> Answer | None:
        rows = [
            {"index": 0, "state": "CRASHED", "details": "Exited with status 1"},
            {"index": 1, "state": "DOWN", "details": "insufficient resources: memory"},
        ]
        return reply({"resources": rows}) if "stats" in seen.path else None

    cloud.meddlers.append(stats)
    assert isinstance(await error_of(cloud, grace=1_000, patience=9), DeadlineError)
    error = await error_of(cloud, grace=20)
    assert isinstance(error, CrashedError)
    assert error.details == "Exited with status 1"


@virtual
async def test_an_app_deleted_by_another_ends_with_the_servers_words() -> None:
    cloud = Cloud(Planned("a", [web(after=100)]), Planned("b", [web(after=30)]))
    cloud.forget("a", 10)
    watch, errors = await waited(cloud)
    assert isinstance(errors["a"], NotFoundError)
    assert errors["a"].__traceback__ is None
    assert errors["b"] is None
    assert watch.times["a"] < 17, "it need not time out"


@virtual
async def test_processes_that_vanish_from_an_app_that_is_there() -> None:
    cloud = Cloud(Planned("a", [web(after=100)]))
    cloud.at(5, lambda app: app.processes.clear(), "a")
    error = await error_of(cloud, patience=40)
    assert isinstance(error, DeadlineError)
    assert "no process" in str(error)


@virtual
async def test_whether_it_was_deleted_stays_open_where_the_server_cannot_tell() -> None:
    cloud = Cloud("a")

    def meddle(seen: Seen) -> Answer | None:
        return None if seen.path == "/v3/processes" else refusal(503, "CF-X", 1)

    cloud.meddlers.append(meddle)
    cloud.forget("a", 0.5)
    assert isinstance(await error_of(cloud, patience=40), DeadlineError)


@virtual
async def test_an_app_stopped_by_somebody_else() -> None:
    cloud = Cloud(Planned("a", [web(after=100)]))
    cloud.at(4, lambda app: set_state(app, "STOPPED"), "a")
    watch, errors = await waited(cloud)
    error = errors["a"]
    assert type(error) is NotRunningError
    assert str(error) == "start a: the app is STOPPED again, by somebody else."
    assert error.states == ("DOWN",)
    assert watch.times["a"] < 20


@virtual
async def test_an_app_started_by_somebody_else_while_it_stops() -> None:
    cloud = Cloud(Planned("a", shutdown=60))
    watch = Watch(cloud, down=True)
    set_state(cloud.apps["a"], "STARTED")
    await asyncio.sleep(10)
    watch.start()
    cloud.at(4, lambda app: set_state(app, "STARTED"), "a")
    watch.add()
    error = (await watch.run())["a"]
    assert type(error) is NotRunningError
    assert "STARTED" in str(error)


@virtual
async def test_too_late_says_what_was_seen_last() -> None:
    cloud = Cloud(Planned("a", [web(up(1), up(500))]))
    watch, errors = await waited(cloud, patience=60)
    assert isinstance(errors["a"], DeadlineError)
    assert "seen last: web: 1 RUNNING, 1 STARTING of 2" in str(errors["a"])
    assert 60 <= watch.times["a"] <= 61
    assert watch.told[0].first_at is not None


@virtual
async def test_each_has_its_own_end() -> None:
    cloud = Cloud(*(Planned(guid, [web(after=500)]) for guid in "ab"))
    watch = Watch(cloud)
    watch.start()
    watch.add("a", patience=30)
    watch.add("b", patience=90)
    await watch.run()
    assert 30 <= watch.times["a"] <= 31
    assert 90 <= watch.times["b"] <= 91


@virtual
async def test_what_comes_up_just_in_time_is_seen() -> None:
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
async def test_after_polls_that_fail_for_a_while_the_next_one_goes_on(bad: Answer) -> None:
    cloud = Cloud(Planned("a", [web(after=2)]))
    # The permanent one passes, too, unless it comes three times in a row.
    last = 3.0 if isinstance(bad, Answer) and bad.status == 403 else 60.0
    cloud.meddlers.append(between(0, last, bad))
    watch, errors = await waited(cloud)
    assert errors == {"a": None}
    assert last <= watch.times["a"] <= last + 6


@virtual
async def test_polls_that_never_succeed_end_in_time() -> None:
    cloud = Cloud("a", "b")
    cloud.meddlers.append(between(0, 1_000, refusal(500, "UnknownError")))
    watch, errors = await waited(cloud, patience=60)
    assert {type(error) for error in errors.values()} == {DeadlineError}
    assert "seen last: nothing" in str(errors["a"])
    assert all(60 <= moment <= 61 for moment in watch.times.values())


@virtual
async def test_polls_that_hang_keep_nobody() -> None:
    cloud = Cloud("a", latency=10_000)
    watch, errors = await waited(cloud, patience=30)
    assert isinstance(errors["a"], DeadlineError)
    assert 30 <= watch.times["a"] <= 36


@virtual
async def test_a_slow_server_still_shows_what_runs_while_others_run_out_of_time() -> None:
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
async def test_refused_three_times_in_a_row_nobody_asks_any_more() -> None:
    cloud = Cloud(*(f"app-{n}" for n in range(900)))
    refuses = refusal(403, "CF-NotAuthorized", 10003)
    cloud.meddlers.append(between(0, 1_000, refuses))
    _, errors = await waited(cloud)
    assert {type(error) for error in errors.values()} == {UnverifiedError}
    assert "CF-NotAuthorized" in str(errors["app-0"])
    assert len(cloud.seen) == 3 * 5, "three times for each, and not for all batches together"


@virtual
async def test_refused_now_and_then_is_no_reason_to_give_up() -> None:
    cloud = Cloud(Planned("a", [web(after=60)]))
    polls = iter(range(1_000))
    refuses = refusal(403, "CF-NotAuthorized", 10003)
    cloud.meddlers.append(lambda seen: refuses if next(polls) % 3 else None)
    assert await error_of(cloud) is None


@virtual
async def test_a_token_that_ends_for_good_leaves_it_unverified() -> None:
    cloud = Cloud(Planned("a", [web(after=100)]))
    cloud.meddlers.append(between(2, 1_000, refusal(401, "CF-InvalidAuthToken", 1000)))
    watch, errors = await waited(cloud)
    assert isinstance(errors["a"], UnverifiedError)
    assert watch.times["a"] < 20


@pytest.mark.parametrize("failure", [AuthError("refused"), TargetError("no API here")], ids=repr)
@virtual
async def test_without_a_login_or_a_server_nobody_asks_again(failure: AppsApiError) -> None:
    cloud = Cloud("a", "b")
    cloud.meddlers.append(between(0, 1_000, failure))
    _, errors = await waited(cloud)
    assert {type(error) for error in errors.values()} == {UnverifiedError}
    assert len(cloud.seen) == 1


# -- servers that cannot embed


@pytest.mark.parametrize("embeds", ["refused", "ignored"])
@virtual
async def test_instances_are_asked_for_one_by_one_where_they_cannot_be_embedded(
    embeds: str,
) -> None:
    apps = [Planned(f"app-{n}", [web(after=4), web(wanted=0, number=2)]) for n in range(20)]
    cloud = Cloud(*apps, embeds=embeds)
    _, errors = await waited(cloud)
    assert set(errors.values()) == {None}
    assert cloud.count("GET", "embed=") == 1, "once found out, it is remembered"
    assert cloud.count("GET", "-web2/stats") == 0, "what wants no instance is not asked for any"


@virtual
async def test_embed_refused_half_way() -> None:
    cloud = Cloud(Planned("a", [web(after=20)]), Planned("b", [web(after=5)]))
    cloud.at(8, lambda app: setattr(cloud, "embeds", "refused"), "a")
    _, errors = await waited(cloud)
    assert errors == {"a": None, "b": None}
    assert cloud.count("GET", "/stats") >= 1


@virtual
async def test_one_process_that_nobody_knows_spoils_no_other() -> None:
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
async def test_stats_that_all_fail_are_not_all_asked_for() -> None:
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
async def test_a_stop_is_not_proved_by_what_nobody_knows() -> None:
    cloud = Cloud("a", embeds="refused")
    cloud.meddlers.append(
        lambda seen: refusal(503, "CF-StatsUnavailable", 200002) if "stats" in seen.path else None
    )
    assert isinstance(await error_of(cloud, down=True, patience=20), DeadlineError)


@virtual
async def test_the_batch_is_asked_in_parallel_but_for_a_few() -> None:
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
async def test_asked_one_by_one_a_thousand_apps_take_few_requests_and_eight_at_a_time() -> None:
    apps = [Planned(f"app-{n:03}", [web(after=5 + n % 30)]) for n in range(1_000)]
    cloud = Cloud(*apps, embeds="refused", latency=0.1)
    watch = Watch(cloud)
    watch.waiter._apps.caller.features.remember_missing("embed")
    watch.start()
    watch.add()
    assert set((await watch.run()).values()) == {None}
    moments = [moment for moment, seen in cloud.times if "/stats" in seen.path]
    most = max(sum(at <= other < at + 0.1 for other in moments) for at in moments[::50])
    assert most <= 8
    assert len(cloud.seen) <= 3_000
    assert max(watch.times.values()) <= 35 + 35


@virtual
async def test_polls_that_are_cut_short_by_the_end_of_some_leave_out_no_others_for_ever() -> None:
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
async def test_reasons_are_asked_for_once_and_a_few_at_a_time() -> None:
    kinds = [web(CRASHING), web(((0.0, "DOWN"),), details="insufficient resources: memory")]
    cloud = Cloud(*(Planned(f"app-{n:03}", [kinds[n % 2]]) for n in range(1_000)), latency=0.1)
    _, errors = await waited(cloud)
    kinds_of_errors = Counter(type(error) for error in errors.values())
    assert kinds_of_errors == {CrashedError: 500, PlacementError: 500}
    moments = [moment for moment, seen in cloud.times if "/stats" in seen.path]
    assert len(moments) == 1_000
    assert max(sum(at <= other < at + 0.1 for other in moments) for at in moments[::50]) <= 4


@virtual
async def test_down_without_words_is_asked_about_ever_more_rarely() -> None:
    cloud = Cloud(Planned("a", [web(((0.0, "DOWN"),))]))
    assert isinstance(await error_of(cloud), DeadlineError)
    assert 3 <= cloud.count("GET", "/stats") <= 6


# -- what failed and may have happened all the same


async def doubted(planned: Planned, state: str | None = None) -> tuple[Watch, Any]:
    cloud = Cloud(planned)
    watch = Watch(cloud)
    if state is not None:
        set_state(planned, state, delay=planned.repaired_after)
    watch.add(patience=45, fallback=LOST)
    return watch, (await watch.run())[planned.guid]


@virtual
async def test_state_and_instances_prove_what_failed() -> None:
    watch, error = await doubted(Planned("a", repaired_after=10), "STARTED")
    assert error is None
    assert watch.told[0].app is not None
    assert watch.told[0].app.state == "STARTED"


@virtual
async def test_instances_alone_prove_nothing() -> None:
    planned = Planned("a", began=now())
    watch, error = await doubted(planned)
    assert [state for state, _ in states_of(planned, planned.processes[0])] == ["RUNNING"]
    assert error is LOST
    assert 45 <= watch.times["a"] <= 46


@virtual
async def test_a_state_alone_proves_nothing() -> None:
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
    watch.add(fallback=LOST)
    assert await watch.run() == {"a": None}
    assert failures == []


@virtual
async def test_what_failed_ends_as_it_was_where_nobody_can_look() -> None:
    cloud = Cloud("a")
    cloud.meddlers.append(between(0, 1_000, refusal(403, "CF-NotAuthorized", 10003)))
    watch = Watch(cloud)
    watch.add(fallback=LOST)
    assert await watch.run() == {"a": LOST}


# -- the waiter itself


@virtual
async def test_two_hundred_apps_take_one_request_and_polls_become_rarer() -> None:
    cloud = Cloud(*(Planned(f"app-{n:04}", [web(after=30)]) for n in range(1_000)))
    _, errors = await waited(cloud)
    assert set(errors.values()) == {None}
    ticks = sorted({at for at, _ in cloud.times})
    for tick in ticks:
        assert sum(at == tick for at, _ in cloud.times) == 5
    pauses = [later - earlier for earlier, later in pairwise(ticks)]
    assert pauses[0] < 2 < 4.4 < pauses[-1] < 5.6
    assert all(len(seen.target) < 10_240 for seen in cloud.seen)


@virtual
async def test_polls_are_rare_where_the_rate_limit_is_short() -> None:
    plenty, scarce = Cloud(Planned("a", [web(after=60)])), Cloud(Planned("a", [web(after=60)]))
    await waited(plenty)
    await waited(scarce, scarce=lambda: True)
    assert len(scarce.seen) * 2 < len(plenty.seen)


@virtual
async def test_apps_come_while_it_runs() -> None:
    cloud = Cloud(Planned("a", [web(after=40)]), Planned("b"))
    watch = Watch(cloud)
    async with anyio.create_task_group() as group:
        group.start_soon(watch.waiter.run, watch.tell)
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
async def test_what_is_raised_when_it_is_told_ends_it() -> None:
    for failure in (ZeroDivisionError(), AppsApiError("of the callback")):

        def tell(sighting: Sighting, failure: Exception = failure) -> None:
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
async def test_how_it_was_seen_last_can_be_asked() -> None:
    cloud = Cloud(Planned("a", [web(after=100)]))
    watch = Watch(cloud)
    watch.start()
    watch.add()
    assert watch.waiter.seen("a") == "nothing"
    assert watch.waiter.waiting == 1
    with anyio.move_on_after(10):
        await watch.waiter.run(watch.tell)
    assert watch.waiter.seen("a") == "web: 1 STARTING of 1"
    assert watch.waiter.seen("unknown") == "nothing"


@virtual
async def test_a_poll_is_sent_once_and_not_repeated_by_itself() -> None:
    cloud = Cloud("a")
    cloud.meddlers.append(between(0, 1_000, refusal(503, "CF-ServiceUnavailable", 10015)))
    await waited(cloud, patience=20)
    moments = [at for at, _ in cloud.times]
    assert all(later - earlier > 0.8 for earlier, later in pairwise(moments[:-1]))
