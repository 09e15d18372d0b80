"""What is printed when a run has ended."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.bulk.report import Report
from aioappsapi.errors import AppsApiError, ResponseError
from aioappsapi.models.app import App

_MOST_NAMES = 5


def print_report(console: Console, report: Report[App], output: str) -> None:
    """Print a report on standard output: ``text``, ``json`` or ``jsonl``."""
    if output == "json":
        console.file.write(report.to_json() + "\n")
    elif output == "jsonl":
        console.file.write(report.to_jsonl())
    else:
        for line in text_lines(report):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def text_lines(report: Report[App]) -> Iterator[str]:
    """Summarise a run: how many ended how, and the reasons with the apps that they hit."""
    seconds = (report.finished_at - report.started_at).total_seconds()
    sent, retried = report.requests.sent, report.requests.retried
    yield (
        f"{report.action}: {len(report)} apps in {seconds:.1f} s "
        f"({sent} requests, {retried} of them repeats)"
    )
    for status in Status:
        if count := report.counts[status]:
            yield f"  {count:>6} {status}"
    for reason, outcomes in _by_reason(report).items():
        names = [outcome.name or outcome.key for outcome in outcomes[:_MOST_NAMES]]
        more = len(outcomes) - len(names)
        yield f"{len(outcomes)} {outcomes[0].status}: {reason}"
        yield f"    {', '.join(names)}" + (f" and {more} more" if more else "")


def _by_reason(report: Report[App]) -> dict[str, list[Outcome[App]]]:
    reasons: dict[str, list[Outcome[App]]] = {}
    for outcome in report.failed:
        reasons.setdefault(_reason(outcome), []).append(outcome)
    return dict(sorted(reasons.items(), key=lambda item: -len(item[1])))


def _reason(outcome: Outcome[App]) -> str:
    """Say why, without what differs from app to app, so that equal reasons are told once."""
    error = outcome.error
    if isinstance(error, ResponseError) and error.title:
        return f"{error.status} {error.title}: {_without(error.detail or '', outcome)}"
    if error is None:
        return "accepted after a try that may have half happened; look whether it runs"
    return _without(_head(error), outcome)


def _head(error: AppsApiError) -> str:
    return str(error).partition(" (request id ")[0]


def _without(text: str, outcome: Outcome[App]) -> str:
    return text.replace(f" {outcome.key}", "").replace(outcome.key, "…")
