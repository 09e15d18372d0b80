"""Runs in waves: one wave after the other, also after a kill and a resume."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi import (
    InvalidInputError,
    Run,
    RunAbortedError,
    Status,
    Wave,
    Waves,
    report_of,
)
from tests.clients import busy_client, statuses
from tests.cloud import CRASHING, Cloud, Planned, now, web
from tests.fakes import run_virtual, virtual
from tests.replay import refusal
from tests.test_rolling import sandbox

OK, FAILED, NOT_ATTEMPTED = Status.OK, Status.FAILED, Status.NOT_ATTEMPTED
QUOTA = refusal(422, "CF-UnprocessableEntity", 10008, "memory quota_exceeded")


def starts(cloud: Cloud) -> list[tuple[float, str]]:
    """Return when which app was asked to start."""
    return [(at, seen.path.split("/")[3]) for at, seen in cloud.times if seen.method == "POST"]


def order(cloud: Cloud) -> list[str]:
    return [guid for _, guid in starts(cloud)]


LISTS = [["c", "d"], ["a"], ["b"]]


@virtual
async def test_a_wave_begins_when_the_one_before_runs() -> None:
    cloud = Cloud(*(Planned(guid, [web(after=5.0)]) for guid in "abcd"))
    report = await cloud.bulk().start(list("abcd"), waves=Waves(LISTS), wait="all")
    assert statuses(report) == [OK] * 4
    assert [outcome.key for outcome in report] == list("abcd"), "the order of the input"
    assert [outcome.wave for outcome in report] == [2, 3, 1, 1]
    moments = {guid: at for at, guid in starts(cloud)}
    assert moments["c"] == moments["d"] < moments["a"] - 5.0
    assert moments["a"] < moments["b"] - 5.0


@virtual
async def test_the_second_round_ends_each_wave() -> None:
    cloud = Cloud(Planned("a", answers=[QUOTA]), "b", "c")
    report = await cloud.bulk().start(["a", "b", "c"], waves=Waves([["a", "b"]]))
    assert statuses(report) == [OK] * 3
    assert order(cloud) == ["a", "b", "a", "c"]


@virtual
async def test_a_canary_that_fails_stops_the_run_and_says_why() -> None:
    cloud = Cloud(Planned("a", [web(CRASHING)]), *"bcde")
    report = await cloud.bulk().start(list("abcde"), waves=Waves.canary(2), wait="all")
    assert statuses(report) == [FAILED, OK, *[NOT_ATTEMPTED] * 3]
    assert set(order(cloud)) == {"a", "b"}
    assert [outcome.wave for outcome in report] == [1, 1, 2, 2, 2]
    reason = "wave 1 of 2 (canary) ended with 1 of 2 apps in the requested state"
    assert reason in (report.stopped or "")
    assert all(reason in str(outcome.error) for outcome in report[2:])


@virtual
async def test_a_share_of_a_wave_may_be_enough() -> None:
    cloud = Cloud(Planned("a", [web(CRASHING)]), *"bcde")
    waves = Waves.canary(2, proceed_at=0.5)
    report = await cloud.bulk().start(list("abcde"), waves=waves, wait="all")
    assert statuses(report) == [FAILED, *[OK] * 4]


@virtual
async def test_too_many_failures_stop_in_the_middle_of_a_wave() -> None:
    refused = refusal(422, "CF-UnprocessableEntity", 10008, "no droplet")
    cloud = Cloud("a", *(Planned(guid, answers=[refused]) for guid in "bc"), *"def")
    waves = Waves.canary(1, proceed_at=0, max_failures=2)
    report = await cloud.bulk().start(list("abcdef"), waves=waves, concurrency=1)
    assert statuses(report) == [OK, FAILED, FAILED, *[NOT_ATTEMPTED] * 3]
    assert "2 apps of wave 2 of 2 (rest) failed" in (report.stopped or "")


@virtual
async def test_apps_are_read_when_their_wave_comes() -> None:
    cloud = Cloud(*"abc")
    cloud.at(50.0, lambda app: setattr(app, "state", "STARTED"), "c")
    waves = Waves.canary(2, pause=100.0)
    report = await cloud.bulk().start(["a", "b", "c"], waves=waves)
    assert statuses(report) == [OK, OK, Status.ALREADY], "c was read after the pause"


@virtual
async def test_a_pause_can_be_stopped_and_meets_the_deadline() -> None:
    cloud, began = Cloud(*"ab"), now()
    run = cloud.bulk().stream("start", ["a", "b"], waves=Waves.canary(1, pause=100.0))
    left: list[float] = []
    call_later = asyncio.get_running_loop().call_later
    call_later(9.0, lambda: left.append(run.wave_pause))
    call_later(10.0, run.stop, "enough")
    await run.run()
    assert left == [pytest.approx(91.0, abs=1.0)]
    assert run.wave_pause == 0.0
    assert statuses(run.report) == [OK, NOT_ATTEMPTED]
    assert 9.0 < now() - began < 20.0
    late = await cloud.bulk().start(
        ["a", "b"], waves=Waves.canary(1, pause=100.0), deadline=30.0, skip_unchanged=False
    )
    assert statuses(late) == [OK, NOT_ATTEMPTED]
    assert "deadline" in str(late[1].error)


@virtual
async def test_the_time_of_an_approval_is_not_the_runs() -> None:
    cloud = Cloud(*"abc")
    asked: list[Wave] = []

    async def approve(wave: Wave) -> bool:
        asked.append(wave)
        await asyncio.sleep(1000.0)
        return wave.number < 3

    waves = Waves([["a"], ["b"], ["c"]], approve=approve)
    report = await cloud.bulk().start(list("abc"), waves=waves, deadline=50.0)
    assert statuses(report) == [OK, OK, NOT_ATTEMPTED]
    assert [(wave.number, wave.of, wave.keys) for wave in asked] == [
        (1, 3, ("a",)),
        (2, 3, ("b",)),
        (3, 3, ("c",)),
    ]
    assert report.stopped == "wave 3 of 3 was not approved"


@virtual
async def test_an_approval_does_not_move_the_deadline_of_the_caller() -> None:
    cloud = Cloud("a")

    async def never(wave: Wave) -> bool:
        del wave
        await asyncio.Event().wait()
        return True

    waves, began = Waves.canary(1, approve=never), now()
    with pytest.raises(TimeoutError) as caught:
        await asyncio.wait_for(cloud.bulk().start(["a"], waves=waves, deadline=10.0), 20.0)
    report = report_of(caught.value)
    assert report is not None
    assert statuses(report) == [NOT_ATTEMPTED]
    assert now() - began == pytest.approx(20.0, abs=1.0)


@virtual
async def test_a_callback_that_raises_ends_the_run_with_its_report() -> None:
    def approve(wave: Wave) -> bool:
        raise ValueError(wave.name)

    cloud = Cloud("a", "b")
    with pytest.raises(RunAbortedError) as caught:
        await cloud.bulk().start(["a", "b"], waves=Waves.canary(1, approve=approve))
    assert statuses(caught.value.report) == [NOT_ATTEMPTED] * 2


@virtual
async def test_a_stream_of_apps_is_read_to_its_end_first() -> None:
    async def coming() -> Any:
        for guid in "abc":
            await asyncio.sleep(1.0)
            yield guid

    cloud = Cloud(*"abc")
    report = await cloud.bulk().start(coming(), waves=Waves([["c"], ["b"]]))
    assert statuses(report) == [OK] * 3
    assert order(cloud) == ["c", "b", "a"]


@virtual
async def test_any_coroutine_goes_in_waves_too() -> None:
    called: list[str] = []

    async def work(key: str) -> str:
        called.append(key)
        await asyncio.sleep(1.0)
        return key

    report = await Cloud().bulk().map(work, list("abc"), waves=Waves([["c"], ["a", "b"]]))
    assert [outcome.wave for outcome in report] == [2, 2, 1]
    assert called[0] == "c"


def test_what_is_no_waves_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"Waves\.canary"):
        Cloud().bulk().stream("start", [], waves=[["a"]])  # type: ignore[arg-type]


# -- journals


@contextmanager
def one_clock() -> Iterator[None]:
    """Let the wall time of journals go as fast as the virtual clock of the loop."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aioappsapi.bulk.run.journal.time", SimpleNamespace(time=now))
        yield


