"""A fleet: several foundations in one run, with one report."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aioappsapi import (
    App,
    Client,
    ConnectError,
    DeadlineError,
    Fleet,
    InvalidInputError,
    Outcome,
    PasswordGrant,
    Report,
    RetryPolicy,
    RunAbortedError,
    Scale,
    Status,
    Wave,
    Waves,
    report_of,
)
from aioappsapi.fleet.check import check_target
from aioappsapi.sandbox import Faults, Sandbox

SOON = RetryPolicy(base=0.0, attempts=3)
NOWHERE = "http://127.0.0.1:9"


@asynccontextmanager
async def clouds(**apps: int) -> AsyncIterator[dict[str, Sandbox]]:
    """Sandboxes by name, each with other apps."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(Sandbox(count, seed=seed))
            for seed, (name, count) in enumerate(apps.items())
        }


def client_of(url: str, **settings: Any) -> Client:
    settings.setdefault("retry", SOON)
    return Client(url, auth=PasswordGrant("admin", "admin"), **settings)


def fleet_of(found: dict[str, Sandbox], **more: Client) -> Fleet:
    return Fleet({name: client_of(cloud.url) for name, cloud in found.items()} | more)


def every(client: Client) -> Any:
    return client.apps.list()


def at(report: Report[Any], cloud: Sandbox) -> list[Status]:
    return [one.status for one in report if one.target == cloud.url]


def take_droplets_from(cloud: Sandbox) -> None:
    for app in cloud.apps.values():
        app.droplet = None


def nobody() -> Client:
    return client_of(NOWHERE, retry=RetryPolicy(attempts=1))


