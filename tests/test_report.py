"""Reports: what they count, and what is left of them in a file."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioappsapi import (
    AbandonedError,
    ApiError,
    App,
    AppsApiError,
    AuthError,
    ConnectError,
    DeadlineError,
    InvalidInputError,
    NotAttemptedError,
    NotFoundError,
    Outcome,
    RateLimitedError,
    Report,
    ServerError,
    Status,
    UnprocessableError,
)
from aioappsapi.bulk.report import Requests
from aioappsapi.bulk.timing import percentiles

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REFUSED = UnprocessableError(
    "start app b: 422 CF-UnprocessableEntity: Assign a droplet before starting this app.",
    status=422,
    errors=(
        ApiError(
            code=10008,
            title="CF-UnprocessableEntity",
            detail="Assign a droplet before starting this app.",
        ),
    ),
    request_id="r-2",
    headers={"Retry-After": "1"},
    body=b"secret",
)


def outcome(key: str, status: Status, **fields: Any) -> Outcome[App]:
    return Outcome(key=key, status=status, **fields)


def report(*outcomes: Outcome[App], **fields: Any) -> Report[App]:
    settings: dict[str, Any] = {
        "action": "start",
        "target": "https://api.test",
        "started_at": BEGAN,
        "finished_at": BEGAN + timedelta(seconds=3),
    }
    return Report(outcomes, **settings | fields)


OK = outcome(
    "a",
    Status.OK,
    name="wéb",
    value=App(guid="a"),
    attempts=1,
    started_at=BEGAN,
    duration=4.6,
    time_to_accept=0.25,
    time_to_first_instance=2.5,
    time_to_running=4.5,
    request_ids=("r-1",),
    warnings=("old stack",),
)
BAD = outcome(
    "b", Status.FAILED, error=REFUSED, attempts=1, started_at=BEGAN, duration=0.05, name="worker"
)
REST = outcome("c", Status.NOT_ATTEMPTED, error=NotAttemptedError("start c: stopped."))
MIXED = report(
    OK, BAD, REST, requests=Requests(sent=4, retried=1, by_status=Counter({"503": 1, "200": 3}))
)


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
    assert repr(report(OK, predicted=True)) == "<Report of start, predicted: 1 ok>"


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


# -- percentiles


def test_percentiles_are_nearest_rank() -> None:
    hundred = [float(n) for n in range(100, 0, -1)]
    assert percentiles(hundred) == {"p50": 50, "p90": 90, "p99": 99, "max": 100}
    assert percentiles([3.0, 1.0]) == {"p50": 1, "p90": 3, "p99": 3, "max": 3}
    assert percentiles([0.25]) == {"p50": 0.25, "p90": 0.25, "p99": 0.25, "max": 0.25}
    assert percentiles([]) == {}


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_members_of_the_input(values: list[float]) -> None:
    found = percentiles(values)
    assert set(found.values()) <= {round(value, 4) for value in values}
    assert found["p50"] <= found["p90"] <= found["p99"] <= found["max"]
    assert found["max"] == round(max(values), 4)
    below = sum(round(value, 4) <= found["p90"] for value in values)
    assert below >= 0.9 * len(values)


def test_timings_are_of_what_was_accepted() -> None:
    doubted = outcome("d", Status.UNVERIFIED, duration=2.0)
    assert report(OK, BAD, doubted).timings == {
        "accept_s": {"p50": 0.25, "p90": 2.0, "p99": 2.0, "max": 2.0},
        "first_instance_s": {"p50": 2.5, "p90": 2.5, "p99": 2.5, "max": 2.5},
        "running_s": {"p50": 4.5, "p90": 4.5, "p99": 4.5, "max": 4.5},
    }
    nothing = {"accept_s": {}, "first_instance_s": {}, "running_s": {}}
    assert report(BAD, REST).timings == nothing


def test_acceptance_is_told_from_the_end_where_that_was_seen() -> None:
    waited = outcome(
        "w",
        Status.FAILED,
        time_to_accept=0.5,
        time_to_first_instance=3.0,
        duration=60.0,
    )
    timings = report(waited).timings
    assert timings["accept_s"]["max"] == 0.5
    assert timings["first_instance_s"]["max"] == 3.0
    assert timings["running_s"] == {}


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


ERRORS = [
    REFUSED,
    NotFoundError("get app a: 404", status=404),
    ServerError("start app a: 503 with an HTML page", status=503, request_id="r"),
    RateLimitedError("start app a: 429", status=429),
    ConnectError("POST https://api.test: no connection", method="POST", url="https://api.test"),
    DeadlineError("start a: the deadline came first."),
    AbandonedError("start a: cancelled in flight."),
    NotAttemptedError("start a: stopped."),
    AuthError("The login was refused", error="unauthorized", status=401),
    InvalidInputError("'..' is not a GUID"),
]


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


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
moments = st.datetimes(timezones=st.just(UTC), min_value=datetime(1900, 1, 1))  # noqa: DTZ001
seconds = st.none() | st.floats(0, 1e6).map(lambda value: round(value, 6))
outcomes = st.builds(
    Outcome,
    key=texts,
    status=st.sampled_from(Status),
    name=st.none() | texts,
    error=st.none() | st.sampled_from(ERRORS),
    attempts=st.integers(0, 99),
    started_at=st.none() | moments,
    duration=seconds,
    time_to_accept=seconds,
    time_to_first_instance=seconds,
    time_to_running=seconds,
    request_ids=st.lists(texts).map(tuple),
    warnings=st.lists(texts).map(tuple),
)


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
