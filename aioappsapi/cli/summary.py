"""The summary that is printed when a run has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from aioappsapi import Report, Status
from aioappsapi.bulk.reports.causes import group_by_cause
from aioappsapi.bulk.reports.text import counted, span
from aioappsapi.bulk.reports.timing import labels
from aioappsapi.bulk.reports.verdict import unusable_targets, verdict
from aioappsapi.cli.console import print_lines, write_out
from aioappsapi.cli.flags import Output
from aioappsapi.cli.wording import as_typed

_MOST_NAMES: Final = 5
_MOST_GROUPS: Final = 10
_MOST_TARGETS: Final = 10


def print_report(report: Report[object], output: Output) -> None:
    """Print a report on standard output. Raises StdoutError."""
    if output == "json":
        write_out(report.to_json() + "\n")
    elif output == "jsonl":
        write_out(report.to_jsonl())
    else:
        print_lines(text_lines(report))


def text_lines(report: Report[object]) -> Iterator[str]:
    """Summarise a run: the verdict, the counts, the times, and the advice."""
    requests = counted(report.requests.sent, "request")
    yield f"{report.title}: {as_typed(verdict(report))}"
    yield f"  {span(report.seconds)}, {requests} sent, {report.requests.retried:,} of them retries"
    for status in Status:
        if count := report.counts[status]:
            yield f"  {count:>6,} {status.label}"
    names = labels(report.action)
    for name, found in report.timings.items():
        if found:
            figures = ", ".join(f"{rank} {value:.2f} s" for rank, value in found.items())
            yield f"  {names[name]} after {figures}"
    yield from _few_of(unusable_targets(report))
    yield from target_lines(report)
    if report.stopped is not None:
        yield f"ended early: {as_typed(report.stopped)}"
    yield from reason_lines(report)


def target_lines(report: Report[object]) -> Iterator[str]:
    """Count the apps of each target that has some that are not in the requested state."""
    if report.target is not None:
        return
    apart: dict[str, Counter[Status]] = {one: Counter() for one in report.targets}
    for outcome in report:
        apart[outcome.target or ""][outcome.status] += 1
    bad = {target: found for target, found in apart.items() if not all(one.done for one in found)}
    yield from _few_of([f"{target}: {_counts(found)}" for target, found in bad.items()])


def _counts(found: Mapping[Status, int]) -> str:
    return ", ".join(f"{found[one]:,} {one.label}" for one in Status if found[one])


def _few_of(lines: Sequence[str]) -> Iterator[str]:
    yield from (f"  {line}" for line in lines[:_MOST_TARGETS])
    if (more := len(lines) - _MOST_TARGETS) > 0:
        yield f"  and {counted(more, 'more target')}: see the report."


def reason_lines(report: Report[object]) -> Iterator[str]:
    """Group the unfinished apps by cause, with their number, names and advice."""
    groups = group_by_cause(report.remaining)
    for group in groups[:_MOST_GROUPS]:
        yield f"{len(group.outcomes):,} {group.status.label}: {as_typed(group.cause)}"
        yield f"    {group.names(_MOST_NAMES)}"
        if group.advice is not None:
            yield f"    What to do: {as_typed(group.advice.action)}"
    if more := groups[_MOST_GROUPS:]:
        rest = sum(len(group.outcomes) for group in more)
        yield f"{apps(rest)} more for {counted(len(more), 'other cause')}: see the report."


def apps(count: int) -> str:
    """Count apps in words."""
    return counted(count, "app")
