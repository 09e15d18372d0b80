"""`aioappsapi snapshot` and `restore`, around a maintenance window."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aioappsapi import Report, Snapshot
from aioappsapi.sandbox import Faults, Sandbox, SandboxThread
from tests.command_line import run


@pytest.fixture
def cloud() -> Iterator[Sandbox]:
    with SandboxThread(Sandbox(60, started=True)) as sandbox:
        yield sandbox


@pytest.fixture
def before(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A snapshot of 60 apps, of which 59 ran; all of them were stopped since."""
    monkeypatch.setenv("CF_API", cloud.url)
    monkeypatch.setenv("CF_USERNAME", "admin")
    monkeypatch.setenv("CF_PASSWORD", "admin")
    monkeypatch.chdir(tmp_path)
    assert run("stop", "app-00001").exit_code == 0
    taken = run("snapshot", "before.json", "--all")
    assert taken.exit_code == 0, taken.output
    assert taken.stderr == "aioappsapi: before.json has 60 apps, 59 of them started\n"
    assert run("stop", "--all", "--yes").exit_code == 0
    return tmp_path / "before.json"


def test_a_restore_brings_apps_back(before: Path) -> None:
    asked = run("restore", "before.json")
    assert asked.exit_code == 2
    assert "restore 60 apps" in asked.stderr
    assert "--yes" in asked.stderr
    predicted = run("restore", "before.json", "--dry-run")
    assert predicted.exit_code == 0
    assert "dry run: would restore 60 apps" in predicted.stdout
    assert (
        "  59 to be brought back, 1 already as in the snapshot, 0 would be refused\n"
        in predicted.stdout
    )
    assert len(re.findall(r"changed +\S+  \w+/\w+/app-", predicted.stdout)) == 59
    assert predicted.stdout.count("    state: STARTED before, STOPPED now\n") == 59
    words = ("--yes", "--wait", "all", "--output", "json", "--report", "run.json")
    restored = run("restore", "before.json", *words)
    assert restored.exit_code == 0, restored.output
    document = json.loads(restored.stdout)
    assert document["action"] == "restore"
    assert (document["counts"]["ok"], document["counts"]["already"]) == (59, 1)
    assert Report.load("run.json").ok
    assert "restore: 60 apps" in restored.stderr
    assert "continues" not in restored.stderr


def test_an_app_that_could_not_be_restored_is_named(before: Path) -> None:
    assert run("apps", "delete", "app-00002", "--yes").exit_code == 0
    restored = run("restore", "before.json", "--yes", "--report", "run.json")
    assert restored.exit_code == 1
    assert "1 failed: 404 CF-ResourceNotFound" in restored.stdout
    assert "app-00002" in restored.stdout
    assert "aioappsapi restore before.json --yes --report run.json" in restored.stderr


def test_a_restore_in_waves_has_a_diff_and_a_journal(before: Path) -> None:
    assert run("apps", "delete", "app-00002", "--yes").exit_code == 0
    words = ("--waves-by", "label:env", "--proceed-at", "0%", "--memory", "--droplets")
    predicted = run("restore", "before.json", *words, "--dry-run", "--output", "json")
    assert predicted.exit_code == 0, predicted.output
    document = json.loads(predicted.stdout)
    assert [one["name"] for one in document["diff"]["gone"]] == ["app-00002"]
    assert document["diff"]["same"] == 1
    assert {one["wave"] for one in document["outcomes"]} == {1, 2, 3, 4, 5}, "stops, envs, gone"
    assert run("restore", "before.json", *words, "--resume").exit_code == 2
    journal = ("--journal", "r.journal")
    restored = run("restore", "before.json", *words, *journal, "--yes", "--report", "run.json")
    assert restored.exit_code == 1, restored.output
    again = restored.stderr.splitlines()[-1].partition("aioappsapi restore ")[2]
    assert "--memory --droplets" in again
    assert "--journal r.journal --resume" in again
    assert Report.load("run.json").counts["failed"] == 1
    last = run("restore", *shlex.split(again))
    assert last.exit_code == 1
    assert run("restore", "before.json", *journal, "--resume", "--yes").exit_code == 2


def test_a_second_snapshot_does_not_overwrite_the_first(before: Path) -> None:
    taken = Snapshot.load(before)
    again = run("snapshot", "before.json", "--all")
    assert again.exit_code == 2
    assert "before.json exists already: --force replaces it." in again.stderr
    assert Snapshot.load(before) == taken
    assert run("snapshot", "before.json", "app-00003", "--force").exit_code == 0
    assert [one.name for one in Snapshot.load(before).apps] == ["app-00003"]


@pytest.mark.usefixtures("sandbox_thread")
def test_another_target_is_refused_with_an_error_that_names_the_options(before: Path) -> None:
    refused = run("restore", "before.json", "--sandbox", "60")
    assert refused.exit_code == 2
    assert "before.json is a snapshot of http" in refused.stderr
    assert "Give --force to restore it here." in refused.stderr
    assert run("restore", "before.json", "--sandbox", "60", "--force").exit_code in {0, 1}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["snapshot", "x.json"], "No apps: give GUIDs or names"),
        (["snapshot", "gone/x.json", "--all"], "there is no folder gone"),
        (["snapshot", "x.json", "no-such-app"], "can see is called 'no-such-app'."),
        (["restore", "x.json"], "x.json cannot be read: No such file or directory"),
        (["restore", "report.json"], "report.json is not a snapshot"),
        (["restore", "before.json", "--max-starting", "3"], "give --wait all"),
    ],
)
def test_wrong_usage_is_one_clear_line(before: Path, words: list[str], said: str) -> None:
    run("start", "app-00001", "--report", "report.json")
    result = run(*words)
    assert result.exit_code == 2
    assert said in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_ctrl_c_stops_a_restore_and_prints_the_report(cloud: Sandbox, before: Path) -> None:
    # It cannot end before the signal comes: after some requests the window is full for an hour.
    cloud.faults = Faults(rate_limit=40, rate_window=3600.0)
    words = ["restore", str(before), "--yes", "--concurrency", "1", "--report", "run.json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "aioappsapi", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("restore: 6/"):
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "ended early: the run was interrupted" in output
    counts = Report.load("run.json").counts
    assert counts["total"] == 60
    assert counts["ok"] >= 5
    assert counts["not_attempted"] > 0
