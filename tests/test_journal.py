"""A run that is ended by anything at all goes on where it was, and asks nobody twice."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from aioappsapi import (
    Client,
    CrashedError,
    InvalidInputError,
    PasswordGrant,
    Report,
    RetryPolicy,
    RunAbortedError,
    Status,
)
from aioappsapi.bulk.journal import Journal
from aioappsapi.errors import DisconnectedError
from aioappsapi.sandbox import Faults, Sandbox, SandboxThread
from tests.fakes import virtual

TARGET = "http://cc.test"


def journal(path: Path, *, resume: bool = False, action: str = "start") -> Journal:
    return Journal(path, action=action, target=TARGET, resume=resume)


def client(cloud: Sandbox, **options: Any) -> Client:
    return Client(cloud.url, auth=PasswordGrant("admin", "admin"), proxy="", **options)


def events(path: Path) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    return [(line["event"], line["key"]) for line in lines]


def drop_lines(path: Path, count: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-count]))


async def test_every_app_is_on_disk_before_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    async with Sandbox(30) as cloud, client(cloud) as cf:
        report = await cf.bulk.start(list(cloud.apps), journal=path, concurrency=7)
    assert report.ok
    happened = events(path)
    assert Counter(event for event, _ in happened) == {"begun": 30, "ended": 30}
    assert all(happened.index(("begun", k)) < happened.index(("ended", k)) for k in cloud.apps)


async def test_what_is_done_is_taken_over_and_not_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    async with Sandbox(10) as cloud, client(cloud) as cf:
        guids = list(cloud.apps)
        await cf.bulk.start(guids[:6], journal=path)
        report = await cf.bulk.start(guids, journal=path, resume=True)
        assert cloud.count("POST", "/actions/start") == 10
    assert report.ok
    assert [outcome.key for outcome in report] == guids
    assert report.requests.sent == 5, "four, and one to see their states"
    assert [outcome.name for outcome in report][:2] == ["app-00001", "app-00002"]


async def test_what_failed_for_good_is_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    async with Sandbox(1) as cloud, client(cloud) as cf:
        empty = cloud.add_app("empty", droplet=False)
        first = await cf.bulk.start([empty.guid], journal=path)
        again = await cf.bulk.start([empty.guid], journal=path, resume=True)
        assert cloud.count("POST", "/actions/start") == 2
    assert [first[0].status, again[0].status] == [Status.FAILED] * 2


async def test_what_was_in_flight_is_looked_at_first(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    async with Sandbox(2) as cloud, client(cloud) as cf:
        started, stopped = cloud.apps
        await cf.apps.start(started)
        before = Journal(path, action="start", target=cloud.url, resume=False)
        await asyncio.gather(before.begun(started), before.begun(stopped))
        before.close()
        report = await cf.bulk.start([started, stopped], journal=path, resume=True)
        asked = [one.path_qs for one in cloud.requests if one.method == "POST"]
        assert sum(f"/{started}/" in path_qs for path_qs in asked) == 1
        assert sum(f"/{stopped}/" in path_qs for path_qs in asked) == 1
    # The one was seen running, the other was seen stopped before it was asked for.
    assert [outcome.status for outcome in report] == [Status.OK, Status.OK]


async def test_a_restart_that_was_in_flight_is_never_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    async with Sandbox(2, started=True) as cloud, client(cloud) as cf:
        one, other = cloud.apps
        before = Journal(path, action="restart", target=cloud.url, resume=False)
        await before.begun(one)
        before.close()
        report = await cf.bulk.restart([one, other], journal=path, resume=True)
        assert cloud.count("POST", f"{one}/actions/restart") == 0
        assert cloud.count("POST", f"{other}/actions/restart") == 1
    assert [outcome.status for outcome in report] == [Status.UNVERIFIED, Status.OK]


async def test_a_look_that_fails_leaves_a_restart_as_open_as_before(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    async with Sandbox(1, started=True) as cloud, client(cloud) as cf:
        [guid] = cloud.apps
        before = Journal(path, action="restart", target=cloud.url, resume=False)
        await before.begun(guid)
        before.close()
        away = cloud.apps.pop(guid)
        first = await cf.bulk.restart([guid], journal=path, resume=True)
        assert first[0].status is Status.FAILED
        cloud.apps[guid] = away
        again = await cf.bulk.restart([guid], journal=path, resume=True)
        assert cloud.count("POST", "/actions/restart") == 0
    assert again[0].status is Status.UNVERIFIED


async def test_a_restart_whose_answer_was_lost_is_never_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    faults = Faults(reset_after=1.0)
    async with Sandbox(1, started=True, faults=faults) as cloud, client(cloud) as cf:
        [guid] = cloud.apps
        first = await cf.bulk.restart([guid], journal=path)
        assert isinstance(first[0].error, DisconnectedError)
        again = await cf.bulk.restart([guid], journal=path, resume=True)
        assert cloud.count("POST", "/actions/restart") == 1
    assert again[0].status is Status.UNVERIFIED


def test_a_torn_last_line_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    journal(path).close()
    with path.open("ab") as file:
        file.write(b'{"event":"begun","key":"a"}\n{"event":"ended","k')
    mended = journal(path, resume=True)
    assert mended.past.doubtful == {"a"}
    mended.close()
    assert path.read_bytes().endswith(b'"a"}\n')


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello\n", "is not a journal"),
        (b"somebody's notes, without a line end", "is not a journal"),
        (b"somebody's notes\nand their last line", "is not a journal"),
        (b'{"schema":2,"action":"start","target":"x","started_at":"2026-01-01T00:00:00Z"}\n', "2"),
        (
            b'{"schema":1,"action":"stop","target":"x","started_at":"2026-01-01T00:00:00Z"}\n',
            "`stop` at x, not of `start` at http://cc.test",
        ),
    ],
)
def test_the_file_of_something_else_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "run.journal"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=said):
        journal(path, resume=True)
    assert path.read_bytes() == content


def test_a_broken_line_in_the_middle_is_said(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    journal(path).close()
    with path.open("ab") as file:
        file.write(b'garbage\n{"event":"begun","key":"a"}\n')
    with pytest.raises(InvalidInputError, match="line 2 is broken"):
        journal(path, resume=True)


def test_an_old_journal_is_resumed_only_if_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    journal(path).close()
    with pytest.raises(InvalidInputError, match="resume it, or name another file"):
        journal(path)


def test_two_runs_on_one_journal_are_one_too_many(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    first = journal(path)
    with pytest.raises(InvalidInputError, match="in use by another run"):
        journal(path, resume=True)
    first.close()
    journal(path, resume=True).close()


def test_a_file_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be opened"):
        journal(tmp_path / "gone" / "run.journal")


async def test_resume_without_a_journal_is_refused() -> None:
    async with Sandbox(1) as cloud, client(cloud) as cf:
        with pytest.raises(InvalidInputError, match="goes with the journal"):
            await cf.bulk.start([], resume=True)


KILLED_APPS = 150


@pytest.mark.parametrize(
    ("action", "wait", "kills"),
    [("start", "none", 20), ("start", "all", 3), ("restart", "none", 3), ("restart", "all", 3)],
)
def test_whenever_a_run_is_killed_each_app_is_asked_once(
    tmp_path: Path, action: str, wait: str, kills: int
) -> None:
    draw = random.Random(5)
    points = [draw.randrange(1, KILLED_APPS) for _ in range(kills)]
    one = partial(killed_and_resumed, tmp_path, action, wait)
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(one, range(kills), points))


def killed_and_resumed(folder: Path, action: str, wait: str, number: int, asked_for: int) -> bool:
    """Kill a run when so many requests have come in, resume it, and hold it against the cloud."""
    path, report = folder / f"{number}.journal", folder / f"{number}.json"
    faults = Faults(latency=0.005, startup=0.2)
    with SandboxThread(Sandbox(KILLED_APPS, faults=faults, seed=number)) as cloud:
        words = [action, "--all", "--yes", "--journal", str(path), "--concurrency", "8"]
        words += ["--wait", wait]
        login = {"CF_API": cloud.url, "CF_USERNAME": "admin", "CF_PASSWORD": "admin"}
        command = [sys.executable, "-m", "aioappsapi", *words]
        quiet = subprocess.DEVNULL
        # What is killed cannot close its file of coverage.
        quiet_env = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
        environment = quiet_env | login
        first = subprocess.Popen(command, stdout=quiet, stderr=quiet, env=environment)
        kill_after(first, cloud, f"/actions/{action}", asked_for)
        resumed = [*command, "--resume", "--report", str(report)]
        subprocess.run(resumed, stdout=quiet, stderr=quiet, env=environment, check=False)
        posts = Counter(r.path_qs for r in cloud.requests if r.method == "POST" and r.status)
        asked = {path: n for path, n in posts.items() if path.endswith(f"/actions/{action}")}
        assert set(asked.values()) == {1}, "what was in flight is looked at, and not asked again"
        assert all(app.applied[action] <= 1 for app in cloud.apps.values())
        left = {app.guid for app in cloud.apps.values() if not app.applied[action]}
        assert action == "restart" or not left
    outcomes = Report.load(report)
    ended = Counter(outcome.status for outcome in outcomes)
    assert ended[Status.OK] + ended[Status.UNVERIFIED] == len(outcomes) == KILLED_APPS
    assert {outcome.key for outcome in outcomes if outcome.as_asked}.isdisjoint(left)
    assert len(left) <= 8, "only what was in flight may have been left alone"
    if wait == "all":
        assert ended[Status.UNVERIFIED] <= (0 if action == "start" else 16)
    return True


def kill_after(process: subprocess.Popen[bytes], cloud: Sandbox, what: str, often: int) -> None:
    """Kill a process as soon as so many requests have come in, or let it end by itself."""
    while cloud.count("POST", what) < often:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.002)
            return
    process.send_signal(signal.SIGKILL)
    process.wait()


async def test_what_cannot_be_saved_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.journal"
    async with Sandbox(30) as cloud, client(cloud) as cf:
        guids = list(cloud.apps)
        await cf.bulk.start(guids[:3], journal=path)

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(RunAbortedError) as caught:
                await cf.bulk.start(guids, journal=path, resume=True)
        assert cloud.count("POST", "/actions/start") == 3
        report = caught.value.report
        assert (report.counts["ok"], report.counts["not_attempted"]) == (3, 27)
        assert isinstance(caught.value.__cause__, OSError)
        report = await cf.bulk.start(guids, journal=path, resume=True)
        assert report.ok
        assert cloud.count("POST", "/actions/start") == 30


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of a file's size")
def test_a_disk_that_takes_half_a_line_leaves_none(tmp_path: Path) -> None:
    """In a process of its own, because a limit cannot be taken back."""
    path = tmp_path / "run.journal"
    journal(path).close()
    size = path.stat().st_size
    program = f"""
