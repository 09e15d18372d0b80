"""Outcomes and their errors as JSON, and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from aioappsapi import errors
from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.errors import ApiError, AppsApiError, ResponseError


class ErrorRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error: its class, its text, and what the server said."""

    type: str
    message: str
    status: int | None = None
    code: int | None = None
    title: str | None = None
    detail: str | None = None
    request_id: str | None = None

    def error(self) -> AppsApiError:
        """Make the error again. A class that is not known here becomes its base."""
        cls = getattr(errors, self.type, None)
        if not isinstance(cls, type) or not issubclass(cls, AppsApiError):
            cls = AppsApiError
        error = cls.__new__(cls, self.message)
        if isinstance(error, ResponseError):
            said = ApiError(code=self.code, title=self.title, detail=self.detail)
            ResponseError.__init__(
                error,
                self.message,
                status=self.status or 0,
                errors=() if said == ApiError() else (said,),
                request_id=self.request_id,
            )
        return error


class OutcomeRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An outcome, without its value."""

    key: str
    name: str | None = None
    status: Status
    attempts: int
    started_at: datetime | None = None
    duration_s: float | None = None
    time_to_accept_s: float | None = None
    time_to_first_instance_s: float | None = None
    time_to_running_s: float | None = None
    request_ids: list[str] = []
    warnings: list[str] = []
    error: ErrorRecord | None = None

    def outcome(self) -> Outcome[object]:
        """Make the outcome again."""
        return Outcome(
            key=self.key,
            name=self.name,
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


class RequestsRecord(msgspec.Struct, frozen=True):
    """What a run sent."""

    sent: int = 0
    retried: int = 0
    by_status: dict[str, int] = {}


class ReportRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A whole report; what can be counted again is not read."""

    schema: int
    action: str
    target: str
    started_at: datetime
    finished_at: datetime
    requests: RequestsRecord = RequestsRecord()
    complete: bool = True
    dry_run: bool = False
    stopped: str | None = None
    outcomes: list[OutcomeRecord] = []

    def __post_init__(self) -> None:
        if self.schema != 1:
            raise ValueError(f"its schema is {self.schema}, and only 1 is known")

    def results(self) -> Iterator[Outcome[object]]:
        """Make the outcomes again."""
        return (record.outcome() for record in self.outcomes)


def encode_outcome(outcome: Outcome[object]) -> dict[str, object]:
    """Give an outcome as JSON has it."""
    fields: dict[str, object] = msgspec.to_builtins(outcome_record(outcome))
    return fields


def outcome_record(outcome: Outcome[object]) -> OutcomeRecord:
    """Give what is kept of an outcome: all but its value."""
    return OutcomeRecord(
        key=outcome.key,
        name=outcome.name,
        status=outcome.status,
        attempts=outcome.attempts,
        started_at=outcome.started_at,
        duration_s=_rounded(outcome.duration),
        time_to_accept_s=_rounded(outcome.time_to_accept),
        time_to_first_instance_s=_rounded(outcome.time_to_first_instance),
        time_to_running_s=_rounded(outcome.time_to_running),
        request_ids=list(outcome.request_ids),
        warnings=list(outcome.warnings),
        error=encode_error(outcome.error) if outcome.error is not None else None,
    )


def encode_error(error: AppsApiError) -> ErrorRecord:
    """Give an error as JSON has it, without the answer's body and headers."""
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
    try:
        return msgspec.json.decode(data, type=ReportRecord)
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None


def decode_lines(data: bytes) -> ReportRecord:
    """Read a report of JSON Lines. Raises ValueError."""
    head, _, rest = data.partition(b"\n")
    report = decode_report(head)
    lines = [line for line in rest.splitlines() if line.strip()]
    outcomes = [msgspec.json.decode(line, type=OutcomeRecord) for line in lines]
    return msgspec.structs.replace(report, outcomes=outcomes)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
