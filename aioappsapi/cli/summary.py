"""What is printed when a run has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import Console

from aioappsapi.bulk.reports.causes import group_by_cause
from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.reports.text import printable
from aioappsapi.bulk.reports.timing import LABELS

_MOST_NAMES: Final = 5


def print_report(console: Console, report: Report[object], output: str) -> None:
    """Print a report on standard output: ``text``, ``json`` or ``jsonl``."""
    if output == "json":
        console.file.write(report.to_json() + "\n")
    elif output == "jsonl":
        console.file.write(report.to_jsonl())
    else:
        for line in text_lines(report):
            print_line(console, line)
    console.file.flush()  # before another Ctrl-C can cut it off


def print_line(console: Console, line: str) -> None:
    """Print a line as it is; a name in it can neither colour nor command the terminal."""
    console.print(printable(line), markup=False, highlight=False, emoji=False, soft_wrap=True)


def text_lines(report: Report[object]) -> Iterator[str]:
    """Summarise a run: how many ended how, the times, and the reasons with the apps they hit."""
    sent, retried = report.requests.sent, report.requests.retried
    yield (
        f"{report.title}: {len(report)} apps in {report.seconds:.1f} s "
        f"({sent} requests, {retried} of them repeats)"
    )
    for status in Status:
        if count := report.counts[status]:
            yield f"  {count:>6} {status}"
    for name, found in report.timings.items():
        if found:
            figures = ", ".join(f"{rank} {value:.2f} s" for rank, value in found.items())
            yield f"  {LABELS[name]} after {figures}"
    if report.stopped is not None:
        yield f"ended early: {report.stopped}"
    for group in group_by_cause(report.remaining):
        yield f"{len(group.outcomes)} {group.status}: {group.cause}"
        yield f"    {group.names(_MOST_NAMES)}"
