"""A report for spreadsheets: a header, then one app per line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.rows import COLUMNS, row_of
from aioappsapi.bulk.reports.text import printable

# Spreadsheets evaluate a cell that begins with one of these, and users choose names: =HYPERLINK(…).
_FORMULA: Final = re.compile(r"\s*[=+\-@＝＋－＠]")  # noqa: RUF001 - the wide ones count as well


def as_csv(report: ReportData[object]) -> Iterator[str]:
    """Yield a report as CSV (RFC 4180), line by line.

    An apostrophe precedes text that a spreadsheet would take for a formula.
    """
    yield _line(COLUMNS)
    for outcome in report:
        yield _line(map(_cell, row_of(outcome, report.target).values()))


def _line(cells: Iterable[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return str(round(value, 6))
    if not isinstance(value, str):
        return str(value)
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text) else text