@asynccontextmanager
async def answering(text: bytes | None) -> AsyncIterator[str]:
    """A server that answers everything with the same bytes, or never."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                if text is not None:
                    writer.write(text)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()


UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


async def test_one_report_of_all_foundations() -> None:
    async with clouds(eu=7, us=5) as found, fleet_of(found) as fleet:
        seen: list[Outcome[App]] = []
        report = await fleet.bulk.start(every, on_outcome=seen.append)
        assert report.ok
        assert report.target is None
        assert report.targets == [found["eu"].url, found["us"].url]
        for cloud in found.values():
            keys = {one.key for one in report if one.target == cloud.url}
            assert keys == set(cloud.apps)
            assert all(app.state == "STARTED" for app in cloud.apps.values())
        assert sorted((one.target or "", one.key) for one in seen) == sorted(
            (one.target or "", one.key) for one in report
        )
        assert len(report) == 12
        assert report.requests.sent == 12 + 2, "a start for each app, and a look at each foundation"


async def test_the_others_go_on_when_foundations_are_down_silent_or_unavailable() -> None:
    async with (
        clouds(eu=6, us=6) as found,
        answering(None) as silent,
        answering(UNAVAILABLE) as unavailable,
    ):
        bad = {
            "down": nobody(),
            "silent": client_of(silent),
            "unavailable": client_of(unavailable, retry=RetryPolicy(attempts=1)),
        }
        good = {name: client_of(cloud.url) for name, cloud in found.items()}
        async with Fleet({**bad, **good}, patience=0.2) as fleet:
            keys: dict[str, Any] = {name: [f"{name}-{n}" for n in range(4)] for name in bad}
            keys |= {name: list(cloud.apps) for name, cloud in found.items()}
            report = await fleet.bulk.start(keys)
    assert report.counts["total"] == 12 + 12
    assert report.counts["ok"] == 12
    assert report.counts["not_attempted"] == 12
    assert not report.ok
    errors = {at: type(error) for at, error in report.target_errors.items()}
    assert errors == {
        NOWHERE: ConnectError,
        silent: DeadlineError,
        unavailable: ConnectError,
    }
    assert "503" in str(report.target_errors[unavailable])
    assert "has not answered for 0.2 s" in str(report.target_errors[silent])


async def test_a_foundation_that_goes_away_in_the_middle_is_given_up_alone() -> None:
    async with clouds(eu=200, us=20) as found:
        eu, us = found["eu"].url, found["us"].url
        retry = RetryPolicy(base=0.0, cap=0.0, attempts=2, give_up_after=0.1)
        going: list[asyncio.Task[None]] = []

        def note(outcome: Outcome[App]) -> None:
            if outcome.target == eu and not going:
                going.append(asyncio.create_task(found["eu"].stop()))

        async with Fleet({"eu": client_of(eu, retry=retry), "us": client_of(us)}) as fleet:
            keys = {name: list(cloud.apps) for name, cloud in found.items()}
            report = await fleet.bulk.start(keys, on_outcome=note)
        await going[0]
    assert len(report) == 220
    assert all(one.status is Status.OK for one in report if one.target == us)
    assert {one.status for one in report if one.target == eu} >= {Status.OK, Status.NOT_ATTEMPTED}
    assert str(report.stopped).startswith(f"{eu}: "), "told once"


async def test_a_foundation_that_cannot_even_list_its_apps_is_told_once() -> None:
    async with clouds(eu=3) as found, fleet_of(found, us=nobody()) as fleet:
        report = await fleet.bulk.stop(every)
        assert [one.target for one in report] == [found["eu"].url] * 3
        assert report.targets == [found["eu"].url, NOWHERE]
        assert list(report.target_errors) == [NOWHERE]
        assert not report.complete
        with pytest.raises(ExceptionGroup, match=r"0 of 3 apps are not .*, and 1 target could not"):
            report.raise_for_failures()


def test_target_errors_survive_a_file_and_a_merge(tmp_path: Path) -> None:
    report = asyncio.run(_with_a_target_error())
    report.write(tmp_path / "run.json")
    read = Report.load(tmp_path / "run.json")
    assert read.targets == report.targets
    assert isinstance(read.target_errors[NOWHERE], ConnectError)
    assert not read.ok
    assert Report.merge([read]).to_dict() == read.to_dict()


async def _with_a_target_error() -> Report[App]:
    async with clouds(eu=2) as found, fleet_of(found, us=nobody()) as fleet:
        return await fleet.bulk.start(every)


async def test_every_verb() -> None:
    async with clouds(eu=3, us=2) as found, fleet_of(found) as fleet:
        for report in (
            await fleet.bulk.start(every, wait="all"),
            await fleet.bulk.restart(every),
            await fleet.bulk.restage(every, dry_run=True),
            await fleet.bulk.restart(every, strategy="rolling"),
            await fleet.bulk.scale(every, Scale(instances=2)),
            await fleet.bulk.stop(every),
        ):
            assert report.ok, report
            assert len(report) == 5
        numbers = {name: dict.fromkeys(one.apps, Scale(instances=3)) for name, one in found.items()}
        assert (await fleet.bulk.scale(numbers)).counts["ok"] == 5
        by_url = {cloud.url: numbers[name] for name, cloud in found.items()}
        assert (await fleet.bulk.scale(lambda client: by_url[client.api_url])).ok

        async def name_of(client: Client, guid: str) -> str:
            return (await client.apps.get(guid)).name

        mapped = await fleet.bulk.map(name_of, every)
        assert mapped.action == "name_of"
        names = {app.name for cloud in found.values() for app in cloud.apps.values()}
        assert {one.value for one in mapped} == names


async def test_a_report_is_the_input_of_the_next_run() -> None:
    async with clouds(eu=3, us=3) as found, fleet_of(found) as fleet:
        chosen = {"us": list(found["us"].apps)[:2], "eu": list(found["eu"].apps)[:1]}
        first = await fleet.bulk.start(chosen)
        again = await fleet.bulk.stop(first)
        assert [(one.target, one.key) for one in again] == [(one.target, one.key) for one in first]
        async with Fleet({"eu": client_of(found["eu"].url)}) as smaller:
            with pytest.raises(InvalidInputError, match="not in the fleet"):
                await smaller.bulk.start(first)


async def test_bad_input_is_refused_before_anything_is_sent() -> None:
    async with clouds(eu=1) as found, fleet_of(found) as fleet:
        keys = {"eu": list(found["eu"].apps)}
        with pytest.raises(InvalidInputError, match="'us'"):
            await fleet.bulk.start({"us": ["x"]})
        with pytest.raises(TypeError, match=r"no option 'concurency'. Did you mean 'concurrency'"):
            await fleet.bulk.start(keys, concurency=3)  # type: ignore[call-arg]
        with pytest.raises(InvalidInputError, match="concurrency=9999 is above"):
            await fleet.bulk.start(every, concurrency=9999)
        with pytest.raises(InvalidInputError, match="max_failures"):
            await fleet.bulk.start(every, max_failures=0)
        with pytest.raises(InvalidInputError, match="not a mapping"):
            await fleet.bulk.start({"eu": {"guid": Scale(instances=1)}})
        with pytest.raises(InvalidInputError, match="scale needs numbers"):
            await fleet.bulk.scale(keys)
        with pytest.raises(InvalidInputError, match="str does not say which apps"):
            await fleet.bulk.start("guid")  # type: ignore[arg-type]
        assert not found["eu"].requests
    with pytest.raises(InvalidInputError, match="are the same API"):
        Fleet({"a": client_of("http://127.0.0.1:9"), "b": client_of("http://127.0.0.1:9/")})
    with pytest.raises(InvalidInputError, match="at least one"):
        Fleet({})


async def test_max_failures_in_all_stops_every_foundation() -> None:
    async with clouds(eu=30, us=30) as found, fleet_of(found) as fleet:
        take_droplets_from(found["eu"])
        report = await fleet.bulk.start(every, max_failures=3, concurrency=1)
        assert report.counts["failed"] >= 3
        assert len(report) == 60
        assert Status.NOT_ATTEMPTED in at(report, found["us"])


async def test_max_failures_per_target_stops_only_that_one() -> None:
    async with clouds(eu=30, us=30) as found, fleet_of(found) as fleet:
        take_droplets_from(found["eu"])
        report = await fleet.bulk.start(every, max_failures_per_target=3, concurrency=1)
        eu, us = (Counter(at(report, cloud)) for cloud in found.values())
        assert eu == {Status.FAILED: 3, Status.NOT_ATTEMPTED: 27}
        assert us == {Status.OK: 30}


async def test_one_deadline_for_all_with_login_and_selection() -> None:
    async with clouds(eu=3) as found, answering(None) as silent:
        found["eu"].faults = Faults(latency=30.0, latency_spread=0.0)
        async with fleet_of(found, us=client_of(silent)) as fleet:
            keys = {"eu": list(found["eu"].apps), "us": ["a", "b"]}
            report = await fleet.bulk.start(keys, deadline=0.4)
    assert report.counts["total"] == 5
    assert report.counts["ok"] == 0
    assert "deadline" in str(report.target_errors[silent])


async def test_a_dry_run_predicts_for_all() -> None:
    async with clouds(eu=4, us=3) as found, fleet_of(found, no=nobody()) as fleet:
        next(iter(found["us"].apps.values())).droplet = None
        report = await fleet.bulk.start(every, dry_run=True)
        assert report.predicted
        assert (report.counts["ok"], report.counts["failed"]) == (6, 1)
        assert list(report.target_errors) == [NOWHERE]
        scaled = await fleet.bulk.scale(every, Scale(instances=2), dry_run=True)
        assert scaled.counts["total"] == 7
        sent = [one for cloud in found.values() for one in cloud.requests]
        assert {one.method for one in sent if "/v3" in one.path_qs} == {"GET"}


async def test_outcomes_come_as_they_are_made() -> None:
    async with clouds(eu=4, us=4) as found, fleet_of(found) as fleet:
        async with fleet.bulk.stream("start", every) as run:
            seen = [outcome async for outcome in run]
            assert run.total == 8
        assert sorted(one.key for one in seen) == sorted(one.key for one in run.report)
        assert {one.target for one in seen} == {cloud.url for cloud in found.values()}
        assert (run.in_flight, run.held, run.waiting, run.retrying, run.taken_over) == (0,) * 5
        assert run.counts[Status.OK] == 8
        assert list(run.runs) == ["eu", "us"]


async def test_leaving_a_stream_early_loses_no_outcome() -> None:
    async with clouds(eu=40, us=40) as found, fleet_of(found) as fleet:
        async with fleet.bulk.stream("start", every, concurrency=2) as run:
            async for _ in run:
                break
        assert len(run.report) == 80
        assert {one.status for one in run.report} <= {
            Status.OK,
            Status.CANCELLED,
            Status.NOT_ATTEMPTED,
        }


@pytest.mark.parametrize("known", [True, False])
async def test_a_cancelled_run_has_an_outcome_for_every_known_app(known: bool) -> None:
    async with (
        clouds(eu=5) as found,
        answering(None) as silent,
        fleet_of(found, us=client_of(silent)) as fleet,
    ):
        keys: Any = {"eu": list(found["eu"].apps), "us": ["a", "b"]} if known else every
        seen: list[Outcome[App]] = []

        def cancel_after_five(outcome: Outcome[App]) -> None:
            seen.append(outcome)
            if len(seen) == 5:
                task.cancel()

        async def start() -> None:
            await fleet.bulk.start(keys, on_outcome=cancel_after_five)

        task = asyncio.create_task(start())
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await task
    report = report_of(cancelled.value)
    assert report is not None
    assert report.counts["ok"] == 5
    assert len(report) == (7 if known else 5)
    assert not report.ok


async def test_a_callback_that_breaks_ends_the_whole_run() -> None:
    async with clouds(eu=20, us=20) as found, fleet_of(found) as fleet:

        def broken(outcome: Outcome[App]) -> None:
            raise LookupError("mine")

        with pytest.raises(RunAbortedError, match="LookupError: mine") as aborted:
            await fleet.bulk.start(every, on_outcome=broken, concurrency=1)
        assert len(aborted.value.report) == 40
        assert isinstance(aborted.value.__cause__, LookupError)


async def test_a_selection_that_breaks_ends_the_whole_run() -> None:
    async with clouds(eu=2, us=2) as found, fleet_of(found) as fleet:

        def broken(client: Client) -> Any:
            raise LookupError("mine")

        with pytest.raises(RunAbortedError, match="LookupError: mine"):
            await fleet.bulk.start(broken)


async def test_each_foundation_has_its_journal_and_resumes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    async with clouds(eu=6, us=6) as found, fleet_of(found) as fleet:
        keys = {name: list(cloud.apps) for name, cloud in found.items()}
        seen: list[Outcome[App]] = []

        def break_off(outcome: Outcome[App]) -> None:
            seen.append(outcome)
            if len(seen) == 5:
                raise LookupError

        with pytest.raises(RunAbortedError):
            await fleet.bulk.restart(keys, journal=folder, concurrency=2, on_outcome=break_off)
        assert {path.stem for path in folder.glob("*.journal")} == {"eu", "us"}
        again = await fleet.bulk.restart(keys, journal=folder, resume=True)
        assert len(again) == 12
        assert again.counts["ok"] + again.counts["unverified"] == 12
        for cloud in found.values():
            sent = [one.path_qs for one in cloud.requests if one.path_qs.endswith("/restart")]
            assert len(sent) == len(set(sent)), "no app is restarted twice"
        with pytest.raises(InvalidInputError, match="need a folder"):
            await fleet.bulk.start(keys, journal=folder / "eu.journal")


async def test_a_journal_that_cannot_be_used_is_that_foundations_error(tmp_path: Path) -> None:
    (tmp_path / "eu.journal").write_text("something else\n")
    async with clouds(eu=2, us=2) as found, fleet_of(found) as fleet:
        report = await fleet.bulk.start(every, journal=tmp_path)
        assert at(report, found["eu"]) == [Status.NOT_ATTEMPTED] * 2
        assert at(report, found["us"]) == [Status.OK] * 2
        assert "is not a journal" in str(report.target_errors[found["eu"].url])


async def test_checks_of_all_targets() -> None:
    async with clouds(eu=2) as found, fleet_of(found, us=nobody()) as fleet:
        found["eu"].faults = Faults(rate_limit=1000)
        checks = await fleet.each(check_target)
        eu = checks["eu"]
        assert not isinstance(eu, Exception)
        assert (eu.api, eu.user, eu.roles) == (found["eu"].url, "admin", {"admin": 1})
        assert eu.token_ends_at is not None
        assert eu.rate_limit is not None
        assert eu.rate_limit.limit == 1000
        assert eu.server_version is not None
        assert eu.cannot == ()
        assert isinstance(checks["us"], ConnectError)


async def test_one_foundation_goes_first_and_the_others_follow() -> None:
    async with clouds(eu=3, us=3, asia=3) as found, fleet_of(found) as fleet:
        seen: list[Outcome[App]] = []
        asked: list[str] = []

        def approve(wave: Wave) -> bool:
            asked.append(f"{wave}: {', '.join(wave.keys)}, after {len(seen)}")
            return True

        waves = Waves.canary(1, approve=approve)
        report = await fleet.bulk.start(every, target_waves=waves, on_outcome=seen.append)
        assert report.ok
        assert asked == [
            "wave 1 of 2 (canary): eu, after 0",
            "wave 2 of 2 (rest): us, asia, after 3",
        ]
        assert {one.target for one in seen[:3]} == {found["eu"].url}
        assert Counter(one.wave for one in report) == {1: 3, 2: 6}


@pytest.mark.parametrize("bad", ["apps", "login", "no"])
async def test_a_canary_that_fails_keeps_the_others_from_beginning(bad: str) -> None:
    async with clouds(eu=4, us=4) as found, fleet_of(found, down=nobody()) as fleet:
        keys: dict[str, Any] = {name: list(cloud.apps) for name, cloud in found.items()}
        keys["down"] = ["a"]
        if bad == "apps":
            take_droplets_from(found["eu"])
        first = "down" if bad == "login" else "eu"
        waves = Waves([[first]], approve=(lambda _: False) if bad == "no" else None)
        report = await fleet.bulk.start(keys, target_waves=waves)
        assert len(report) == 9
        assert at(report, found["us"]) == [Status.NOT_ATTEMPTED] * 4
        assert not [one for one in found["us"].requests if "/v3" in one.path_qs]
        words = {"apps": "0 of 4 apps", "login": "could not be used", "no": "not approved"}
        assert words[bad] in str(report.stopped)


async def test_a_stop_ends_the_pause_between_waves_of_foundations() -> None:
    async with clouds(eu=2, us=2) as found, fleet_of(found) as fleet:
        waves = Waves.ramp(1, pause=3600)
        async with fleet.bulk.stream("start", every, target_waves=waves) as run:
            seen = 0
            async for _ in run:
                seen += 1
                if seen == 2:
                    await _until(lambda: run.wave_pause > 0)
                    assert str(run.wave) == "wave 1 of 2"
                    run.stop("enough")
        assert run.report.counts["ok"] == 2
        assert not run.report.ok


async def _until(seen: Callable[[], bool]) -> None:
    while not seen():  # noqa: ASYNC110 - the run has no event for it
        await asyncio.sleep(0)


async def test_the_deadline_ends_a_pause_between_waves_of_foundations() -> None:
    async with clouds(eu=2, us=2) as found, fleet_of(found) as fleet:
        keys = {name: list(cloud.apps) for name, cloud in found.items()}
        waves = Waves.ramp(1, pause=3600)
        report = await fleet.bulk.start(keys, target_waves=waves, deadline=0.5)
        assert (report.counts["ok"], report.counts["not_attempted"]) == (2, 2)
        assert "deadline" in str(report.stopped)


async def test_waves_that_foundations_cannot_have_are_refused() -> None:
    async with clouds(eu=1) as found, fleet_of(found) as fleet:
        with pytest.raises(InvalidInputError, match="the fleet has no us"):
            await fleet.bulk.start(every, target_waves=Waves([["eu"], ["us"]]))
        with pytest.raises(InvalidInputError, match="lists of their names, a canary or a ramp"):
            await fleet.bulk.start(every, target_waves=Waves.by_space())


async def test_waves_of_apps_go_on_within_each_foundation() -> None:
    async with clouds(eu=3, us=2) as found, fleet_of(found) as fleet:
        report = await fleet.bulk.start(every, waves=Waves.canary(1))
        assert report.ok
        assert Counter(one.wave for one in report) == {1: 2, 2: 3}
