"""`report show` and `report compare`: reports of earlier runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from aioappsapi import InvalidInputError, Report
from aioappsapi.cli.console import fail, print_lines, write_out
from aioappsapi.cli.exits import Exit
from aioappsapi.cli.selection import load_report
from aioappsapi.cli.summary import print_report


def show_reports(files: Sequence[Path], output: Literal["text", "json"]) -> Exit:
    """Print the outcomes of each run."""
    try:
        found = [load_report(path) for path in files]
    except InvalidInputError as wrong:
        return fail(wrong, Exit.USAGE, output)
    for path, report in zip(files, found, strict=True):
        if output == "text":
            print_lines([_headline(path, report)])
        print_report(report, output)
    return Exit.OK


def _headline(path: Path, report: Report[object]) -> str:
    began = f"{report.started_at:%Y-%m-%d %H:%M:%S %Z}"
    return f"{path}: {report.action} at {report.target}, {began}"


def compare_reports(before: Path, after: Path, output: Literal["text", "json"]) -> Exit:
    """Print what differs between two runs; 1 if an app is no longer in the requested state."""
    try:
        comparison = load_report(before).compare(load_report(after))
    except InvalidInputError as wrong:
        return fail(wrong, Exit.USAGE, output)
    if output == "json":
        write_out(json.dumps(comparison.to_dict()) + "\n")
    else:
        print_lines(comparison.lines())
    return Exit.NOT_ALL if comparison.worse else Exit.OK
