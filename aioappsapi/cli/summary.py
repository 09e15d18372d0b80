"""The summary that is printed when a run has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aioappsapi import Report, RunAbortedError, Status
from aioappsapi.bulk.reports.causes import group_by_cause
from aioappsapi.cli.console import print_lines, write_out
from aioappsapi.cli.flags import Output

_MOST_NAMES: Final = 5
_TIMES: Final = {
    "accept_s": "accepted",
    "first_instance_s": "first instance",
    "running_s": "running",
}


def print_report(report: Report[object], output: Output) -> None:
    """Print a report on standard output. Raises StdoutError."""
    if output == "json":
        write_out(report.to_json() + "\n")
    elif output == "jsonl":
        write_out(report.to_jsonl())
    else:
        print_lines(text_lines(report))


def text_lines(report: Report[object]) -> Iterator[str]:
    """Summarise a run: how many apps ended how, the times, and the reasons of failures."""
    sent, retried = report.requests.sent, report.requests.retried
    yield (
        f"{report.title}: {apps(len(report))} in {report.seconds:.1f} s "
        f"({sent} requests, {retried} of them retries)"
    )
    for status in Status:
        if count := report.counts[status]:
            yield f"  {count:>6} {status}"
    for name, found in report.timings.items():
        if found:
            figures = ", ".join(f"{rank} {value:.2f} s" for rank, value in found.items())
            yield f"  {_time_label(name, report.action)} after {figures}"
    if report.stopped is not None:
        yield f"ended early: {report.stopped}"
    yield from reason_lines(report)


def reason_lines(report: Report[object]) -> Iterator[str]:
    """Name each reason for which apps are not in the requested state, and some of those apps."""
    for group in group_by_cause(report.remaining):
        yield f"{len(group.outcomes)} {group.status}: {group.cause}"
        yield f"    {group.names(_MOST_NAMES)}"


def _time_label(name: str, action: str) -> str:
    if action == "stop" and name == "running_s":
        return "stopped"
    return _TIMES.get(name, name)


def apps(count: int) -> str:
    """Count apps in words."""
    return f"{count} app" if count == 1 else f"{count} apps"


def explain_abort(aborted: RunAbortedError) -> str:
    """Describe why a run could not continue, and which file caused it."""
    cause = aborted.__cause__
    if isinstance(cause, OSError):
        where = f"{cause.filename}: " if cause.filename else ""
        return f"{aborted} Cause: {where}{cause.strerror or cause}."
    return f"{aborted} Cause: {cause}"
