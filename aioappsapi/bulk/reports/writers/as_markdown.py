"""A report for a merge request, a chat or a job summary: Markdown with tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from aioappsapi.bulk.reports.causes import cause_of, group_by_cause
from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.text import printable
from aioappsapi.bulk.reports.timing import LABELS

_MOST_NAMES: Final = 5

# An entity never begins anything in Markdown, so a name can neither leave its cell nor call people.
# An underscore within a word is none of its business.
_MARKUP: Final = re.compile(r"[\\`*\[\]<>|~#@!&$]|:(?=//)|(?<![^\W_])_|_(?![^\W_])")


def as_markdown(report: ReportData[object]) -> str:
    """Give a report as Markdown with GitHub's tables."""
    parts = [_head(report), _counts(report)]
    if any(report.timings.values()):
        parts += ["## Timings", _timings(report)]
    if report.remaining:
        parts += ["## Not as asked", _reasons(report)]
    parts += ["## Apps", _apps(report)]
    return "\n\n".join(parts) + "\n"


def _head(report: ReportData[object]) -> str:
    sent, retried = report.requests.sent, report.requests.retried
    summary = (
        f"{len(report)} apps at {_text(report.place)} in {report.seconds:.1f} s, "
        f"begun {report.started_at.isoformat(timespec='seconds')}; "
        f"{sent} requests, {retried} of them repeats."
    )
    lines = [f"# {_text(report.title)}", "", summary]
    if report.stopped is not None:
        lines += ["", f"**Ended early:** {_text(report.stopped)}"]
    if not report.complete:
        lines += ["", "**The input was not read to its end.**"]
    return "\n".join(lines)


def _counts(report: ReportData[object]) -> str:
    counts = ((status, report.counts[status]) for status in Status)
    return _table(("status", "apps"), ((status, count) for status, count in counts if count))


def _timings(report: ReportData[object]) -> str:
    rows = (
        (LABELS[name], *(f"{value:.2f}" for value in found.values()))
        for name, found in report.timings.items()
        if found
    )
    return _table(("seconds until", "p50", "p90", "p99", "max"), rows)


def _reasons(report: ReportData[object]) -> str:
    rows = (
        (len(group.outcomes), group.status, group.cause, group.names(_MOST_NAMES))
        for group in group_by_cause(report.remaining)
    )
    return _table(("apps", "status", "reason", "which"), rows)


def _apps(report: ReportData[object]) -> str:
    rows = ((one.key, one.name or "", one.status, one.attempts, cause_of(one)) for one in report)
    return _table(("key", "name", "status", "attempts", "reason"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return "\n".join(_table_lines(header, rows))


def _table_lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(_text(str(cell)) for cell in row)} |"


def _text(text: str) -> str:
    return _MARKUP.sub(lambda match: f"&#{ord(match[0])};", printable(text))
