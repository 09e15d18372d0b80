"""Reports as JSON, written and read."""

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
    CrashedError,
    InvalidInputError,
    JobFailedError,
    Outcome,
    Report,
    Status,
)
from aioappsapi._version import __version__
from aioappsapi.bulk.reports.timing import LimitLevel, PauseSpan
from tests.reports import BAD, ERRORS, MIXED, OK, REFUSED, REST, outcome, outcomes, report


def test_a_report_as_json_has_exactly_these_fields() -> None:
    assert MIXED.to_dict() == {
        "schema": 1,
        "action": "start",
        "target": "https://api.test",
        "started_at": "2026-03-01T12:00:00Z",
        "finished_at": "2026-03-01T12:00:03Z",
        "counts": MIXED.counts,
        "requests": {"sent": 4, "retried": 1, "by_status": {"200": 3, "503": 1}},
        "timings": MIXED.timings,
        "throughput": {
            "step_s": 0.1,
            "asked": [2] + [0] * 44,
            "accepted": [0, 0, 1] + [0] * 42,
            "running": [0] * 44 + [1],
        },
        "version": __version__,
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
        "version",
        "outcomes",
    ]


def test_json_is_one_document_and_json_lines_have_one_outcome_each() -> None:
    assert json.loads(MIXED.to_json()) == MIXED.to_dict()
    assert json.loads(MIXED.to_json(indent=2)) == MIXED.to_dict()
    head, *rest = [json.loads(line) for line in MIXED.to_jsonl().splitlines()]
    assert head | {"outcomes": rest} == MIXED.to_dict()
    assert MIXED.to_jsonl().endswith("\n")


def test_bodies_of_answers_are_not_written() -> None:
    assert "secret" not in MIXED.to_json()


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_come_back_with_their_classes(
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
def test_a_report_survives_a_file(tmp_path: Path, suffix: str, one: Report[App]) -> None:
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


def test_an_error_that_comes_back_has_its_attributes(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    crashed = outcome(
        "a", Status.FAILED, error=CrashedError("start a: crashes", states=("CRASHED",))
    )
    job = outcome("b", Status.FAILED, error=JobFailedError("delete b: failed", guid="g"))
    report(crashed, job).write(path)
    first, second = (one.error for one in Report.load(path))
    assert isinstance(first, CrashedError)
    assert (str(first), first.states) == ("start a: crashes", ())
    assert isinstance(second, JobFailedError)
    assert str(second) == "delete b: failed"


def test_a_class_that_is_not_known_here_becomes_its_base(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for name in ("NewerError", "Mapping", "asyncio", "__name__"):
        data = report(BAD).to_dict()
        data["outcomes"][0]["error"]["type"] = name  # type: ignore[index]
        path.write_text(json.dumps(data))
        assert type(Report.load(path)[0].error) is AppsApiError


# -- other files

HEAD = {
    "schema": 1,
    "action": "start",
    "target": "t",
    "started_at": "2026-03-01T12:00:00Z",
    "finished_at": "2026-03-01T12:00:00Z",
    "counts": {"total": 0},
    "requests": {},
    "timings": {},
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
def test_another_file_is_refused(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"no{suffix}"
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match="is not a report"):
        Report.load(path)


@pytest.mark.parametrize("data", NO_OUTCOMES, ids=json.dumps)
def test_an_outcome_of_another_shape_is_refused(tmp_path: Path, data: object) -> None:
    whole, lines = tmp_path / "no.json", tmp_path / "no.jsonl"
    whole.write_text(json.dumps(HEAD | {"outcomes": [data]}))
    lines.write_text(f"{json.dumps(HEAD)}\n{json.dumps(data)}\n")
    for path in (whole, lines):
        with pytest.raises(InvalidInputError, match="is not a report"):
            Report.load(path)


def test_json_lines_may_have_blank_lines_between_them(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    path.write_text(MIXED.to_jsonl().replace("\n", "\n\n"))
    assert Report.load(path).to_dict() == MIXED.to_dict()


def test_a_lone_surrogate_is_written_as_an_escape(tmp_path: Path) -> None:
    """Arguments that are not UTF-8 contain such characters, which UTF-8 cannot encode."""
    one = report(outcome("caf\udce9", Status.NOT_ATTEMPTED, name="\ud800"))
    for suffix in (".json", ".jsonl"):
        path = tmp_path / f"report{suffix}"
        one.write(path)
        (back,) = Report.load(path)
        assert (back.key, back.name) == (r"caf\udce9", r"\ud800")


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize("opening", [b'{"other":', b'{"options":{"a":'])
def test_deeply_nested_json_is_not_a_report(tmp_path: Path, suffix: str, opening: bytes) -> None:
    path = tmp_path / f"deep{suffix}"
    path.write_bytes(opening + b"[" * 100_000)
    with pytest.raises(InvalidInputError, match="nested too deeply"):
        Report.load(path)


def test_a_report_keeps_where_apps_live_and_how_the_run_went(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    placed = outcome("a", Status.OK, space="dev", organization="acme", target="eu", wave=2)
    one = report(
        placed,
        target=None,
        options={"wait": "all", "max_failures": 0.1},
        pauses=[PauseSpan(second=1.0, seconds=4.5, reason="429", target="eu")],
        limits=[LimitLevel(second=0.0, limit=50)],
    )
    one.write(path)
    written = json.loads(path.read_text())
    assert (written["target"], written["targets"]) == (None, ["eu"])
    back = Report.load(path)
    assert back[0] == placed
    assert (back.options, back.version) == (one.options, one.version)
    assert (back.pauses, back.limits) == (one.pauses, one.limits)
