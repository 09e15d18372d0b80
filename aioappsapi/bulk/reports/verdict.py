"""The verdict on a run in one or two sentences, for every output."""

from __future__ import annotations

from typing import Final

from aioappsapi.bulk.reports.compare import Comparison
from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.text import counted

_PHRASES: Final = {
    Status.FAILED: "failed",
    Status.TIMED_OUT: "ran out of time",
    Status.UNVERIFIED: "could not be verified",
    Status.CANCELLED: "{} cancelled in flight",
    Status.NOT_ATTEMPTED: "{} not attempted",
}


def verdict(report: ReportData[object]) -> str:
    """Return sentences on the apps, on unfinished apps, and on unusable targets."""
    if not report.target_errors:
        return _of_apps(report)
    number = counted(len(report.target_errors), "target")
    return " ".join([*([_of_apps(report)] if len(report) else []), f"{number} could not be used."])


def unusable_targets(report: ReportData[object]) -> list[str]:
    """Return for each unusable target why it could not be used."""
    return [f"{at} could not be used: {error}" for at, error in report.target_errors.items()]


def _of_apps(report: ReportData[object]) -> str:
    if not len(report):
        return "There was nothing to do."
    if report.predicted:
        return _prediction(report)
    counts, total = report.counts, len(report)
    done = counts["ok"] + counts["already"]
    if done == total:
        subject = "The app is" if total == 1 else f"All {total:,} apps are"
        return f"{subject} in the requested state{_before(counts['already'], total)}."
    if total == 1:
        return f"The app is not in the requested state: {_rest(counts).replace('1 ', 'it ', 1)}."
    verb = "is" if done == 1 else "are"
    first = f"{done:,} of {counted(total, 'app')} {verb} in the requested state."
    return f"{first} {_rest(counts)}."


def _before(already: int, total: int) -> str:
    if not already:
        return ""
    if already == total:
        return f" and {'was' if total == 1 else 'were'} before"
    return f"; {already:,} of them {'was' if already == 1 else 'were'} before"


def _rest(counts: dict[str, int]) -> str:
    parts = []
    for status, phrase in _PHRASES.items():
        if number := counts[status]:
            parts.append(f"{number:,} {phrase.format('was' if number == 1 else 'were')}")
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _prediction(report: ReportData[object]) -> str:
    counts = report.counts
    total = counted(len(report), "app")
    first = f"A {report.action} would be accepted for {counts['ok']:,} of {total}."
    parts = []
    if number := counts["already"]:
        verb = "is" if number == 1 else "are"
        parts.append(f"{number:,} {verb} already in the requested state")
    if number := counts["failed"]:
        parts.append(f"{number:,} would be refused")
    return f"{first} {' and '.join(parts)}." if parts else first


def comparison_verdict(comparison: Comparison) -> str:
    """Return the difference between two runs in a few sentences."""
    worse, better = len(comparison.worse), len(comparison.better)
    parts = [
        f"{counted(number, 'app')} {'is' if number == 1 else 'are'} {what}."
        for number, what in (
            (worse, "no longer in the requested state"),
            (better, "in the requested state now, and not before"),
            (len(comparison.only_before), "only in the earlier run"),
            (len(comparison.only_after), "only in the later run"),
        )
        if number
    ]
    return " ".join(parts) or "Both runs have the same apps, and none became better or worse."
