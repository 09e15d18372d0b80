"""The end of commands: exit statuses, signals, and files that cannot or may not be written."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aioappsapi import Report, Status
from aioappsapi.cli.exits import Exit, strongest
from aioappsapi.cli.outputs import deliver
from aioappsapi.sandbox import Faults, Sandbox, SandboxThread
from tests.command_line import Result, run
from tests.reports import OK, outcome, report

GUID = "00000000-0000-4000-8000-000000000000"
PROGRAM = [sys.executable, "-m", "aioappsapi"]


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temporary folder, empty."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def one_line(result: Result) -> str:
    [line] = result.stderr.splitlines()
    return line


# -- which status counts


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ([Exit.OK, Exit.NOT_ALL], Exit.NOT_ALL),
        ([Exit.NOT_ALL, Exit.NOT_WRITTEN], Exit.NOT_WRITTEN),
        ([Exit.BUG, Exit.NOT_WRITTEN], Exit.BUG),
        ([Exit.OK, Exit.BUG, Exit.TERMINATED], Exit.TERMINATED),
        ([Exit.NOT_WRITTEN, Exit.HANGUP, Exit.NOT_ALL], Exit.HANGUP),
    ],
)
def test_a_signal_comes_before_a_bug_before_an_unwritten_report_before_failures(
    statuses: list[Exit], status: Exit
) -> None:
    assert strongest(*statuses) is status
    assert strongest(*reversed(statuses)) is status


# -- files


def test_a_report_over_an_input_or_the_journal_is_refused_before_anything_is_sent(
    target: str,
) -> None:
    Path("apps.json").write_text(report(OK, target=target).to_json())
    os.link("apps.json", "same.json")
    before = Path("apps.json").read_bytes()
    for name in ("apps.json", "./apps.json", "same.json"):
        result = run("start", "@apps.json", "--report", name)
        assert result.exit_code == 2
        assert "is an input of this command: choose another file." in one_line(result)
    words = ("start", "app-00001", "--journal", "run.jsonl", "--report", "run.jsonl")
    result = run(*words)
    assert result.exit_code == 2
    assert "run.jsonl is the journal of this command" in one_line(result)
    assert not Path("run.jsonl").exists()
    Path("apps.txt").write_text("app-00001\n")
    result = run("start", "@apps.txt", "--journal", "apps.txt")
    assert result.exit_code == 2
    assert Path("apps.json").read_bytes() == before
    assert Path("apps.txt").read_text() == "app-00001\n"


def test_a_report_never_replaces_a_journal_a_snapshot_or_other_json(target: str) -> None:
    assert run("start", "app-00002", "--journal", "night.jsonl").exit_code == 0
    assert run("start", "app-00002", "--journal", "night.csv").exit_code == 0
    assert run("snapshot", "before.json", "app-00002").exit_code == 0
    Path("package.json").write_text('{"name": "mine"}')
    Path("list.json").write_text("[1]")
    for name in ("night.jsonl", "night.csv", "before.json", "package.json", "list.json"):
        before = Path(name).read_bytes()
        result = run("stop", "app-00002", "--report", name)
        assert result.exit_code == 2, name
        said = one_line(result)
        assert f"{name} exists and is not a report" in said or "must not replace" in said
        assert Path(name).read_bytes() == before


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".xml", ".html", ".md"])
def test_a_report_replaces_an_earlier_report(target: str, suffix: str) -> None:
    for _ in range(2):
        assert run("start", "app-00003", "--report", f"run{suffix}").exit_code == 0
    Path("empty.json").touch()
    assert run("start", "app-00003", "--report", "empty.json").exit_code == 0


def test_a_restore_does_not_write_its_report_over_the_snapshot(target: str) -> None:
    assert run("snapshot", "before.json", "app-00004").exit_code == 0
    result = run("restore", "before.json", "--report", "before.json")
    assert result.exit_code == 2
    assert "before.json is a snapshot, which a report must not replace" in one_line(result)
    Path("apps.txt").write_text("app-00004\n")
    result = run("snapshot", "apps.txt", "@apps.txt", "--force")
    assert result.exit_code == 2
    assert Path("apps.txt").read_text() == "app-00004\n"


def test_a_report_that_cannot_be_written_goes_to_the_temporary_folder(
    target: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Report.write

    def full(self: Report[object], path: Path) -> None:
        if Path(path).name == "run.csv":
            raise OSError(28, "No space left on device")
        write(self, path)

    monkeypatch.setattr(Report, "write", full)
    result = run("start", "app-00005", "--report", "run.csv", "--report", "run.json")
    assert result.exit_code == 4
    [rescued] = temporary.iterdir()
    assert rescued.suffix == ".csv"
    assert "app-00005" in rescued.read_text()
    said = "the report could not be written to run.csv: No space left on device. It is in "
    assert f"{said}{rescued} instead." in result.stderr
    assert Report.load("run.json").ok


def test_failed_apps_and_an_unwritten_report_are_status_4(
    target: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Report[object], path: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Report, "write", never)
    result = run("start", GUID, "--report", "run.json")
    assert result.exit_code == 4
    assert "neither can a temporary file: Read-only file system" in result.stderr
    assert "1 failed" in result.stdout


def test_a_closed_standard_output_is_status_4_and_the_report_is_kept(
    target: str, temporary: Path
) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *PROGRAM, "start", "app-00006"],
        env=os.environ | {"TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    [rescued] = temporary.iterdir()
    assert f"standard output could not be written: it is closed. It is in {rescued}" in done.stderr
    assert len(Report.load(rescued)) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
@pytest.mark.parametrize(
    ("word", "to", "why"),
    [
        ("--help", "/dev/full", "No space left on device"),
        ("--version", "/dev/full", "No space left on device"),
        ("--version", "&-", "it is closed"),
    ],
)
def test_help_that_cannot_be_written_is_status_4(word: str, to: str, why: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$@" >{to}', "sh", *PROGRAM, word],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr == f"aioappsapi: standard output could not be written: {why}\n"


def test_a_closed_standard_input_is_a_clear_error(target: str) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *PROGRAM, "start", "-"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "- reads standard input, but it is closed. Use a pipe or @FILE." in line


def test_a_list_ends_quietly_if_its_reader_closes_the_pipe(target: str) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -1', "sh", *PROGRAM, "apps", "list", "--output", "jsonl"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


# -- reports as input


def test_a_report_without_unfinished_apps_leaves_nothing_to_do(target: str) -> None:
    report(OK, target="https://elsewhere.test").write("run.json")
    result = run("start", "@run.json")
    assert (result.exit_code, result.stdout) == (0, "")
    said = "nothing to do: every app of run.json is in the requested state"
    assert said in one_line(result)
    assert run("start", "@run.json", "--report", "empty.json").stdout == ""
    assert len(Report.load("empty.json")) == 0
    result = run("start", "@run.json", "--output", "json", "--report", "again.jsonl")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["counts"]["total"] == 0
    assert len(Report.load("again.jsonl")) == 0


def test_a_report_of_another_target_is_refused_unless_forced(target: str) -> None:
    report(outcome(GUID, Status.FAILED), target="https://elsewhere.test").write("run.json")
    result = run("start", "@run.json")
    assert result.exit_code == 2
    line = one_line(result)
    assert f"run.json is a report of https://elsewhere.test, but the target is {target}." in line
    assert "--force" in line
    result = run("start", "@run.json", "--force")
    assert result.exit_code == 1
    assert "404 CF-ResourceNotFound" in result.stdout


# -- what keeps a run from beginning


@pytest.mark.parametrize("output", ["json", "jsonl"])
@pytest.mark.parametrize(
    ("words", "status", "kind"),
    [
        (["start", "x", "--max-starting", "3"], 2, "InvalidInputError"),
        (["start", "x", "--bogus"], 2, "UnknownOptionError"),
        (["start", "app-00001"], 3, "AuthError"),
        (["restore", "missing.json"], 2, "InvalidInputError"),
        (["apps", "get", "app-00001"], 3, "AuthError"),
    ],
)
def test_an_error_is_json_with_output_json(
    target: str,
    monkeypatch: pytest.MonkeyPatch,
    output: str,
    words: list[str],
    status: int,
    kind: str,
) -> None:
    monkeypatch.setenv("CF_PASSWORD", "wrong-secret")
    result = run(*words, "--output", output)
    assert result.exit_code == status
    [line] = result.stdout.splitlines()
    document = json.loads(line)
    assert document["schema"] == 1
    assert document["exit_status"] == status
    assert document["error"]["type"] == kind
    assert document["error"]["message"] in one_line(result)
    assert "secret" not in result.output


def test_a_refusal_of_the_server_is_json_with_its_code(target: str) -> None:
    result = run("apps", "get", GUID, "--output", "json")
    error = json.loads(result.stdout)["error"]
    assert result.exit_code == 1
    assert (error["status"], error["title"]) == (404, "CF-ResourceNotFound")


def test_a_bug_is_one_line_and_status_70(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("aioappsapi.cli.bulk.read_given", broken)
    result = run("start", "x", "--output", "json")
    assert result.exit_code == 70
    assert "a bug of this program, ZeroDivisionError: by zero." in one_line(result)
    assert json.loads(result.stdout)["exit_status"] == 70


def test_a_bug_after_the_result_was_printed_adds_no_second_document(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object, **named: object) -> Exit:
        deliver(*given, **named)  # type: ignore[arg-type]
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("aioappsapi.cli.runs.deliver", broken)
    result = run("start", "app-00001", "--output", "json")
    assert result.exit_code == 70
    assert "ZeroDivisionError" in result.stderr
    assert json.loads(result.stdout)["counts"]["total"] == 1


# -- deadlines


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A Cloud Controller whose answers take minutes."""
    with SandboxThread(Sandbox(3, faults=Faults(latency=300.0))) as sandbox:
        log_in_to(sandbox, monkeypatch)
        monkeypatch.chdir(tmp_path)
        yield


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize(
    ("words", "during"),
    [
        (["start", "--all"], "login"),
        (["apps", "list"], "login"),
        (["restore", "before.json"], "login"),
        (["snapshot", "new.json", "--all"], "login"),
    ],
)
def test_a_deadline_covers_the_login(words: list[str], during: str) -> None:
    Path("before.json").write_text(
        '{"schema":2,"target":"https://x.test","taken_at":"2026-01-01T00:00:00Z","apps":[]}'
    )
    result = run(*words, "--deadline", "0.2s")
    assert result.exit_code == 3
    assert f"--deadline 0.2s was over during {during}; nothing was sent." in one_line(result)