import asyncio, resource, signal
from aioappsapi.bulk.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 20}, {size + 20}))
journal = Journal({str(path)!r}, action="start", target={TARGET!r}, resume=True)
try:
    asyncio.run(journal.begun("a"))
except OSError:
    journal.close()
    print("refused", flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "refused\n"
    assert path.stat().st_size == size
    mended = journal(path, resume=True)
    assert mended.past.doubtful == frozenset()
    mended.close()


async def test_outcomes_that_cannot_be_saved_cost_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run.journal"
    real, flushes = os.fsync, []

    def full_at_the_end(descriptor: int) -> None:
        flushes.append(descriptor)
        if len(flushes) > 3:  # the head, its folder, and the line of the app
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    async with Sandbox(1) as cloud, client(cloud) as cf:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full_at_the_end)
            assert (await cf.bulk.start(list(cloud.apps), journal=path)).ok
        assert "the last outcomes are not in the journal" in caplog.text
        again = await cf.bulk.start(list(cloud.apps), journal=path, resume=True)
        assert cloud.count("POST", "/actions/start") == 1
    assert again[0].status is Status.OK


@pytest.mark.parametrize("name", ["/dev/null", "/dev/full", "."])
def test_what_can_hold_no_journal_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match=r"cannot be (opened|written)"):
        journal(tmp_path / name)