async def killed(run: Run[Any], journal: Path, after: float) -> None:
    """Run until the process is killed: what is on the disk then is what stays."""
    task = asyncio.create_task(run.run())
    await asyncio.wait([task], timeout=after)
    on_disk = journal.read_bytes()
    task.cancel()
    await asyncio.wait([task])
    journal.write_bytes(on_disk)


@virtual
async def test_a_resumed_run_has_the_waves_of_the_journal(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    async with sandbox(6, started=False) as cloud, busy_client(cloud) as cf:
        for number, app in enumerate(cloud.apps.values()):
            app.labels = {"order": str(number % 3)}
        keys = list(cloud.apps)
        waves = Waves.by_label("order", approve=lambda wave: wave.number == 1)
        first = await cf.bulk.start(keys, waves=waves, journal=journal)
        assert statuses(first).count(OK) == 2
        for app in cloud.apps.values():
            app.labels = {"order": "1"}
        asked: list[int] = []
        waves = Waves.by_label(
            "order", approve=lambda wave: bool(asked.append(wave.number)) or True
        )
        again = await cf.bulk.start(keys, waves=waves, journal=journal, resume=True)
        assert statuses(again) == [OK] * 6
        assert [outcome.wave for outcome in again] == [1, 2, 3, 1, 2, 3]
        assert asked == [2, 3], "nobody is asked about a wave that is finished"
        assert cloud.count("POST", "/actions/start") == 6


@virtual
async def test_a_journal_of_other_waves_is_refused(tmp_path: Path) -> None:
    cloud = Cloud("a", "b")
    bulk, journal = cloud.bulk(), tmp_path / "j"
    await bulk.start(["a", "b"], waves=Waves.canary(1), journal=journal)
    for waves in (None, Waves.ramp()):
        with pytest.raises(InvalidInputError, match="start in waves canary 1"):
            await bulk.start(["a", "b"], waves=waves, journal=journal, resume=True)
    more = await bulk.start(["a", "b"], waves=Waves.canary(1), journal=journal, resume=True)
    assert [outcome.wave for outcome in more] == [1, 2]


@virtual
async def test_apps_that_the_journal_does_not_know_come_last(tmp_path: Path) -> None:
    cloud = Cloud(*"abc")
    bulk, journal = cloud.bulk(), tmp_path / "j"
    await bulk.start(["a", "b"], waves=Waves.canary(1), journal=journal)
    more = await bulk.start(["c", "a"], waves=Waves.canary(1), journal=journal, resume=True)
    assert [(outcome.key, outcome.wave) for outcome in more] == [("c", 3), ("a", 1)]
    last = await bulk.start(list("abc"), waves=Waves.canary(1), journal=journal, resume=True)
    assert [outcome.wave for outcome in last] == [1, 2, 3]


@settings(max_examples=12, deadline=None)
@given(
    kills=st.lists(st.floats(0.0, 15.0), max_size=3),
    slow=st.sets(st.sampled_from("abcdefgh"), max_size=3),
)
def test_no_app_begins_before_its_wave_however_often_the_run_dies(
    kills: list[float], slow: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    journal = tmp_path_factory.mktemp("waves") / "j"
    lists = [["h", "c"], ["a", "e", "b"], ["d"]]
    wave_of = {key: n for n, one in enumerate([*lists, ["f", "g"]]) for key in one}
    keys = sorted(wave_of)

    async def story() -> None:
        lives = {key: web(after=9.0 if key in slow else 1.0) for key in keys}
        cloud = Cloud(*(Planned(key, [lives[key]]) for key in keys), latency=0.3)
        how: dict[str, Any] = {"waves": Waves(lists), "wait": "all", "journal": journal}
        for after in kills:
            run = cloud.bulk().stream("start", keys, resume=journal.exists(), **how)
            await killed(run, journal, after)
        report = await cloud.bulk().start(keys, resume=journal.exists(), **how)
        assert report.ok
        assert [outcome.wave for outcome in report] == [wave_of[key] + 1 for key in keys]
        assert all(app.done == 1 for app in cloud.apps.values())
        for at, guid in starts(cloud):
            for earlier in (key for key in keys if wave_of[key] < wave_of[guid]):
                began = cloud.apps[earlier].began
                assert began is not None
                up_at = began + (9.0 if earlier in slow else 1.0)
                assert up_at <= at, f"{guid} was sent before {earlier} ran"

    with one_clock():
        run_virtual(story())


# -- what waves are planned by


@virtual
async def test_waves_by_label_cost_one_request_and_a_circle_sends_nothing() -> None:
    async with sandbox(10, started=False) as cloud, busy_client(cloud) as cf:
        keys = list(cloud.apps)
        for number, app in enumerate(cloud.apps.values()):
            app.annotations = {"needs": list(cloud.apps.values())[number - 1].name}
        with pytest.raises(InvalidInputError, match="leads in a circle") as caught:
            await cf.bulk.start(keys, waves=Waves.by_needs("needs"))
        assert cloud.count("POST", "/v3/") == 0
        report = report_of(caught.value)
        assert report is not None
        assert statuses(report) == [NOT_ATTEMPTED] * 10
        before = len(cloud.requests)
        done = await cf.bulk.start(keys, waves=Waves.by_label("order"))
        assert done.ok
        assert done.requests.sent == len(cloud.requests) - before == 12


@virtual
async def test_a_dry_run_shows_the_waves_and_asks_nobody() -> None:
    def approve(wave: Wave) -> bool:
        raise AssertionError(wave)

    async with sandbox(10, started=False) as cloud, busy_client(cloud) as cf:
        keys = list(cloud.apps)
        waves = Waves.ramp(approve=approve, pause=60.0)
        plan = await cf.bulk.plan("start", keys, waves=waves)
        assert [len(wave.keys) for wave in plan.waves] == [1, 2, 4, 3]
        assert plan.seconds >= 180.0
        assert "waves: 4, the largest has 4 apps" in list(plan.lines())
        numbers = [1, 2, 2, 3, 3, 3, 3, 4, 4, 4]
        assert [outcome.wave for outcome in plan.report] == numbers
        dry = await cf.bulk.restage(keys, waves=waves, dry_run=True)
        assert [outcome.wave for outcome in dry] == numbers
        assert cloud.count("POST", "/v3/") == 0
