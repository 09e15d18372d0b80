"""A run that is ended by anything at all goes on where it was, and asks nobody twice."""

from __future__ import annotations

import asyncio
import contextlib
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

import pytest

from aioappsapi import Client, InvalidInputError, PasswordGrant, Report, Status
from aioappsapi.bulk.journal import Journal
from aioappsapi.errors import DisconnectedError
from aioappsapi.sandbox import Faults, Sandbox, SandboxThread

TARGET = "http://cc.test"


def journal(path: Path, *, resume: bool = False, action: str = "start") -> Journal:
    return Journal(path, action=action, target=TARGET, resume=resume)


def client(cloud: Sandbox) -> Client:
    return Client(cloud.url, auth=PasswordGrant("admin", "admin"), proxy="")


def events(path: Path) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    return [(line["event"], line["key"]) for line in lines]


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


def test_whenever_a_run_is_killed_each_app_is_started_once(tmp_path: Path) -> None:
    draw = random.Random(5)
    points = [draw.randrange(1, KILLED_APPS) for _ in range(20)]
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(partial(killed_and_resumed, tmp_path), range(20), points))


def killed_and_resumed(folder: Path, number: int, starts: int) -> bool:
    """Kill a run when so many starts have come in, resume it, and hold it against the cloud."""
    path, report = folder / f"{number}.journal", folder / f"{number}.json"
    with SandboxThread(Sandbox(KILLED_APPS, faults=Faults(latency=0.005), seed=number)) as cloud:
        words = ["start", "--all", "--yes", "--journal", str(path), "--concurrency", "8"]
        login = {"CF_API": cloud.url, "CF_USERNAME": "admin", "CF_PASSWORD": "admin"}
        command = [sys.executable, "-m", "aioappsapi", *words]
        quiet = subprocess.DEVNULL
        environment = os.environ | login
        first = subprocess.Popen(command, stdout=quiet, stderr=quiet, env=environment)
        kill_after(first, cloud, starts)
        resumed = [*command, "--resume", "--report", str(report)]
        subprocess.run(resumed, stdout=quiet, stderr=quiet, env=environment, check=False)
        posts = Counter(r.path_qs for r in cloud.requests if r.method == "POST" and r.status)
        asked = {path: n for path, n in posts.items() if path.endswith("/actions/start")}
        assert len(asked) == KILLED_APPS
        assert set(asked.values()) == {1}, "what was in flight is looked at, and not asked again"
        assert {app.state for app in cloud.apps.values()} == {"STARTED"}
    counts = Report.load(report).counts
    assert counts["ok"] + counts["unverified"] == counts["total"] == KILLED_APPS
    return True


def kill_after(process: subprocess.Popen[bytes], cloud: Sandbox, starts: int) -> None:
    """Kill a process as soon as so many starts have come in, or let it end by itself."""
    while cloud.count("POST", "/actions/start") < starts:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.002)
            return
    process.send_signal(signal.SIGKILL)
    process.wait()
