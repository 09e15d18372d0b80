"""A run that was ended in any way continues, and sends no request twice."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from aioappsapi import (
    CrashedError,
    InvalidInputError,
    Report,
    RetryPolicy,
    RunAbortedError,
    Status,
)
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.journal import Journal
from aioappsapi.bulk.run.states import Did, State
from aioappsapi.errors import DisconnectedError
from aioappsapi.sandbox import Faults, Sandbox, SandboxThread
from tests.clients import client
from tests.fakes import virtual
from tests.steps import steps_of

TARGET = "http://cc.test"


def journal(
    path: Path, *, resume: bool = False, action: str = "start", target: str = TARGET
) -> Journal:
    return Journal(
        path,
        action=action,
        target=target,
        resume=resume,
        wait="none",
        steps=steps_of(action, "none"),
    )


class Nobody:
    def moved(self, run: AppRun, before: State) -> None: ...


def asking(key: str, action: str = "start") -> AppRun:
    """An app that a worker has taken, and that is about to be sent."""
    run = AppRun(0, key, steps_of(action, "none"), Nobody())
    run.claimed()
    return run


async def killed_while_sending(path: Path, target: str, *keys: str, action: str) -> None:
    """Leave the journal of a run that was killed with these apps in flight."""
    before = journal(path, action=action, target=target)
    await asyncio.gather(*(before.sending(asking(key, action)) for key in keys))
    before.close()


def events(path: Path) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    return [(kind, key) for kind, key, *_ in lines if kind != "resumed"]


def drop_lines(path: Path, count: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-count]))


async def test_every_app_is_on_disk_before_its_request_goes_out(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    async with Sandbox(30) as cloud, client(cloud) as cf:
        report = await cf.bulk.start(list(cloud.apps), journal=path, concurrency=7)
    assert report.ok
    happened = events(path)
    assert Counter(event for event, _ in happened) == {"sending": 30, "ended": 30}
    assert all(happened.index(("sending", k)) < happened.index(("ended", k)) for k in cloud.apps)


async def test_finished_apps_are_taken_over_and_not_sent_again(tmp_path: Path) -> None:
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


async def test_apps_that_failed_without_effect_are_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    async with Sandbox(1) as cloud, client(cloud) as cf:
        empty = cloud.add_app("empty", droplet=False)
        first = await cf.bulk.start([empty.guid], journal=path)
        again = await cf.bulk.start([empty.guid], journal=path, resume=True)
        assert cloud.count("POST", "/actions/start") == 2
    assert [first[0].status, again[0].status] == [Status.FAILED] * 2


async def test_apps_that_were_in_flight_are_checked_before_they_are_sent_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.journal"
    async with Sandbox(2) as cloud, client(cloud) as cf:
        started, stopped = cloud.apps
        await cf.apps.start(started)
        await killed_while_sending(path, cloud.url, started, stopped, action="start")
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
        await killed_while_sending(path, cloud.url, one, action="restart")
        report = await cf.bulk.restart([one, other], journal=path, resume=True)
        assert cloud.count("POST", f"{one}/actions/restart") == 0
        assert cloud.count("POST", f"{other}/actions/restart") == 1
    assert [outcome.status for outcome in report] == [Status.UNVERIFIED, Status.OK]


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


async def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    journal(path).close()
    with path.open("ab") as file:
        file.write(b'["sending","a",0]\n["ended","a",1,"no')
    mended = journal(path, resume=True)
    run = mended.take("a")
    assert run is not None
    assert run.did is Did.MAYBE
    mended.close()
    lines = [json.loads(line)[:2] for line in path.read_text().splitlines()[1:]]
    assert [kind for kind, _ in lines] == ["resumed", "sending", "resumed"]


@pytest.mark.parametrize("left", [0, 1, 9, 30])
async def test_a_journal_with_only_a_torn_line_is_empty(tmp_path: Path, left: int) -> None:
    path = tmp_path / "run.journal"
    journal(path).close()
    path.write_bytes(path.read_bytes()[:left])
    journal(path).close()
    journal(path, resume=True).close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello\n", "is not a journal"),
        (b"somebody's notes, without a line end", "is not a journal"),
        (b"somebody's notes\nand their last line", "is not a journal"),
        (
            b'{"schema":2,"target":"x","taken_at":"2026-01-01T00:00:00Z","apps":[]}',
            "is not a journal",
        ),
        (
            b'{"schema":1,"action":"start","target":"x","started_at":"2026-01-01T00:00:00Z"}\n',
            "has schema 1; this version reads schema 2",
        ),
        (
            b'{"schema":2,"action":"stop","target":"x","started_at":"2026-01-01T00:00:00Z"}\n',
            "`stop` at x, not of `start` at http://cc.test",
        ),
    ],
)
async def test_a_journal_of_another_run_is_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "run.journal"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=said):
        journal(path, resume=True)
    assert path.read_bytes() == content


async def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    journal(path).close()
    with path.open("ab") as file:
        file.write(b'garbage\n["sending","a",0]\n')
    with pytest.raises(InvalidInputError, match="line 3 is broken"):
        journal(path, resume=True)


async def test_a_journal_is_continued_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    journal(path).close()
    with pytest.raises(InvalidInputError, match="already contains a run"):
        journal(path)


async def test_two_runs_cannot_share_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    first = journal(path)
    with pytest.raises(InvalidInputError, match="in use by another run"):
        journal(path, resume=True)
    first.close()
    journal(path, resume=True).close()


async def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be opened"):
        journal(tmp_path / "gone" / "run.journal")


async def test_resume_without_a_journal_is_refused() -> None:
    async with Sandbox(1) as cloud, client(cloud) as cf:
        with pytest.raises(InvalidInputError, match="needs the journal"):
            await cf.bulk.start([], resume=True)


KILLED_APPS = 150


@pytest.mark.parametrize(
    ("action", "wait", "point"),
    [("start", "none", 71), ("start", "all", 40), ("restart", "all", 99)],
)
@pytest.mark.timeout(240)  # three processes that start from nothing, on a loaded machine too
def test_after_a_kill_the_journal_lets_each_app_be_sent_once(
    tmp_path: Path, action: str, wait: str, point: int
) -> None:
    assert killed_and_resumed(tmp_path, action, wait, 1, point)


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
    assert {outcome.key for outcome in outcomes if outcome.done}.isdisjoint(left)
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


async def test_an_app_that_cannot_be_journaled_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.journal"
    async with Sandbox(30) as cloud, client(cloud) as cf:
        guids = list(cloud.apps)
        await cf.bulk.start(guids[:3], journal=path)

        real, flushes = os.fsync, []

        def full_after_the_first(descriptor: int) -> None:
            flushes.append(descriptor)
            if len(flushes) > 1:  # the line that says that a process resumes
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor)

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full_after_the_first)
            with pytest.raises(
                RunAbortedError, match=r"No space left on device: .*run\.journal"
            ) as caught:
                await cf.bulk.start(guids, journal=path, resume=True)
        assert cloud.count("POST", "/actions/start") == 3
        report = caught.value.report
        assert (report.counts["ok"], report.counts["not_attempted"]) == (3, 27)
        assert isinstance(caught.value.__cause__, OSError)
        report = await cf.bulk.start(guids, journal=path, resume=True)
        assert report.ok
        assert cloud.count("POST", "/actions/start") == 30


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of a file's size")
async def test_a_half_written_line_is_taken_back(tmp_path: Path) -> None:
    """In a process of its own, because a limit cannot be taken back."""
    path = tmp_path / "run.journal"
    journal(path).close()
    program = f"""
