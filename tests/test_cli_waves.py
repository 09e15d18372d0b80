"""`--waves-by`, `--canary`, `--ramp` and `--approve`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aioappsapi.cli.wave_flags import WaveFlags
from tests.command_line import Terminal, run

SANDBOX = ("--all", "--sandbox", "7", "--profile", "none", "--no-progress")


def test_the_waves_are_in_the_report_and_in_the_dry_run() -> None:
    result = run("start", *SANDBOX, "--ramp", "1,2", "--output", "json")
    assert result.exit_code == 0, result
    document = json.loads(result.stdout)
    assert [one["wave"] for one in document["outcomes"]] == [1, 2, 2, 3, 3, 3, 3]
    assert document["options"]["waves"] == "ramp 1,2"
    for action in ("start", "restage"):
        result = run(action, *SANDBOX, "--canary", "30%", "--dry-run")
        assert result.exit_code == 0, result
        assert "wave 1 of 2 (canary): 3 apps\n" in result.stdout
        assert "wave 2 of 2 (rest): 4 apps\n" in result.stdout


def test_a_canary_that_fails_ends_with_1_and_the_reason(tmp_path: Path) -> None:
    words = ("scale", *SANDBOX, "--instances", "2", "--process", "none", "--canary", "2")
    result = run(*words, "--report", str(tmp_path / "r.json"))
    assert result.exit_code == 1
    assert "2 failed" in result.stdout
    assert "wave 1 of 2 (canary) ended with 0 of 2 apps in the requested state" in result.stdout
    assert "5 not attempted" in result.stdout


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ({"waves_by": "label:-order"}, "by label -order"),
        ({"waves_by": "annotation:order"}, "by annotation order"),
        ({"waves_by": "needs:needs"}, "by needs needs"),
        ({"waves_by": "space"}, "by space"),
        ({"waves_by": "organization"}, "by organization"),
        ({"canary": 0.05}, "canary 0.05"),
        ({"ramp": "3"}, "ramp 3,2"),
        ({}, "None"),
    ],
)
def test_what_is_typed_makes_waves(words: dict[str, Any], shown: str) -> None:
    assert str(WaveFlags(**words).waves()) == shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--canary", "5", "--ramp", "1"), "Give one of --waves-by, --canary and --ramp."),
        (("--pause", "5m"), "are for waves"),
        (("--approve",), "are for waves"),
        (("--canary", "5", "--approve"), "there is no terminal to ask at"),
        (("--waves-by", "label:"), "label:KEY"),
        (("--waves-by", "colour"), "label:KEY"),
        (("--ramp", "0"), "1,2"),
        (("--canary", "5", "--proceed-at", "120%"), "90%"),
    ],
)
def test_options_that_do_not_fit_end_with_2(words: tuple[str, ...], said: str) -> None:
    result = run("start", *SANDBOX, *words)
    assert result.exit_code == 2, result
    assert said in result.stderr
    assert "Traceback" not in result.stderr


Answers = tuple[bytes | signal.Signals, ...]


@pytest.mark.parametrize(
    ("answers", "status", "started"),
    [
        ((b"y\n", b"y\n"), 0, 4),
        ((b"y\n", b"n\n"), 1, 1),
        ((b"y\n", signal.SIGINT), 130, 1),
    ],
    ids=["yes", "no", "Ctrl-C"],
)
def test_a_person_is_asked_before_each_wave(answers: Answers, status: int, started: int) -> None:
    terminal = Terminal()
    words = ["--all", "--sandbox", "4", "--profile", "none", "--canary", "1", "--approve"]
    process = subprocess.Popen(
        [sys.executable, "-m", "aioappsapi", "start", *words, "--output", "json"],
        stdin=terminal.theirs,
        stdout=subprocess.PIPE,
        stderr=terminal.theirs,
    )
    os.close(terminal.theirs)
    for number, answer in enumerate(answers, 1):
        terminal.read_until(b"wave %d of 2" % number)
        terminal.read_until(b"[y/n]", times=number)
        terminal.answer(process, answer)
    terminal.read_to_end()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == status, terminal.shown
    counts = json.loads(output)["counts"]
    assert (counts["ok"], counts["not_attempted"]) == (started, 4 - started)
    assert (b"so far: 1 ok" in terminal.shown) == (len(answers) > 1)
