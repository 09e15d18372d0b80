"""One start, stop or restart with `wait`, as a single call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aioappsapi import (
    CrashedError,
    DeadlineError,
    DisconnectedError,
    InvalidInputError,
    NotFoundError,
    NotRunningError,
    RetryPolicy,
    ServerError,
    UnprocessableError,
)
from tests.cloud import CRASHING, RUNNER, Cloud, Life, Planned, now, set_state, up, web
from tests.fakes import virtual
from tests.replay import Answer, Seen, refusal, reply

QUOTA = refusal(422, "CF-UnprocessableEntity", 10008, "memory quota_exceeded")
TWICE = RetryPolicy(attempts=2, base=0.0)


@virtual
async def test_start_returns_when_all_instances_run() -> None:
    cloud = Cloud(Planned("a", [web(after=7, count=3)]))
    app = await cloud.apps_on().start("a", wait="all")
    assert (app.guid, app.state) == ("a", "STARTED")
    assert 1_007 <= now() <= 1_013
    assert cloud.count("POST", "/actions/start") == 1


@virtual
async def test_without_wait_nothing_is_polled() -> None:
    cloud = Cloud("a")
    await cloud.apps_on().start("a")
    assert [seen.method for seen in cloud.seen] == ["POST"]


@virtual
async def test_stop_returns_when_no_instance_is_left() -> None:
    cloud = Cloud(Planned("a", shutdown=9))
    set_state(cloud.apps["a"], "STARTED")
    await asyncio.sleep(10)
    app = await cloud.apps_on().stop("a", wait="any")
    assert app.state == "STOPPED"
    assert now() >= 1_019


@virtual
async def test_restart_waits_for_the_new_instances() -> None:
    cloud = Cloud(Planned("a", [web(after=7)]))
    set_state(cloud.apps["a"], "STARTED")
    await asyncio.sleep(100)
    await cloud.apps_on().restart("a", wait="routable")
    assert now() >= 1_107
    assert cloud.count("POST", "/actions/restart") == 1


@pytest.mark.parametrize("life", [up(7), CRASHING])
@virtual
async def test_instances_from_before_a_restart_prove_nothing(life: Life) -> None:
    cloud = Cloud(Planned("a", [web(life)], lingers=12))
    set_state(cloud.apps["a"], "STARTED")
    await asyncio.sleep(100)
    cloud.apps["a"].processes[0].lives = [life]
    restart = asyncio.create_task(cloud.apps_on().restart("a", wait="all"))
    await asyncio.sleep(11)
    assert not restart.done()
    cloud.apps["a"].processes[0].lives = [up(7)]
    assert (await restart).state == "STARTED"
    assert now() >= 1_119


@virtual
async def test_an_instance_that_came_up_while_the_restart_waited_proves_nothing() -> None:
    held_up = Answer(429, b"{}", (("Retry-After", "6"),))
    app = Planned("a", [web(after=1.7)], lingers=4, answers=[held_up])
    cloud = Cloud(app)
    set_state(app, "STARTED")
    cloud.at(9.5, lambda app: setattr(app.processes[0], "lives", [CRASHING]), "a")
    with pytest.raises(CrashedError):
        await cloud.apps_on().restart("a", wait="all")
    assert cloud.count("POST", "/actions/restart") == 2


@pytest.mark.parametrize(
    "answer", [{"guid": "a", "state": "STOPPED"}, {"guid": "another", "state": "STARTED"}]
)
@virtual
async def test_an_answer_with_a_wrong_state_or_guid_proves_nothing(answer: object) -> None:
    cloud = Cloud(Planned("a", answers=[reply(answer)]))
    cloud.at(3, lambda app: set_state(app, "STARTED"), "a")
    app = await cloud.apps_on().start("a", wait="all", deadline=60)
    assert (app.guid, app.state) == ("a", "STARTED")
    assert now() >= 1_003
    never = Cloud(Planned("a", answers=[reply(answer)]))
    with pytest.raises(NotRunningError, match="the app is STOPPED\\."):
        await never.apps_on().start("a", wait="all", deadline=60)


@virtual
async def test_a_restart_without_new_instances_times_out() -> None:
    cloud = Cloud(Planned("a", lingers=10_000), embeds="refused")
    set_state(cloud.apps["a"], "STARTED")
    await asyncio.sleep(100)
    with pytest.raises(DeadlineError, match="1 STOPPING of 1"):
        await cloud.apps_on().restart("a", wait="any", deadline=60)


@virtual
async def test_clocks_that_differ_by_a_second_do_not_delay_a_restart() -> None:
    cloud = Cloud(Planned("a", [web(after=0)]))
    cloud.meddlers.append(lambda seen: ahead(seen, 1))
    await cloud.apps_on().restart("a", wait="all", deadline=10)


def ahead(seen: Seen, seconds: int) -> Answer | None:
    """Tell of an instance that it came up just when it was asked for, and a little earlier."""
    if seen.path != "/v3/processes":
        return None
    instance = {"index": 0, "state": "RUNNING", "since": int(now() - 1_000) + seconds}
    process = {"guid": "a", "type": "web", "instances": 1, "process_instances": [instance]}
    return reply({"pagination": {"next": None}, "resources": [process]})


@virtual
async def test_a_refused_action_raises_at_once() -> None:
    cloud = Cloud(Planned("a", answers=[QUOTA]))
    with pytest.raises(UnprocessableError):
        await cloud.apps_on().start("a", wait="all")
    with pytest.raises(NotFoundError):
        await cloud.apps_on().start("gone", wait="all")
    assert [seen.method for seen in cloud.seen] == ["POST", "POST"]


@virtual
async def test_an_unknown_policy_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud = Cloud("a")
    with pytest.raises(InvalidInputError, match="one of none, any"):
        await cloud.apps_on().start("a", wait="some")  # type: ignore[arg-type]
    monkeypatch.setenv("CF_STARTUP_TIMEOUT", "soon")
    with pytest.raises(InvalidInputError, match="CF_STARTUP_TIMEOUT"):
        await cloud.apps_on().start("a", wait="all")
    assert cloud.seen == []


@virtual
async def test_crashes_and_changes_by_others_are_raised() -> None:
    with pytest.raises(CrashedError, match="start app a: its instances crash"):
        await Cloud(Planned("a", [web(CRASHING)])).apps_on().start("a", wait="all")
    cloud = Cloud(Planned("a", [web(after=100)]))
    cloud.at(3, lambda app: set_state(app, "STOPPED"), "a")
    with pytest.raises(NotRunningError, match="by another user"):
        await cloud.apps_on().start("a", wait="all")


@virtual
async def test_the_deadline_covers_the_request_and_the_wait() -> None:
    cloud = Cloud(Planned("a", [web(after=100)]), latency=2)
    with pytest.raises(DeadlineError, match="1 STARTING"):
        await cloud.apps_on().start("a", wait="all", deadline=20)
    assert 1_020 <= now() <= 1_020.5


@virtual
async def test_the_deadline_holds_while_polls_hang() -> None:
    cloud = Cloud("a")
    apps = cloud.apps_on()
    cloud.apps["a"].state = "STARTED"

    async def hang(seen: Any) -> Any:
        if seen.method == "GET":
            await asyncio.Event().wait()
        return await Cloud._answer(cloud, seen)

    cloud.wire._answering = hang
    with pytest.raises(DeadlineError, match="seen last: nothing"):
        await apps.start("a", wait="all", deadline=20)
    assert now() <= 1_020.5


@virtual
async def test_without_a_deadline_the_startup_timeout_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for minutes, seconds in (("", 300), ("0.5", 30), ("10", 600)):
        monkeypatch.setenv("CF_STARTUP_TIMEOUT", minutes)
        began = now()
        with pytest.raises(DeadlineError):
            await Cloud(Planned("a", [web(after=10_000)])).apps_on().start("a", wait="all")
        assert seconds <= now() - began <= seconds + 0.5


@virtual
async def test_a_repeat_that_proves_nothing_is_proved_by_instances() -> None:
    cloud = Cloud(Planned("a", lost=1, repaired_after=20))
    app = await cloud.apps_on().start("a", wait="all")
    assert app.state == "STARTED"
    assert now() >= 1_020
    never = Cloud(Planned("a", lost=1))
    with pytest.raises(DeadlineError):
        await never.apps_on().start("a", wait="all")


@virtual
async def test_a_failed_start_that_took_effect_is_proved_by_its_instances() -> None:
    cloud = Cloud(Planned("a", lost=9, repaired_after=20))
    app = await cloud.apps_on(TWICE).start("a", wait="all")
    assert app.state == "STARTED"
    assert cloud.count("POST", "start") == 2
    assert cloud.count("GET", "/v3/apps/a") == 0, "it was seen already"


@virtual
async def test_a_failed_start_without_effect_raises_its_error_after_45_seconds() -> None:
    for deadline in (None, 900.0):
        began = now()
        cloud = Cloud(Planned("a", answers=[RUNNER] * 9))
        with pytest.raises(ServerError) as caught:
            await cloud.apps_on(TWICE).start("a", wait="all", deadline=deadline)
        assert caught.value.title == "CF-RunnerUnavailable"
        assert 45 <= now() - began <= 46


@virtual
async def test_a_restart_whose_answer_was_lost_is_not_polled() -> None:
    cloud = Cloud(Planned("a", answers=[DisconnectedError("the connection broke")]))
    with pytest.raises(DisconnectedError):
        await cloud.apps_on().restart("a", wait="all")
    assert len(cloud.seen) == 1
