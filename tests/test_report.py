"""Reports: what they count, and what is left of them in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioappsapi import (
    App,
    AppsApiError,
    AuthError,
    InvalidInputError,
    Outcome,
    Report,
    Status,
)
from tests.reports import BAD, ERRORS, MIXED, OK, REFUSED, REST, outcome, outcomes, report

# -- reading it


def test_report_is_a_sequence_of_its_outcomes() -> None:
    assert list(MIXED) == [OK, BAD, REST]
    assert len(MIXED) == 3
    assert MIXED[1] is BAD
    assert list(MIXED[1:]) == [BAD, REST]
    assert BAD in MIXED


def test_what_failed_is_the_input_of_the_next_run() -> None:
    doubted = outcome("d", Status.UNVERIFIED)
    already = outcome("e", Status.ALREADY)
    mixed = report(OK, BAD, REST, doubted, already)
    assert mixed.failed_keys() == ["b", "c", "d"]
    assert [o.key for o in mixed.failed] == ["b", "c", "d"]
    assert not mixed.ok
    assert report(OK, already).ok


def test_counts_name_every_status_and_add_up() -> None:
    assert MIXED.counts == {
        "total": 3,
        "ok": 1,
        "already": 0,
        "unverified": 0,
        "failed": 1,
        "timed_out": 0,
        "cancelled": 0,
        "not_attempted": 1,
    }


def test_report_that_lacks_a_part_of_its_input_is_not_ok() -> None:
    assert report(OK).ok
    part = report(OK, complete=False)
    assert not part.ok
    assert part.to_dict()["complete"] is False
    assert part.failed_keys() == []


def test_report_says_whether_it_is_a_prediction_and_why_it_ended_early() -> None:
    usual = report(OK).to_dict()
    assert not {"dry_run", "stopped"} & usual.keys()
    assert report(OK, predicted=True).to_dict()["dry_run"] is True
    assert report(OK, stopped="too many failed").to_dict()["stopped"] == "too many failed"
    assert repr(report(OK, predicted=True)) == "<Report of start (predicted): 1 ok>"


def test_repr_is_short_and_says_what_happened() -> None:
    assert repr(MIXED) == "<Report of start: 1 ok, 1 failed, 1 not_attempted>"
    assert repr(report()) == "<Report of start: no apps>"
    assert repr(MIXED.requests) == "<Requests sent=4 retried=1>"


def test_raise_for_failures_raises_each_error() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        MIXED.raise_for_failures()
    assert "2 of 3" in str(caught.value)
    assert caught.value.exceptions == (REFUSED, REST.error)
    report(OK).raise_for_failures()


def test_raise_for_failures_speaks_of_those_without_an_error_too() -> None:
    doubted = outcome("d", Status.UNVERIFIED, name="web")
    with pytest.raises(ExceptionGroup) as caught:
        report(OK, doubted).raise_for_failures()
    (error,) = caught.value.exceptions
    assert isinstance(error, AppsApiError)
    assert "web" in str(error)
    assert "unverified" in str(error)


# -- as JSON


def test_report_as_json_has_exactly_these_fields() -> None:
    assert MIXED.to_dict() == {
        "schema": 1,
        "action": "start",
        "target": "https://api.test",
        "started_at": "2026-03-01T12:00:00+00:00",
        "finished_at": "2026-03-01T12:00:03+00:00",
        "counts": MIXED.counts,
        "requests": {"sent": 4, "retried": 1, "by_status": {"200": 3, "503": 1}},
        "timings": MIXED.timings,
        "throughput": {
            "step_s": 0.1,
            "asked": [2] + [0] * 44,
            "accepted": [0, 0, 1] + [0] * 42,
            "running": [0] * 44 + [1],
        },
        "outcomes": [
            {
                "key": "a",
                "name": "wéb",
                "status": "ok",
                "attempts": 1,
                "started_at": "2026-03-01T12:00:00Z",
                "duration_s": 4.6,
                "time_to_accept_s": 0.25,
                "time_to_first_instance_s": 2.5,
                "time_to_running_s": 4.5,
                "request_ids": ["r-1"],
                "warnings": ["old stack"],
            },
            {
                "key": "b",
                "name": "worker",
                "status": "failed",
                "attempts": 1,
                "started_at": "2026-03-01T12:00:00Z",
                "duration_s": 0.05,
                "error": {
                    "type": "UnprocessableError",
                    "message": str(REFUSED),
                    "status": 422,
                    "code": 10008,
                    "title": "CF-UnprocessableEntity",
                    "detail": "Assign a droplet before starting this app.",
                    "request_id": "r-2",
                },
            },
            {
                "key": "c",
                "status": "not_attempted",
                "attempts": 0,
                "error": {"type": "NotAttemptedError", "message": "start c: stopped."},
            },
        ],
    }
    assert list(MIXED.to_dict()) == [
        "schema",
        "action",
        "target",
        "started_at",
        "finished_at",
        "counts",
        "requests",
        "timings",
        "throughput",
        "outcomes",
    ]


def test_json_is_one_document_and_lines_are_one_outcome_each() -> None:
    assert json.loads(MIXED.to_json()) == MIXED.to_dict()
    assert json.loads(MIXED.to_json(indent=2)) == MIXED.to_dict()
    head, *rest = [json.loads(line) for line in MIXED.to_jsonl().splitlines()]
    assert head | {"outcomes": rest} == MIXED.to_dict()
    assert MIXED.to_jsonl().endswith("\n")


def test_bodies_of_answers_are_not_written() -> None:
    assert "secret" not in MIXED.to_json()


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_come_back_as_what_they_were(
    tmp_path: Path, suffix: str, error: AppsApiError
) -> None:
    path = tmp_path / f"report{suffix}"
    report(outcome("a", Status.FAILED, error=error)).write(path)
    back = Report.load(path)[0].error
    assert type(back) is type(error)
    assert str(back) == str(error)
    for name in ("status", "code", "title", "detail", "request_id"):
        if name != "status" or not isinstance(error, AuthError):
            assert getattr(back, name, None) == getattr(error, name, None)
    repr(back)


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize(
    "one",
    [
        MIXED,
        report(),
        report(OK, complete=False),
        report(OK, predicted=True),
        report(OK, REST, stopped="nobody can log in"),
    ],
    ids=["mixed", "empty", "part", "predicted", "stopped"],
)
def test_report_survives_a_file(tmp_path: Path, suffix: str, one: Report[App]) -> None:
    path = tmp_path / f"report{suffix}"
    one.write(str(path))
    back = Report.load(str(path))
    assert back.to_dict() == one.to_dict()
    assert back.complete == one.complete
    assert (back.predicted, back.stopped) == (one.predicted, one.stopped)
    assert (back.started_at, back.finished_at) == (one.started_at, one.finished_at)
    assert back.failed_keys() == one.failed_keys()
    assert all(o.value is None for o in back)


@given(st.lists(outcomes, max_size=4), st.sampled_from([".json", ".jsonl"]))
def test_any_report_survives_a_file(
    tmp_path_factory: pytest.TempPathFactory, some: list[Outcome[App]], suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    one = report(*some)
    one.write(path)
    assert Report.load(path).to_dict() == one.to_dict()


def test_class_that_is_not_known_here_becomes_its_base(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for name in ("NewerError", "Mapping", "asyncio", "__name__"):
        data = report(BAD).to_dict()
        data["outcomes"][0]["error"]["type"] = name  # type: ignore[index]
        path.write_text(json.dumps(data))
        assert type(Report.load(path)[0].error) is AppsApiError


# -- files that are none

HEAD = {
    "schema": 1,
    "action": "start",
    "target": "t",
    "started_at": "2026-03-01T12:00:00Z",
    "finished_at": "2026-03-01T12:00:00Z",
}
NO_REPORTS = [
    b"",
    b"\n",
    b"{",
    b"null",
    b"[]",
    b"7",
    b"{}",
    b"\xff\xfe",
    b"<testsuite/>",
    json.dumps(HEAD | {"schema": 2}).encode(),
    json.dumps(HEAD | {"schema": "1"}).encode(),
    json.dumps(HEAD | {"started_at": "yesterday"}).encode(),
    json.dumps(HEAD | {"action": None}).encode(),
]
NO_OUTCOMES: list[Any] = [
    7,
    {},
    {"key": "a", "status": "ok"},
    {"key": "a", "status": "splendid", "attempts": 1},
    {"key": 7, "status": "ok", "attempts": 1},
    {"key": "a", "status": "ok", "attempts": "many"},
    {"key": "a", "status": "ok", "attempts": 1, "error": {"type": "NotFoundError"}},
]


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize("data", NO_REPORTS)
def test_what_is_no_report_is_refused(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"no{suffix}"
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match="is not a report"):
        Report.load(path)


@pytest.mark.parametrize("data", NO_OUTCOMES, ids=json.dumps)
def test_what_is_no_outcome_is_refused(tmp_path: Path, data: object) -> None:
    whole, lines = tmp_path / "no.json", tmp_path / "no.jsonl"
    whole.write_text(json.dumps(HEAD | {"outcomes": [data]}))
    lines.write_text(f"{json.dumps(HEAD)}\n{json.dumps(data)}\n")
    for path in (whole, lines):
        with pytest.raises(InvalidInputError, match="is not a report"):
            Report.load(path)


def test_lines_may_have_blanks_between_them(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    path.write_text(MIXED.to_jsonl().replace("\n", "\n\n"))
    assert Report.load(path).to_dict() == MIXED.to_dict()


def test_half_a_character_is_written_as_what_it_is(tmp_path: Path) -> None:
    """As comes from arguments that are no UTF-8: it can be neither written nor read."""
    one = report(outcome("caf\udce9", Status.NOT_ATTEMPTED, name="\ud800"))
    for suffix in (".json", ".jsonl"):
        path = tmp_path / f"report{suffix}"
        one.write(path)
        (back,) = Report.load(path)
        assert (back.key, back.name) == (r"caf\udce9", r"\ud800")


@pytest.mark.parametrize("name", ["report", "report.yaml", "report.JSONX", ".json"])
def test_unknown_suffix_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(InvalidInputError, match="json"):
        MIXED.write(path)
    assert not path.exists()
    with pytest.raises(InvalidInputError, match="json"):
        Report.load(path)


def test_file_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Report.load(tmp_path / "none.json")
    with pytest.raises(FileNotFoundError):
        MIXED.write(tmp_path / "none" / "report.json")
