"""Runs from the command line that wait for instances: options, exit statuses, Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from aioappsapi import Report
from aioappsapi.sandbox import Sandbox, SandboxThread
from tests.command_line import run


@pytest.fixture
def small() -> Iterator[Sandbox]:
    """A platform with room for four of its ten apps."""
    with SandboxThread(Sandbox(10, cells=1, cell_memory_mb=4 * 1024)) as sandbox:
        yield sandbox


@pytest.fixture
def target(small: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("CF_API", small.url)
    monkeypatch.setenv("CF_USERNAME", "admin")
    monkeypatch.setenv("CF_PASSWORD", "admin")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run.json"


@pytest.fixture
def waiting(target: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that has started what there is room for, and waits for the rest."""
    words = ["start", "--all", "--wait", "all", "--crash-grace", "600", "--report", str(target)]
    process = subprocess.Popen(
        [sys.executable, "-m", "aioappsapi", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(process, "start: 4/10 done (4 ok), 6 starting")
    yield process
    process.kill()
    process.communicate()


def until(process: subprocess.Popen[str], said: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if said in line:
            return line
    raise AssertionError(f"it never said {said!r}")


@pytest.mark.parametrize("ends_it", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_waiting_separates_running_apps_from_accepted_ones(
    waiting: subprocess.Popen[str], target: Path, ends_it: signal.Signals
) -> None:
    waiting.send_signal(ends_it)
    said = until(waiting, "interrupted")
    assert "for 6 accepted but not yet seen running" in said
    waiting.send_signal(ends_it)
    output, errors = waiting.communicate(timeout=120)
    assert waiting.returncode == 128 + ends_it
    assert "Traceback" not in errors
    assert "ended early: the run was interrupted" in output
    report = Report.load(target)
    assert report.counts["ok"] == 4
    assert report.counts["unverified"] == 6
    unseen = [one for one in report if one.status == "unverified"]
    assert all("accepted, but the run was interrupted" in str(one.error) for one in unseen)


def test_a_started_app_is_ok_and_an_app_that_already_runs_is_already(target: Path) -> None:
    first = run("start", "app-00001", "--wait", "routable", "--output", "json")
    assert first.exit_code == 0
    [outcome] = json.loads(first.stdout)["outcomes"]
    assert outcome["status"] == "ok"
    again = run("start", "app-00001", "--wait", "all", "--output", "json")
    assert again.exit_code == 0
    assert json.loads(again.stdout)["counts"]["already"] == 1
    anyway = run("start", "app-00001", "--no-skip-unchanged", "--output", "json")
    assert json.loads(anyway.stdout)["counts"]["ok"] == 1
    stopped = run("stop", "app-00001", "--wait", "all", "--output", "json")
    assert json.loads(stopped.stdout)["counts"]["ok"] == 1


def test_apps_that_do_not_come_up_in_time_are_timed_out(target: Path) -> None:
    words = ("--all", "--wait", "all", "--startup-timeout", "0.2", "--output", "json")
    result = run("start", *words)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["counts"]["timed_out"] == 6


def test_starts_are_held_back_until_others_have_come_up(target: Path) -> None:
    names = [f"app-{number:05}" for number in range(1, 4)]
    words = ("--wait", "all", "--max-starting", "1", "--report", str(target))
    assert run("start", *names, *words).exit_code == 0
    spans = sorted((one.started_at, one.duration) for one in Report.load(target))
    for (began, took), (next_began, _) in pairwise(spans):
        assert next_began >= began + timedelta(seconds=took) - timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--max-starting", "5"],
            "--max-starting holds starts back until other instances have come up",
        ),
        (["--max-starting", "5"], "give --wait all, or any"),
        (["--wait", "all", "--max-starting-mb", "0"], "--max-starting-mb: 0 is out of range"),
        (["--startup-timeout", "0"], "--startup-timeout: '0' is too short"),
        (["--crash-grace", "-1"], "--crash-grace: '-1' is not a duration"),
        (["--profile", "chaos"], "--profile goes with --sandbox"),
        (["--seed", "1"], "--seed goes with --sandbox"),
        (["--sandbox", "3", "--insecure"], "--insecure do not go with --sandbox"),
        (["--resume"], "--resume goes with --journal"),
    ],
)
def test_options_that_exclude_each_other_are_wrong_usage(words: list[str], said: str) -> None:
    result = run("start", "x", *words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_unknown_wait_is_wrong_usage() -> None:
    assert run("start", "x", "--wait", "some").exit_code == 2


def test_a_bad_cf_startup_timeout_is_refused_before_anything_is_sent(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CF_STARTUP_TIMEOUT", "soon")
    result = run("start", "app-00001", "--wait", "all")
    assert result.exit_code == 2
    assert "CF_STARTUP_TIMEOUT='soon'" in result.stderr


@pytest.mark.usefixtures("sandbox_thread")
def test_apps_in_the_demo_sandbox_start_slowly_and_some_crash() -> None:
    words = ("--all", "--sandbox", "150", "--wait", "all", "--crash-grace", "0")
    document = json.loads(run("start", *words, "--output", "json").stdout)
    assert document["timings"]["running_s"]["p50"] > document["timings"]["accept_s"]["p50"]
    failed = {one["error"]["type"] for one in document["outcomes"] if one["status"] == "failed"}
    assert failed == {"UnprocessableError", "CrashedError"}


@pytest.mark.usefixtures("sandbox_thread")
@pytest.mark.parametrize(("profile", "status"), [("none", 0), ("chaos", 1)])
def test_the_sandbox_has_profiles(profile: str, status: int) -> None:
    words = ("--sandbox", "100", "--profile", profile, "--wait", "all", "--output", "json")
    result = run("start", "--all", *words)
    document = json.loads(result.stdout)
    assert result.exit_code == status
    assert document["counts"]["total"] == 100
    assert (document["requests"]["retried"] > 0) == (profile == "chaos")