@virtual
async def test_a_restart_that_was_accepted_is_looked_at_and_not_sent_again() -> None:
    loop = asyncio.get_running_loop()
    with TemporaryDirectory() as folder:
        path = Path(folder, "run.journal")
        faults = Faults(startup=60.0, startup_spread=0.0)
        async with Sandbox(3, started=True, faults=faults, clock=loop.time) as cloud:
            async with client(cloud) as cf:
                guids = list(cloud.apps)
                first = await cf.bulk.restart(guids, journal=path, wait="all", deadline=10)
                assert {outcome.status for outcome in first} == {Status.TIMED_OUT}
                again = await cf.bulk.restart(guids, journal=path, wait="all", resume=True)
                assert {outcome.status for outcome in again} == {Status.OK}
                assert all(map(cloud.running, guids))
            assert cloud.count("POST", "/actions/restart") == 3


@virtual
async def test_a_restart_that_crashed_is_not_sent_again() -> None:
    loop = asyncio.get_running_loop()
    with TemporaryDirectory() as folder:
        path = Path(folder, "run.journal")
        faults = Faults(crash=1.0)
        async with Sandbox(2, started=True, faults=faults, clock=loop.time) as cloud:
            async with client(cloud) as cf:
                guids = list(cloud.apps)
                first = await cf.bulk.restart(guids, journal=path, wait="all")
                again = await cf.bulk.restart(guids, journal=path, wait="all", resume=True)
                for outcome in [*first, *again]:
                    assert outcome.status is Status.FAILED
                    assert isinstance(outcome.error, CrashedError)
            assert cloud.count("POST", "/actions/restart") == 2


@virtual
async def test_what_was_put_off_is_known_not_to_have_happened() -> None:
    """A restart that did not arrive may be sent again, should the run not come to that."""
    loop = asyncio.get_running_loop()
    with TemporaryDirectory() as folder:
        path = Path(folder, "run.journal")
        faults = Faults(unavailable=1.0, max_per_app=2)
        async with Sandbox(1, started=True, faults=faults, clock=loop.time) as cloud:
            async with client(cloud, retry=RetryPolicy(attempts=2)) as cf:
                guids = list(cloud.apps)
                assert (await cf.bulk.restart(guids, journal=path)).ok
                assert [event for event, _ in events(path)] == ["begun", "ended"] * 2
                drop_lines(path, 2)
                assert (await cf.bulk.restart(guids, journal=path, resume=True)).ok
            assert cloud.apps[guids[0]].applied["restart"] == 2


def test_a_journal_that_is_not_there_is_begun_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal(tmp_path / "mistyped", resume=True).close()
    assert "no journal" in caplog.text
    assert "a new run begins" in caplog.text