def test_a_deadline_covers_the_selection(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("aioappsapi.cli.bulk.select", hang)
    result = run("start", "--all", "--deadline", "1s")
    assert result.exit_code == 3
    assert "was over during the selection of apps; nothing was sent." in one_line(result)


# -- signals


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Cloud Controller of 100 apps that allows 30 requests an hour, so that no run ends early."""
    faults = Faults(rate_limit=30, rate_window=3600.0)
    with SandboxThread(Sandbox(100, faults=faults)) as sandbox:
        log_in_to(sandbox, monkeypatch)
        yield


def log_in_to(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CF_API", sandbox.url)
    monkeypatch.setenv("CF_USERNAME", "admin")
    monkeypatch.setenv("CF_PASSWORD", "admin")


def begun(*command: str, before: str = "") -> subprocess.Popen[str]:
    """A run over all apps that has begun, in a shell that may ignore signals."""
    process = subprocess.Popen(
        ["sh", "-c", f'{before}exec "$@"', "sh", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if " done" in line:
            return process
    raise AssertionError("it never began")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_each_signal_has_its_status_and_leaves_a_report(
    stuck: None, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    words = ("start", "--all", "--yes", "--report", str(tmp_path / "run.json"))
    process = begun(*PROGRAM, *words)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == status
    assert "interrupted: nothing new is sent" in errors
    counts = Report.load(tmp_path / "run.json").counts
    assert counts.pop("total") == 100 == sum(counts.values())
    assert counts["not_attempted"] > 0


def test_a_hangup_that_was_ignored_at_the_start_stays_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ("start", "--all", "--yes", "--concurrency", "1")
    with SandboxThread(Sandbox(40, faults=Faults(latency=0.05))) as sandbox:
        log_in_to(sandbox, monkeypatch)
        process = begun(*PROGRAM, *words, before="trap '' HUP; ")
        process.send_signal(signal.SIGHUP)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "interrupted" not in errors
    assert "All 40 apps are in the requested state" in output


def test_ctrl_c_works_where_the_loop_takes_no_signal_handlers(stuck: None) -> None:
    """As on Windows, where `loop.add_signal_handler` raises NotImplementedError."""
    code = """
import asyncio, signal, sys
def refuse(*_): raise NotImplementedError
asyncio.SelectorEventLoop.add_signal_handler = refuse
del signal.SIGHUP
sys.argv[0] = "aioappsapi"
from aioappsapi.cli import main
main()
"""
    process = begun(sys.executable, "-c", code, "start", "--all", "--yes")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "ended early: the run was interrupted" in output


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_before_a_run_reports_that_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals, status: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("CF_API", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("CF_ACCESS_TOKEN", "token")
        process = subprocess.Popen(
            [*PROGRAM, "start", "--all", "--output", "json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with silent.accept()[0]:  # it logs in, and gets no answer
            process.send_signal(number)
            output, errors = process.communicate(timeout=120)
    assert process.returncode == status
    assert errors == "aioappsapi: interrupted; nothing was sent.\n"
    assert json.loads(output)["exit_status"] == status


@pytest.mark.parametrize(
    ("more", "shown"), [(["--yes"], b" ok"), (["--canary", "3", "--approve"], b"[y/n]")]
)
def test_a_terminal_that_is_closed_ends_a_run_with_a_report(
    stuck: None, tmp_path: Path, more: list[str], shown: bytes
) -> None:
    ours, theirs = pty.openpty()
    script = 'tty=$1; shift; exec "$@" <$tty >$tty 2>&1'  # it becomes the session's terminal
    report = tmp_path / "run.json"
    words = ["start", "--all", "--report", str(report), *more]
    process = subprocess.Popen(
        ["sh", "-c", script, "sh", os.ttyname(theirs), *PROGRAM, *words],
        start_new_session=True,
        env=os.environ | {"COLUMNS": "200", "LINES": "40", "TERM": "xterm-256color"},
    )
    said = b""
    while shown not in said:
        said += os.read(ours, 65_536)
    os.close(ours)
    os.close(theirs)
    assert process.wait(120) == 129
    counts = Report.load(report).counts
    assert counts.pop("total") == 100 == sum(counts.values())
    assert counts["not_attempted"] > 0
