"""Reports as files: which suffix is written how."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.report_json import json_chunks, json_lines
from aioappsapi.bulk.reports.writers.as_csv import as_csv
from aioappsapi.bulk.reports.writers.as_html import as_html
from aioappsapi.bulk.reports.writers.as_junit import as_junit
from aioappsapi.bulk.reports.writers.as_markdown import as_markdown
from aioappsapi.bulk.reports.writers.whole import write_whole
from aioappsapi.errors import InvalidInputError

_WRITERS: Final[dict[str, Callable[[ReportData[object]], str]]] = {
    ".json": lambda report: "".join(json_chunks(report)),
    ".jsonl": lambda report: "".join(json_lines(report)),
    ".csv": as_csv,
    ".xml": as_junit,
    ".html": as_html,
    ".md": as_markdown,
}


def check_suffix(path: Path) -> None:
    """Refuse a path that no report can be written to. Raises InvalidInputError."""
    if path.suffix not in _WRITERS:
        *most, last = _WRITERS
        raise InvalidInputError(f"{path}: a report is written as {', '.join(most)} or {last}.")
    if path.suffix == ".html" and find_spec("jinja2") is None:
        raise InvalidInputError(
            f"{path}: a report as .html needs jinja2: install aioappsapi[cli], which brings it."
        )


def write_report(report: ReportData[object], path: Path) -> None:
    """Write a report as the suffix says, whole or not at all.

    Raises InvalidInputError for a suffix that is not known, OSError if it cannot be written.
    """
    check_suffix(path)
    write_whole(path, _WRITERS[path.suffix](report))
