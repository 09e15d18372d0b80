"""A report for spreadsheets: a line of names, then an app a line."""

from __future__ import annotations

import csv
import io
import re
from typing import Final

from aioappsapi.bulk.reports.causes import cause_of
from aioappsapi.bulk.reports.outcome import Outcome
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.report_json import outcome_record
from aioappsapi.bulk.reports.text import printable

_HEADER: Final = (
    "key",
    "name",
    "status",
    "attempts",
    "started_at",
    "duration_s",
    "time_to_accept_s",
    "time_to_first_instance_s",
    "time_to_running_s",
    "error_type",
    "error_status",
    "error_code",
    "error_title",
    "reason",
    "request_ids",
    "warnings",
)

# A spreadsheet computes what begins so, and a name is not ours: =HYPERLINK(…) would be one.
_FORMULA: Final = re.compile(r"\s*[=+\-@＝＋－＠]")  # noqa: RUF001 - some take the wide ones, too


def as_csv(report: ReportData[object]) -> str:
    """Give a report as CSV (RFC 4180). What looks like a formula has an apostrophe before it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_HEADER)
    writer.writerows(_row(outcome) for outcome in report)
    return text.getvalue()


def _row(outcome: Outcome[object]) -> list[str]:
    record = outcome_record(outcome)
    error = record.error
    cells: list[object] = [
        record.key,
        record.name,
        record.status.value,
        record.attempts,
        record.started_at.isoformat() if record.started_at is not None else None,
        record.duration_s,
        record.time_to_accept_s,
        record.time_to_first_instance_s,
        record.time_to_running_s,
        *((error.type, error.status, error.code, error.title) if error is not None else [None] * 4),
        cause_of(outcome),
        "; ".join(record.request_ids),
        "; ".join(record.warnings),
    ]
    return [_cell(cell) for cell in cells]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text) else text
