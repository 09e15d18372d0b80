"""Reports as files: one writer per suffix."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from aioappsapi.bulk.files import check_replaceable, write_atomically
from aioappsapi.bulk.reports.compare import Comparison
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.report_json import json_chunks, json_lines
from aioappsapi.bulk.reports.writers.as_csv import as_csv
from aioappsapi.bulk.reports.writers.as_html import as_html, comparison_as_html
from aioappsapi.bulk.reports.writers.as_junit import as_junit
from aioappsapi.bulk.reports.writers.as_markdown import as_markdown
from aioappsapi.errors import InvalidInputError

_WRITERS: Final[dict[str, Callable[[ReportData[object]], Iterable[str]]]] = {
    ".json": json_chunks,
    ".jsonl": json_lines,
    ".csv": as_csv,
    ".xml": lambda report: [as_junit(report)],
    ".html": as_html,
    ".md": as_markdown,
}


def check_path(path: Path) -> None:
    """Check that a report can be written to a path, before a run begins.

    Raises InvalidInputError for a suffix without a format, a folder, a pipe or device, and an
    existing journal or snapshot.
    """
    if path.suffix not in _WRITERS:
        *most, last = _WRITERS
        raise InvalidInputError(f"{path}: a report is written as {', '.join(most)} or {last}.")
    _check_html(path)
    check_replaceable(path)


def _check_html(path: Path) -> None:
    if path.suffix == ".html" and find_spec("jinja2") is None:
        raise InvalidInputError(
            f"{path}: a report as .html needs jinja2: install aioappsapi[cli], which brings it."
        )


def write_report(report: ReportData[object], path: Path) -> None:
    """Write a report in the format of the suffix, whole or not at all.

    Raises InvalidInputError as `check_path` does, OSError if the file cannot be written.
    """
    check_path(path)
    write_atomically(path, _WRITERS[path.suffix](report))


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write a comparison as ``.html`` or ``.json``, whole or not at all.

    Raises InvalidInputError for another suffix or an unsuitable file, OSError if it cannot be
    written.
    """
    if path.suffix == ".html":
        _check_html(path)
        chunks: Iterable[str] = comparison_as_html(comparison)
    elif path.suffix == ".json":
        chunks = [json.dumps(comparison.to_dict(), indent=1, ensure_ascii=False), "\n"]
    else:
        raise InvalidInputError(f"{path}: a comparison is written as .html or .json.")
    check_replaceable(path)
    write_atomically(path, chunks)


def write_plan(report: ReportData[object], notes: list[str], path: Path) -> None:
    """Write the predicted report of a plan; a page (``.html``) has `notes` on the cost as well.

    Raises as `write_report` does.
    """
    check_path(path)
    if path.suffix == ".html":
        write_atomically(path, as_html(report, notes))
    else:
        write_report(report, path)
