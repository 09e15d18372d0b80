"""A report for merge requests, chats and job summaries: Markdown with tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from aioappsapi.bulk.reports.causes import cause_of, group_by_cause
from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.text import counted, printable, span
from aioappsapi.bulk.reports.timing import labels
from aioappsapi.bulk.reports.verdict import unusable_targets

_MOST_NAMES: Final = 5

# Entities are never markup in Markdown, so a name cannot leave its cell or mention people.
# An underscore within a word is not markup either.
_MARKUP: Final = re.compile(r"[\\`*\[\]<>|~#@!&$]|:(?=//)|(?<![^\W_])_|_(?![^\W_])")


def as_markdown(report: ReportData[object]) -> Iterator[str]:
    """Yield a report as Markdown with GitHub's tables, part by part."""
    yield _head(report)
    yield from _section("", _counts(report))
    if any(report.timings.values()):
        yield from _section("## Timings", _timings(report))
    if report.remaining:
        yield from _section("## Not in the requested state", _causes(report))
    yield from _section("## Apps", _apps(report))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"\n{title}\n\n" if title else "\n"
    for line in lines:
        yield f"{line}\n"


def _head(report: ReportData[object]) -> str:
    sent, retried = report.requests.sent, report.requests.retried
    summary = (
        f"{counted(len(report), 'app')} at {_text(report.place)} in {span(report.seconds)}, "
        f"started {report.started_at.isoformat(timespec='seconds')}; "
        f"{counted(sent, 'request')}, {retried:,} of them retries."
    )
    lines = [f"# {_text(report.title)}", "", summary]
    if report.stopped is not None:
        lines += ["", f"**Ended early:** {_text(report.stopped)}"]
    lines += [f"\n**{_text(line)}**" for line in unusable_targets(report)]
    if not report.complete and not report.target_errors:
        lines += ["", "**The input was not read to its end.**"]
    return "\n".join(lines) + "\n"


def _counts(report: ReportData[object]) -> Iterator[str]:
    counts = ((status, report.counts[status]) for status in Status)
    return _table(("status", "apps"), ((status, count) for status, count in counts if count))


def _timings(report: ReportData[object]) -> Iterator[str]:
    names = labels(report.action)
    rows = (
        (names[name], *(f"{value:.2f}" for value in found.values()))
        for name, found in report.timings.items()
        if found
    )
    return _table(("seconds until", "p50", "p90", "p99", "max"), rows)


def _causes(report: ReportData[object]) -> Iterator[str]:
    rows = (
        (len(group.outcomes), group.status, group.cause, group.names(_MOST_NAMES))
        for group in group_by_cause(report.remaining)
    )
    return _table(("apps", "status", "reason", "which"), rows)


def _apps(report: ReportData[object]) -> Iterator[str]:
    rows = (
        (one.key, one.label if one.name else "", one.status.label, one.attempts, cause_of(one))
        for one in report
    )
    return _table(("key", "name", "status", "attempts", "reason"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(_text(str(cell)) for cell in row)} |"


def _text(text: str) -> str:
    return _MARKUP.sub(lambda match: f"&#{ord(match[0])};", printable(text))