import asyncio, contextlib, pathlib, resource, signal
from tests.test_journal import asking, journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
async def main():
    opened = journal(pathlib.Path({str(path)!r}), resume=True)
    size = pathlib.Path({str(path)!r}).stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, size + 10))
    try:
        await opened.sending(asking("a"))
    except OSError:
        with contextlib.suppress(OSError):  # it tries once more
            opened.close()
        print(size, flush=True)
asyncio.run(main())
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, check=True
    )
    assert path.stat().st_size == int(done.stdout)
    mended = journal(path, resume=True)
    assert mended.take("a") is None
    mended.close()


async def test_outcomes_that_cannot_be_saved_are_still_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run.journal"
    real, flushes = os.fsync, []

    def full_at_the_end(descriptor: int) -> None:
        flushes.append(descriptor)
        if len(flushes) > 4:  # the head, its folder, `resumed`, and the line of the app
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    async with Sandbox(1) as cloud, client(cloud) as cf:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full_at_the_end)
            assert (await cf.bulk.start(list(cloud.apps), journal=path)).ok
        said = f"The last outcomes are not in the journal {path}: No space left on device"
        assert said in caplog.messages
        again = await cf.bulk.start(list(cloud.apps), journal=path, resume=True)
        assert cloud.count("POST", "/actions/start") == 1
    assert again[0].status is Status.OK


@pytest.mark.parametrize("name", ["/dev/null", "/dev/full", "."])
async def test_a_device_or_folder_is_refused_as_a_journal(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match="not a regular file"):
        journal(tmp_path / name)


@virtual
async def test_an_accepted_restart_is_verified_and_not_sent_again() -> None:
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
async def test_a_restart_that_surely_failed_may_be_sent_again_after_a_kill() -> None:
    """A restart that did not arrive may be sent again, should the run not come to that."""
    loop = asyncio.get_running_loop()
    with TemporaryDirectory() as folder:
        path = Path(folder, "run.journal")
        faults = Faults(unavailable=1.0, max_per_app=2)
        async with Sandbox(1, started=True, faults=faults, clock=loop.time) as cloud:
            async with client(cloud, retry=RetryPolicy(attempts=2)) as cf:
                guids = list(cloud.apps)
                assert (await cf.bulk.restart(guids, journal=path)).ok
                assert [event for event, _ in events(path)] == [
                    "sending",
                    "not_done",
                    "sending",
                    "ended",
                ]
                drop_lines(path, 2)
                assert (await cf.bulk.restart(guids, journal=path, resume=True)).ok
            assert cloud.apps[guids[0]].applied["restart"] == 2


async def test_resuming_a_missing_journal_begins_a_new_run_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal(tmp_path / "mistyped", resume=True).close()
    assert "There is no journal" in caplog.text
    assert "a new run begins" in caplog.text
