"""The command `aioappsapi report`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aioappsapi import Report, Status
from tests.command_line import Result
from tests.command_line import run as run_command
from tests.reports import MIXED, OK, outcome, report


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    MIXED.write("before.json")
    report(OK, outcome("b", Status.OK)).write("after.jsonl")


def run(*words: str) -> Result:
    return run_command("report", *words)


def test_show_prints_what_happened_in_each_run() -> None:
    result = run("show", "before.json", "after.jsonl")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "before.json: start at https://api.test, 2026-03-01 12:00:00 UTC"
    said = "start: 1 of 3 apps is in the requested state. 1 failed and 1 was not attempted."
    assert lines[1:3] == [said, "  3.0 s, 4 requests sent, 1 of them retries"]
    assert "  accepted after p50 0.25 s, p90 0.25 s, p99 0.25 s, max 0.25 s" in lines
    assert "  running after p50 4.50 s, p90 4.50 s, p99 4.50 s, max 4.50 s" in lines
    assert (
        "1 failed: 422 CF-UnprocessableEntity: Assign a droplet before starting this app." in lines
    )
    assert any(line.startswith("after.jsonl: ") for line in lines)


def test_show_prints_one_document_for_one_report_and_for_several() -> None:
    assert json.loads(run("show", "before.json", "--output", "json").stdout) == MIXED.to_dict()
    result = run("show", "before.json", "after.jsonl", "--output", "json")
    first, second = json.loads(result.stdout)["reports"]
    assert first == MIXED.to_dict()
    assert second["counts"]["ok"] == 2
    lines = run("show", "before.json", "after.jsonl", "--output", "jsonl").stdout.splitlines()
    assert lines == (MIXED.to_jsonl() + Path("after.jsonl").read_text()).splitlines()


def test_show_names_predictions_and_early_ends_and_escapes_names() -> None:
    hostile = outcome("c", Status.FAILED, name="\x1b[2Jgone :smile:")
    report(hostile, predicted=True, stopped="enough").write("odd.json")
    text = run("show", "odd.json").stdout
    assert "start (predicted): A start would be accepted for 0 of 1 app." in text
    assert "ended early: enough" in text
    assert "\x1b" not in text
    assert r"\x1b[2Jgone :smile:" in text


def test_compare_prints_what_differs() -> None:
    result = run("compare", "before.json", "after.jsonl")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "failed -> ok: worker (b)" in result.stdout
    assert "not_attempted -> absent: c" in result.stdout


def test_compare_ends_with_1_if_an_app_got_worse() -> None:
    result = run("compare", "after.jsonl", "before.json", "--output", "json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["changed"] == [
        {"key": "b", "name": "worker", "before": "ok", "after": "failed"}
    ]


@pytest.mark.parametrize("command", ["show", "compare"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none.json", "none.json cannot be read: No such file or directory"),
        ("bad.json", "bad.json is not a report"),
        ("run.html", "run.html: only .json and .jsonl reports can be read."),
        (".", "only .json and .jsonl reports"),
    ],
)
def test_a_file_that_is_not_a_report_is_refused_in_one_line(
    command: str, name: str, reason: str
) -> None:
    Path("bad.json").write_text("{")
    result = run(command, "before.json", name)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert reason in line


def test_help_of_the_bulk_commands_names_every_suffix() -> None:
    text = " ".join(run_command("start", "--help").stdout.replace("│", "").split())
    assert "Write a report: .json, .jsonl, .csv, .xml (JUnit), .html or .md." in text


# -- files made of reports


def test_merge_adds_reports_up_and_writes_the_sum() -> None:
    report(outcome("d", Status.OK), target="https://us.test").write("us.json")
    result = run("merge", "before.json", "us.json", "--report", "all.json", "--report", "all.html")
    assert result.exit_code == 0
    assert result.stdout.startswith("2 reports: start at 2 targets, 2026-03-01 12:00:00 UTC\n")
    assert "start: 2 of 4 apps are in the requested state." in result.stdout
    assert "report written to all.json\n" in result.stderr
    merged = Report.load("all.json")
    assert [one.target for one in merged] == ["https://api.test"] * 3 + ["https://us.test"]
    assert merged.requests.sent == MIXED.requests.sent + report().requests.sent
    assert "<html" in Path("all.html").read_text()
    document = run("merge", "before.json", "us.json", "--output", "json").stdout
    assert json.loads(document)["counts"]["total"] == 4


def test_reports_that_cannot_be_merged_are_refused_and_no_file_is_written() -> None:
    result = run("merge", "before.json", "before.json", "--report", "all.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "An app is in more than one of the reports" in result.stderr
    assert not Path("all.json").exists()
    result = run("merge", "before.json", "--report", "before.json")
    assert result.exit_code == 2
    assert "is an input of this command" in result.stderr


@pytest.mark.parametrize("suffix", ["html", "json"])
def test_a_comparison_can_be_written(suffix: str) -> None:
    for _ in range(2):  # a second one replaces the first one
        result = run("compare", "before.json", "after.jsonl", "--report", f"changes.{suffix}")
        assert result.exit_code == 0
    assert f"comparison written to changes.{suffix}\n" in result.stderr
    assert "worker" in Path(f"changes.{suffix}").read_text()


def test_a_comparison_has_no_other_formats_and_replaces_no_input() -> None:
    result = run("compare", "before.json", "after.jsonl", "--report", "changes.csv")
    assert result.exit_code == 2
    assert "changes.csv: a comparison is written as .html or .json." in result.stderr
    result = run("compare", "before.json", "after.jsonl", "--report", "before.json")
    assert result.exit_code == 2
