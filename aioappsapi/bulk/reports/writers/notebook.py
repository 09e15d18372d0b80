"""Short HTML for notebooks: the verdict, the counts and the causes; no script, no style sheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from aioappsapi.bulk.reports.causes import group_by_cause
from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.text import printable, span
from aioappsapi.bulk.reports.verdict import unusable_targets, verdict

_MOST_GROUPS: Final = 10
_EXAMPLES: Final = 3


def as_notebook(report: ReportData[object], notes: Iterable[str] = ()) -> str:
    """Return a report as a fragment of HTML, with further `notes` below the verdict."""
    return "".join(_parts(report, notes))


def _parts(report: ReportData[object], notes: Iterable[str]) -> Iterator[str]:
    yield f"<div><p><strong>{_text(verdict(report))}</strong><br>"
    yield f"{_text(report.title)} at {_text(report.place)}, {span(report.seconds)}</p>"
    for note in (*unusable_targets(report), *notes):
        yield f"<div>{_text(note)}</div>"
    counts = report.counts
    cells = [(status.label, counts[status]) for status in Status if counts[status]]
    if cells:
        yield _table([name for name, _ in cells], [[f"{number:,}" for _, number in cells]])
    groups = group_by_cause(report.remaining)
    if groups:
        rows = [
            (
                f"{len(group.outcomes):,} {group.status.label}",
                group.cause,
                group.advice.action if group.advice is not None else "",
                group.names(_EXAMPLES),
            )
            for group in groups[:_MOST_GROUPS]
        ]
        yield _table(["apps", "reason", "what to do", "which"], rows)
    if len(groups) > _MOST_GROUPS:
        yield f"<p>{len(groups) - _MOST_GROUPS:,} more reasons.</p>"
    yield "</div>"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{_text(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    return escape(printable(text))
