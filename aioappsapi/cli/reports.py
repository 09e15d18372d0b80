"""`report show`, `report compare` and `report merge`: reports of earlier runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Literal

from aioappsapi import InvalidInputError, Report
from aioappsapi.bulk.reports.compare import Comparison
from aioappsapi.bulk.reports.verdict import comparison_verdict
from aioappsapi.bulk.reports.writers import write_comparison
from aioappsapi.cli.console import fail, print_lines, say, write_out
from aioappsapi.cli.exits import Exit, strongest
from aioappsapi.cli.flags import Output, OutputFlags
from aioappsapi.cli.outputs import check_reports, deliver, write_or_rescue
from aioappsapi.cli.selection import load_report
from aioappsapi.cli.summary import print_report, text_lines

_SCHEMA: Final = 1
_COMPARED: Final = (".html", ".json")


def show_reports(files: Sequence[Path], output: Output) -> Exit:
    """Print the outcomes of each run."""
    return _refusing(partial(_show, files, output), output)


def compare_reports(
    before: Path, after: Path, output: Literal["text", "json"], written: Sequence[Path]
) -> Exit:
    """Print the differences between two runs; return 1 if an app got worse."""
    return _refusing(partial(_compare, before, after, output, written), output)


def merge_reports(files: Sequence[Path], output: Output, written: Sequence[Path]) -> Exit:
    """Print and write the merged report; return 0 for any outcomes, as `show` does."""
    return _refusing(partial(_merge, files, output, written), output)


def _refusing(work: Callable[[], Exit], output: Output) -> Exit:
    try:
        return work()
    except InvalidInputError as wrong:
        return fail(wrong, Exit.USAGE, output)


def _show(files: Sequence[Path], output: Output) -> Exit:
    reports = [load_report(path) for path in files]
    if output == "text":
        for path, report in zip(files, reports, strict=True):
            print_lines(_lines(str(path), report))
    elif output == "json" and len(reports) > 1:
        document = {"schema": _SCHEMA, "reports": [report.to_dict() for report in reports]}
        write_out(json.dumps(document) + "\n")
    else:
        for report in reports:
            print_report(report, output)
    return Exit.OK


def _lines(name: str, report: Report[object]) -> Iterator[str]:
    began = f"{report.started_at:%Y-%m-%d %H:%M:%S %Z}"
    yield f"{name}: {report.action} at {report.place}, {began}"
    yield from text_lines(report)


def _compare(
    before: Path, after: Path, output: Literal["text", "json"], written: Sequence[Path]
) -> Exit:
    for path in written:
        if path.suffix not in _COMPARED:
            raise InvalidInputError(f"{path}: a comparison is written as .html or .json.")
    check_reports(written, [("an input", before), ("an input", after)])
    comparison = load_report(before).compare(load_report(after))
    statuses = [_write(comparison, path) for path in written]
    if output == "json":
        write_out(json.dumps(comparison.to_dict()) + "\n")
    else:
        print_lines([comparison_verdict(comparison), *comparison.lines()])
    return strongest(Exit.NOT_ALL if comparison.worse else Exit.OK, *statuses)


def _write(comparison: Comparison, path: Path) -> Exit:
    status = write_or_rescue(partial(write_comparison, comparison), path, "the comparison")
    if status is Exit.OK:
        say(f"comparison written to {path}")
    return status


def _merge(files: Sequence[Path], output: Output, written: Sequence[Path]) -> Exit:
    check_reports(written, [("an input", path) for path in files])
    merged = Report.merge([load_report(path) for path in files])

    def show(output: Output) -> None:
        if output == "text":
            print_lines(_lines(f"{len(files)} reports", merged))
        else:
            print_report(merged, output)

    return deliver(merged, OutputFlags(output=output, report=tuple(written)), show=show)
