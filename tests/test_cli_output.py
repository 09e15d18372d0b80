"""The output of a run: progress, logs and summary, on terminals and in pipes."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aioappsapi.sandbox import Faults, Sandbox, SandboxThread
from tests.command_line import run

pytestmark = pytest.mark.usefixtures("target", "sandbox_thread")

PROGRAM = [sys.executable, "-m", "aioappsapi"]
GUID = "00000000-0000-4000-8000-000000000000"
NUMBERS = re.compile(
    r"start: (?P<done>\d+)/(?P<total>\d+) done( \((?P<ended>[^)]*)\))?(?P<rest>.*)"
)


def terminal(*words: str, columns: int, **environment: str) -> str:
    """What a terminal of some width gets, with escapes."""
    ours, theirs = pty.openpty()
    settings = {"COLUMNS": str(columns), "LINES": "40", "TERM": "xterm-256color", **environment}
    process = subprocess.Popen(
        [*PROGRAM, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | settings
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65_536):
            shown += part
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    process.wait(120)
    return shown.decode()


def plain(shown: str) -> list[str]:
    """The lines that were shown, without escapes."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "\n").split("\n")


# -- progress


def test_the_numbers_of_a_log_add_up_in_every_line() -> None:
    result = run("start", "--all", "--sandbox", "400", "--wait", "any", "--crash-grace", "0")
    found = [match for match in map(NUMBERS.match, result.stderr.splitlines()) if match]
    assert len(found) >= 3
    for line in found:
        ended = [int(number) for number in re.findall(r"(\d+) ", line["ended"] or "")]
        open_ = re.findall(r"(\d+) (?:in progress|held back|starting|to retry|to go)", line["rest"])
        assert sum(ended) == int(line["done"])
        assert int(line["done"]) + sum(map(int, open_)) == int(line["total"]) == 400


def test_a_log_names_the_first_five_failures_and_then_counts() -> None:
    Path("apps.txt").write_text("\n".join(GUID[:-2] + f"{n:02}" for n in range(20)))
    result = run("start", "@apps.txt")
    lines = result.stderr.splitlines()
    assert sum(line.startswith("failed: ") for line in lines) == 5
    assert lines.count("more apps failed; from here on they are only counted") == 1
    assert "20 failed: 404" in result.stdout


def test_a_stop_reports_stopped_apps() -> None:
    assert run("start", "app-00001", "--wait", "all").exit_code == 0
    result = run("stop", "app-00001", "--wait", "all")
    assert result.exit_code == 0
    assert "stopped after p50" in result.stdout
    assert "running" not in result.output


def test_a_terminal_shows_a_bar_with_percent_rate_and_time_within_its_width(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults = Faults(startup=1.5, startup_spread=0.4)
    with SandboxThread(Sandbox(60, faults=faults)) as sandbox:
        monkeypatch.setenv("CF_API", sandbox.url)
        lines = plain(terminal("start", "--all", "--yes", "--wait", "all", columns=80))
    assert max(map(len, lines)) <= 80
    shown = "\n".join(lines)
    assert re.search(r"start [━╸╺ ]+\d+/60 \d+%", shown)
    assert re.search(r"\d+ ok  \d+ starting", shown)
    assert re.search(r"\d+\.\d apps/s  \d+ s elapsed", shown)
    assert "listing apps" in shown
    assert "All 60 apps are in the requested state." in shown


def test_no_color_shows_no_colour() -> None:
    shown = terminal("start", "app-00001", GUID, columns=80, NO_COLOR="1")
    assert "failed" in shown
    colours = [
        code for code in re.findall(r"\x1b\[([0-9;]+)m", shown) if re.search(r"3\d|9\d", code)
    ]
    assert colours == []


@pytest.mark.parametrize("option", ["--quiet", "-q", "--no-progress"])
def test_progress_can_be_turned_off(option: str) -> None:
    result = run("stop", "app-00001", option)
    assert (result.exit_code, result.stderr) == (0, "")
    assert ("The app is in the requested" in result.stdout) == (option == "--no-progress")


def test_quiet_still_summarises_failures_and_prints_json() -> None:
    result = run("start", GUID, "--quiet")
    assert result.exit_code == 1
    assert "1 failed: 404 CF-ResourceNotFound" in result.stdout
    document = json.loads(run("start", "app-00002", "-q", "--output", "json").stdout)
    assert document["counts"]["total"] == 1


# -- logs


def test_trace_logs_every_request_without_secrets() -> None:
    assert "GET /v3/apps" not in run("start", "app-00002").stderr
    result = run("start", "app-00002", "--trace", "--no-skip-unchanged")
    assert result.exit_code == 0
    assert re.search(r"aioappsapi: GET /v3/apps\S*: 200 in \d", result.stderr)
    assert re.search(r"POST /v3/apps/\S+/actions/start: 200", result.stderr)
    assert "earer" not in result.stderr
    assert "admin" not in result.stderr


def test_verbose_logs_retries() -> None:
    words = ("start", "--all", "--sandbox", "150", "--profile", "chaos", "--no-progress")
    assert "in 0." not in run(*words).stderr
    assert "0." in run(*words, "-v").stderr


def test_the_log_format_json_makes_every_line_a_document() -> None:
    result = run(
        "start", "app-00002", GUID, "no-such-app", "--skip-unknown", "--log-format", "json"
    )
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert {"time", "level", "message"} <= set(lines[0])
    assert {"app": GUID, "status": "failed"}.items() <= next(
        line.items() for line in lines if "app" in line
    )
    numbers = {"done": 2, "total": 2, "ok": 1, "failed": 1}
    assert any(numbers.items() <= line.items() for line in lines)
    assert "No app that this login can see is called 'no-such-app'" in lines[0]["message"]
    assert lines[0]["level"] == "warning"
    assert any("start: 2 apps" in line["message"] for line in lines)
