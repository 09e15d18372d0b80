"""The command line, for users and scripts."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aioappsapi import Client, Report
from tests.command_line import Result, Terminal, run

GUID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("CF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CF_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def one_line(result: Result) -> str:
    """What a person is told: a single line, and no traceback."""
    lines = [line for line in result.stderr.splitlines() if line]
    assert "Traceback" not in result.stderr
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_all_apps_are_started_and_a_script_can_read_what_happened(target: str) -> None:
    run("stop", "--all", "--yes")
    result = run("start", "--all", "--yes", "--output", "json", "--report", "run.jsonl")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    counts = document["counts"]
    assert counts.pop("total") == 60 == sum(counts.values()) == counts["ok"]
    assert document["target"] == target
    assert document["action"] == "start"
    assert document["requests"]["sent"] == 61, "one to see which are started already"
    assert [outcome.status for outcome in Report.load("run.jsonl")] == ["ok"] * 60


def test_apps_are_given_by_name_and_by_standard_input(target: str) -> None:
    assert run("start", "--all", "--yes").exit_code == 0
    result = run("stop", "app-00003", "-", text="app-00001 # a remark\n\napp-00002\napp-00001\n")
    assert result.exit_code == 0, result.output
    assert "stop: All 3 apps are in the requested state.\n" in result.stdout
    assert re.search(r"  \S+ s, 4 requests sent, 0 of them retries\n", result.stdout)
    assert "3 ok" in result.stdout


def test_equal_failures_share_a_line_with_advice_and_a_report_continues_the_run(
    target: str,
) -> None:
    result = run("start", "app-00001", GUID, GUID[:-1] + "1", "--report", "run.json")
    assert result.exit_code == 1
    assert "1 of 3 apps is in the requested state. 2 failed." in result.stdout
    assert "2 failed: 404 CF-ResourceNotFound: App not found" in result.stdout
    assert "    What to do: Check the GUID and the target." in result.stdout
    again = run("start", "@run.json", "--output", "jsonl")
    assert again.exit_code == 1
    head, *outcomes = [json.loads(line) for line in again.stdout.splitlines()]
    assert head["counts"]["failed"] == 2
    assert {outcome["key"] for outcome in outcomes} == {GUID, GUID[:-1] + "1"}


def test_the_exact_command_to_continue_comes_last(target: str) -> None:
    words = ("start", GUID, "--wait", "all", "--startup-timeout", "90")
    result = run(*words, "--report", "run.html", "--report", "my run.json")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "aioappsapi: to continue with the apps that are left: "
        "aioappsapi start '@my run.json' --wait all --startup-timeout 1m30s"
    )
    assert "to continue" not in run(*words, "--report", "run.html").stderr
    assert "to continue" not in run("start", "app-00001", "--report", "run.json").stderr


def test_a_run_with_a_journal_continues_from_the_journal(target: str) -> None:
    words = ("--journal", "run.journal", "--report", "run.json", "--exclude", "x y")
    result = run("start", GUID, *words)
    command = (
        f"aioappsapi start {GUID} --exclude 'x y' --journal run.journal --resume --report run.json"
    )
    assert result.stderr.splitlines()[-1].endswith(f": {command}")
    assert run(*shlex.split(command)[1:]).exit_code == 1


# -- names


def test_an_unknown_name_is_refused_with_similar_names_before_anything_is_sent(
    target: str,
) -> None:
    result = run("start", "app-00001", "ap-00002", "nothing-like-it")
    assert (result.exit_code, result.stdout) == (2, "")
    said = one_line(result)
    assert "No app that this login can see is called 'ap-00002', 'nothing-like-it'." in said
    assert re.search(r"Did you mean \w+/\w+/app-00002 or ", said)
    assert "Nothing was sent." in said
    assert "--skip-unknown" in said


def test_unknown_names_can_be_skipped(target: str) -> None:
    result = run("start", "app-00001", "nope", "--skip-unknown", "--output", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["counts"]["total"] == 1
    assert "is called 'nope': skipped" in result.stderr
    assert run("start", "nope", "--skip-unknown").exit_code == 2


def test_a_path_names_an_app_wherever_a_name_is_accepted(target: str) -> None:
    shown = run("apps", "list", "--name", "app-00001")
    guid, _, _, space, organization = shown.stdout.split()
    path = f"{organization.upper()}/{space}/app-00001"
    assert run("apps", "get", path).stdout.startswith("guid")
    assert guid in run("apps", "get", path).stdout
    document = json.loads(run("start", path, "app-00001", "--output", "json").stdout)
    [outcome] = document["outcomes"]
    assert (outcome["key"], outcome["space"]) == (guid, space)
    few = predicted("--name", f"{organization}/{space}/app-0000*")["outcomes"]
    assert {(one["organization"], one["space"]) for one in few} == {(organization, space)}
    assert run("apps", "get", f"{organization}/elsewhere/app-00001").exit_code == 2


async def create_twins() -> list[str]:
    """Create an app of one name in two spaces of an organization."""
    async with Client.from_env() as client:
        space = await client.spaces.list().first()
        assert space is not None
        organization = space.relationships.organization.guid
        spaces = await client.spaces.list(organization_guids=[str(organization)]).all()
        apps = [await client.apps.create("twin", one.guid) for one in spaces[:2]]
        found = client.apps.list(guids=[app.guid for app in apps], include=["space.organization"])
        return [f"{app.organization.name}/{app.space.name}/twin" async for app in found]


def test_a_name_in_two_spaces_shows_the_path_of_each_app(target: str) -> None:
    paths = asyncio.run(create_twins())
    try:
        result = run("start", "twin", "app-00001")
        assert result.exit_code == 2
        said = one_line(result)
        assert "2 apps are called 'twin': " in said
        assert all(path in said for path in paths)
        assert "Give org/space/app, or the GUID." in said
    finally:
        deleted = [run("apps", "delete", path, "--yes").exit_code for path in paths]
    assert deleted == [0, 0]


def predicted(*words: str) -> dict[str, Any]:
    """What a dry run says of the apps that are selected."""
    result = run("start", *words, "--dry-run", "--output", "json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    assert document["dry_run"] is True
    assert len(document["outcomes"]) == document["counts"]["total"]
    return document


def test_selectors_are_combined(target: str) -> None:
    assert len(predicted("--all")["outcomes"]) == 60
    few = predicted("--name", "app-0001*", "--exclude", "*5")["outcomes"]
    assert [app["name"] for app in few] == [f"app-0001{n}" for n in (0, 1, 2, 3, 4, 6, 7, 8, 9)]
    assert 0 < predicted("--org", "acme", "--space", "prod")["counts"]["total"] < 60
    lines = run("start", "--label-selector", "env=prod", "--dry-run", "--output", "jsonl").stdout
    head, *outcomes = lines.splitlines()
    assert 0 < json.loads(head)["counts"]["total"] == len(outcomes) < 60


def test_a_dry_run_predicts_and_changes_nothing(target: str) -> None:
    run("stop", "app-00007")
    for _ in range(2):
        result = run("start", "app-00007", "--dry-run", "--report", "plan.json")
        assert result.exit_code == 0
        assert "dry run: would start 1 app " in result.stdout
        assert re.search(r"ok +app-00007", result.stdout), "it was not started by the first one"
        assert "earliest finish: in " in result.stdout
    assert Report.load("plan.json").predicted
    assert predicted("--all")["plan"]["requests"]["ask"] > 0


def test_many_apps_need_a_confirmation(target: str) -> None:
    result = run("start", "--all")
    assert result.exit_code == 2
    assert "60 apps" in one_line(result)
    assert "--yes" in one_line(result)


@pytest.mark.usefixtures("nowhere", "sandbox_thread")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start"], "No apps: give GUIDs or names"),
        (["start", "x", "--all"], "not both"),
        (["start", "@missing.txt"], "missing.txt cannot be read: No such file or directory"),
        (["start", "@."], "cannot be read"),
        (["start", "@"], "@ needs the name of a file"),
        (["start", "x", "--journal", "gone/x"], "there is no folder gone"),
        (["start", "x", "--deadline", "-3"], "--deadline: '-3' is not a duration"),
        (
            ["start", "x", "--max-failures", "0"],
            "--max-failures: '0' is neither a count nor a share",
        ),
        (
            ["start", "x", "--report", "run.txt"],
            "a report is written as .json, .jsonl, .csv, .xml, .html or .md",
        ),
        (["start", "--sandbox", "3", "caf\udce9"], "'caf\\udce9' is not UTF-8"),
        (["start", "--sandbox", "3", "--stack", "\udce9"], "is not UTF-8"),
        (["start", "--sandbox", "3", "--label-selector", "\udce9"], "is not UTF-8"),
        (["start", "--sandbox", "3", "--lifecycle", "vm"], "--lifecycle vm: 'buildpack'"),
        (["start", "x", "--report", "gone/run.json"], "there is no folder gone"),
        (["start", "--sandbox", "3", "--org", "nope"], "No organization 'nope'"),
        (["start", "--sandbox", "3", "--space", "nope"], "No space 'nope'"),
        (["start", "--sandbox", "3", "--name", "z*"], "No app matches"),
    ],
)
def test_wrong_usage_is_one_clear_line(words: list[str], said: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert said in one_line(result)


@pytest.mark.usefixtures("nowhere", "sandbox_thread")
def test_an_unknown_option_or_a_bad_number_is_wrong_usage() -> None:
    assert run("start", "--bogus").exit_code == 2
    assert run("start", "x", "--concurrency", "0").exit_code == 2
    assert run("start", "x", "--output", "yaml").exit_code == 2


@pytest.mark.usefixtures("nowhere", "sandbox_thread")
def test_an_empty_standard_input_selects_nothing() -> None:
    result = run("start", "-", text="\n# nothing\n")
    assert result.exit_code == 2
    assert "No app was given" in one_line(result)


@pytest.mark.usefixtures("nowhere", "sandbox_thread")
def test_without_a_target_the_error_says_how_to_set_one() -> None:
    result = run("start", "x")
    assert result.exit_code == 3
    assert "CF_API" in one_line(result)
    assert "cf login" in one_line(result)


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"CF_PASSWORD": "wrong-secret"}, 3, "login was refused by the UAA: 401 unauthorized"),
        ({"CF_API": "http://127.0.0.1:9"}, 3, "no connection"),
        ({"CF_API": "ht tp://x"}, 2, "The API's address is not usable"),
        ({"CF_ACCESS_TOKEN": "garbage-secret"}, 3, "401 CF-InvalidAuthToken"),
        ({"CF_PASSWORD": ""}, 3, "CF_PASSWORD is not set"),
    ],
)
def test_a_command_that_cannot_begin_says_why_in_one_line(
    target: str,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str],
    status: int,
    said: str,
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    result = run("start", "app-00001")
    assert result.exit_code == status
    assert said in one_line(result)
    assert "secret" not in result.output


def test_an_html_page_is_not_taken_for_cloud_foundry(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CF_API", f"{target}/healthz")
    result = run("start", "app-00001")
    assert result.exit_code == 3
    assert "is not a Cloud Foundry API" in one_line(result)


@pytest.mark.usefixtures("nowhere", "sandbox_thread")
def test_the_sandbox_has_transient_and_permanent_failures() -> None:
    result = run("start", "--all", "--sandbox", "300", "--output", "json", "--seed", "1")
    document = json.loads(result.stdout)
    counts = document["counts"]
    assert result.exit_code == 1
    assert counts.pop("total") == 300 == sum(counts.values())
    assert {name for name, count in counts.items() if count} <= {"ok", "unverified", "failed"}
    failed = [one for one in document["outcomes"] if one["status"] == "failed"]
    assert {one["error"]["type"] for one in failed} == {"UnprocessableError"}
    assert document["requests"]["sent"] == sum(document["requests"]["by_status"].values())


def test_a_deadline_that_ends_before_the_run_begins_is_status_3(target: str) -> None:
    result = run("start", "--all", "--yes", "--deadline", "0.000001", "--output", "json")
    document = json.loads(result.stdout)
    assert result.exit_code == 3 == document["exit_status"]
    assert document["error"]["type"] == "DeadlineError"
    assert "was over during login; nothing was sent" in one_line(result)


def test_the_version_is_printed() -> None:
    assert run("--version").stdout.startswith("aioappsapi 0.")


def test_ctrl_c_ends_a_run_cleanly_with_a_report(tmp_path: Path) -> None:
    report = tmp_path / "run.json"
    words = ["start", "--all", "--sandbox", "400", "--concurrency", "2", "--report", str(report)]
    process = subprocess.Popen(
        [sys.executable, "-m", "aioappsapi", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if " done" in line:
            process.send_signal(signal.SIGINT)
            break
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "interrupted: nothing new is sent" in errors
    counts = Report.load(report).counts
    assert counts.pop("total") == 400 == sum(counts.values())
    assert counts["ok"] > 0
    assert counts["not_attempted"] > 0


def test_the_sandbox_command_serves_until_a_signal() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "aioappsapi", "sandbox", "--port", "0", "--apps", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "Traceback" not in errors


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
def test_an_output_that_cannot_be_written_loses_no_report(target: str, tmp_path: Path) -> None:
    words = ["start", "app-00001", "--output", "json", "--report", str(tmp_path / "run.json")]
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-m", "aioappsapi", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 4
    [rescued] = re.findall(
        r"could not be written: No space left on device. It is in (.*) instead.", done.stderr
    )
    assert Report.load(rescued).ok
    Path(rescued).unlink()
    assert "Traceback" not in done.stderr
    assert Report.load(tmp_path / "run.json").ok


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (b"y\n", 0, "stop: All 60 apps are in the requested state"),
        (b"n\n", 2, "Nothing was done."),
        (b"\x04", 2, "Nothing was done."),  # Ctrl-D
        (signal.SIGINT, 130, "interrupted; nothing was sent."),
        (signal.SIGTERM, 143, "interrupted; nothing was sent."),
    ],
)
def test_a_terminal_asks_for_confirmation_and_may_close(
    target: str, answer: bytes | signal.Signals, status: int, said: str
) -> None:
    terminal = Terminal()
    words = [sys.executable, "-m", "aioappsapi", "stop", "--all"]
    theirs = terminal.theirs
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    terminal.read_until(b"[y/n]")
    terminal.answer(process, answer)
    terminal.read_to_end()
    assert process.wait(120) == status, terminal.shown
    assert said in terminal.shown.decode()
    assert "Traceback" not in terminal.shown.decode()
