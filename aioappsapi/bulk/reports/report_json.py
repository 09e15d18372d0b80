"""Reports as JSON, and back.

The Structs here are the file format: the JSON schema in the package is generated from them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final, Never

import msgspec
from msgspec import UNSET, UnsetType

from aioappsapi import errors
from aioappsapi.bulk.files import decode_json
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.timing import COUNTED, LimitLevel, PauseSpan, step_for, throughput
from aioappsapi.errors import ApiError, AppsApiError, ResponseError

SCHEMA: Final = 1

# A time without a zone is ambiguous.
Aware = Annotated[datetime, msgspec.Meta(tz=True)]

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class ErrorRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error: its class, its text, and the first error of the server."""

    type: str
    message: str
    status: int | None = None
    code: int | None = None
    title: str | None = None
    detail: str | None = None
    request_id: str | None = None

    def error(self) -> AppsApiError:
        """Make the error again. A class that does not exist here becomes AppsApiError."""
        cls: object = getattr(errors, self.type, None)
        if not isinstance(cls, type) or not issubclass(cls, AppsApiError):
            return AppsApiError(self.message)
        if issubclass(cls, ResponseError):
            return _response_error(cls, self)
        try:
            return cls(self.message)
        except TypeError:  # its arguments are not in the file; the text is enough
            return cls.__new__(cls, self.message)


class OutcomeRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An outcome without its value; times in seconds since `started_at`."""

    key: str
    name: str | None = None
    space: str | None = None
    organization: str | None = None
    target: str | None = None
    wave: int | None = None
    status: Status
    attempts: int
    started_at: Aware | None = None
    duration_s: float | None = None
    time_to_accept_s: float | None = None
    time_to_first_instance_s: float | None = None
    time_to_running_s: float | None = None
    request_ids: list[str] = []
    warnings: list[str] = []
    error: ErrorRecord | None = None

    def outcome(self) -> Outcome[Never]:
        """Make the outcome again."""
        return Outcome(
            key=self.key,
            name=self.name,
            space=self.space,
            organization=self.organization,
            target=self.target,
            wave=self.wave,
            status=self.status,
            error=self.error.error() if self.error is not None else None,
            attempts=self.attempts,
            started_at=self.started_at,
            duration=self.duration_s,
            time_to_accept=self.time_to_accept_s,
            time_to_first_instance=self.time_to_first_instance_s,
            time_to_running=self.time_to_running_s,
            request_ids=tuple(self.request_ids),
            warnings=tuple(self.warnings),
        )


class CountsRecord(msgspec.Struct, frozen=True):
    """The number of apps by status."""

    total: int
    ok: int = 0
    already: int = 0
    unverified: int = 0
    failed: int = 0
    timed_out: int = 0
    cancelled: int = 0
    not_attempted: int = 0


class RequestsRecord(msgspec.Struct, frozen=True):
    """The requests of the run; `by_status` counts HTTP statuses, and failures by name."""

    sent: int = 0
    retried: int = 0
    by_status: dict[str, int] = {}


class ThroughputRecord(msgspec.Struct, frozen=True):
    """The number of apps per step of `step_s` seconds, from the start of the run."""

    step_s: float
    asked: list[int]
    accepted: list[int]
    running: list[int]


class ReportHead(msgspec.Struct, frozen=True, kw_only=True):
    """A report without its outcomes: the first line of JSON Lines."""

    schema: Annotated[int, msgspec.Meta(extra_json_schema={"const": SCHEMA})]
    action: str
    target: str | None
    targets: list[str] | UnsetType = UNSET
    started_at: Aware
    finished_at: Aware
    counts: CountsRecord
    requests: RequestsRecord
    timings: dict[str, dict[str, float]]
    throughput: ThroughputRecord | UnsetType = UNSET
    complete: bool | UnsetType = UNSET
    dry_run: bool | UnsetType = UNSET
    stopped: str | UnsetType = UNSET
    options: dict[str, object] | UnsetType = UNSET
    version: str | UnsetType = UNSET
    pauses: list[PauseSpan] | UnsetType = UNSET
    limits: list[LimitLevel] | UnsetType = UNSET
    target_errors: dict[str, ErrorRecord] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ValueError(f"its schema is {self.schema}, and only {SCHEMA} is known")


class ReportRecord(ReportHead, frozen=True, kw_only=True):
    """A whole report."""

    outcomes: list[OutcomeRecord] = []


def head_record(report: ReportData[object]) -> ReportHead:
    """Return a report without its outcomes."""
    return ReportHead(
        schema=SCHEMA,
        action=report.action,
        target=report.target,
        targets=report.targets if report.target is None else UNSET,
        started_at=report.started_at,
        finished_at=report.finished_at,
        counts=CountsRecord(**report.counts),
        requests=msgspec.convert(report.requests.to_dict(), RequestsRecord),
        timings=report.timings,
        throughput=_throughput(report),
        complete=UNSET if report.complete else False,
        dry_run=report.predicted or UNSET,
        stopped=_or_unset(report.stopped),
        options=report.options or UNSET,
        version=_or_unset(report.version),
        pauses=list(report.pauses) or UNSET,
        limits=list(report.limits) or UNSET,
        target_errors={at: error_record(one) for at, one in report.target_errors.items()} or UNSET,
    )


def report_dict(report: ReportData[object]) -> dict[str, object]:
    """Return the JSON form of a report as builtin types."""
    fields: dict[str, object] = msgspec.to_builtins(head_record(report), enc_hook=str)
    return fields | {"outcomes": [msgspec.to_builtins(outcome_record(one)) for one in report]}


def json_document(report: ReportData[object], indent: int | None = None) -> str:
    """Return a report as one JSON document, compact unless `indent` is given."""
    outcomes = ",".join(_encode(outcome_record(one)) for one in report)
    text = f'{_encode(head_record(report))[:-1]},"outcomes":[{outcomes}]}}'
    return text if indent is None else msgspec.json.format(text, indent=indent)


def json_chunks(report: ReportData[object]) -> Iterator[str]:
    """Yield a JSON document piece by piece: its head, then one outcome per line."""
    yield msgspec.json.format(_encode(head_record(report)), indent=1)[:-2]
    yield ',\n "outcomes": ['
    comma = "\n  "
    for outcome in report:
        yield comma + _encode(outcome_record(outcome))
        comma = ",\n  "
    yield "]\n}\n" if comma == "\n  " else "\n ]\n}\n"


def json_lines(report: ReportData[object]) -> Iterator[str]:
    """Yield JSON Lines: the head of the report, then one outcome per line."""
    yield _encode(head_record(report)) + "\n"
    for outcome in report:
        yield _encode(outcome_record(outcome)) + "\n"


def outcome_record(outcome: Outcome[object]) -> OutcomeRecord:
    """Return an outcome without its value."""
    return OutcomeRecord(
        key=outcome.key,
        name=outcome.name,
        space=outcome.space,
        organization=outcome.organization,
        target=outcome.target,
        wave=outcome.wave,
        status=outcome.status,
        attempts=outcome.attempts,
        started_at=outcome.started_at,
        duration_s=_rounded(outcome.duration),
        time_to_accept_s=_rounded(outcome.time_to_accept),
        time_to_first_instance_s=_rounded(outcome.time_to_first_instance),
        time_to_running_s=_rounded(outcome.time_to_running),
        request_ids=list(outcome.request_ids),
        warnings=list(outcome.warnings),
        error=error_record(outcome.error) if outcome.error is not None else None,
    )


def error_record(error: AppsApiError) -> ErrorRecord:
    """Return an error without the body and the headers of the answer."""
    if not isinstance(error, ResponseError):
        return ErrorRecord(type=type(error).__name__, message=str(error))
    return ErrorRecord(
        type=type(error).__name__,
        message=str(error),
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        request_id=error.request_id,
    )


def decode_report(data: bytes) -> ReportRecord:
    """Read a JSON report. Raises ValueError."""
    return decode_json(data, ReportRecord)


def decode_lines(data: bytes) -> ReportRecord:
    """Read a report of JSON Lines. Raises ValueError."""
    head, _, rest = data.partition(b"\n")
    report = decode_json(head, ReportRecord)
    lines = (line for line in rest.splitlines() if line.strip())
    return msgspec.structs.replace(
        report, outcomes=[decode_json(line, OutcomeRecord) for line in lines]
    )


def _encode(record: msgspec.Struct) -> str:
    try:
        return msgspec.json.encode(record, enc_hook=str).decode()
    except UnicodeEncodeError:
        # A lone surrogate, from an argument that is not UTF-8, cannot be written as it is.
        text = json.dumps(msgspec.to_builtins(record, enc_hook=str), ensure_ascii=False)
        return _SURROGATE.sub(lambda match: rf"\\u{ord(match[0]):04x}", text)


def _throughput(report: ReportData[object]) -> ThroughputRecord | UnsetType:
    timeline = report.timeline()
    if (step := step_for(timeline)) is None:
        return UNSET
    steps = throughput(timeline, step)
    return ThroughputRecord(step, *([getattr(one, name) for one in steps] for name in COUNTED))


def _or_unset(value: str | None) -> str | UnsetType:
    return UNSET if value is None else value


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def _response_error(cls: type[ResponseError], record: ErrorRecord) -> ResponseError:
    error = cls.__new__(cls, record.message)
    first = ApiError(code=record.code, title=record.title, detail=record.detail)
    ResponseError.__init__(
        error,
        record.message,
        status=record.status or 0,
        errors=() if first == ApiError() else (first,),
        request_id=record.request_id,
    )
    return error
