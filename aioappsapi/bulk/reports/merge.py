"""Several reports of one action become one report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from aioappsapi.bulk.reports.outcome import Outcome
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.reports.text import printable
from aioappsapi.bulk.reports.timing import LimitLevel, PauseSpan
from aioappsapi.errors import InvalidInputError

T = TypeVar("T")
R = TypeVar("R", bound=ReportData[object])
E = TypeVar("E", PauseSpan, LimitLevel)


def merge(reports: Sequence[ReportData[object]], make: type[R]) -> R:
    """Merge reports into one: outcomes in order, and sums of counts, requests and moments.

    If targets differ, the result has the `target` None, and each outcome has its own.
    Raises InvalidInputError if there is no report, if actions differ, if only some are
    predictions, or if an app of one target occurs twice.
    """
    if not reports:
        raise InvalidInputError("There is no report to merge: pass at least one.")
    _check_kind(reports)
    targets = list(dict.fromkeys(target for one in reports for target in one.targets))
    target = targets[0] if len(targets) == 1 else None
    outcomes = [outcome for one in reports for outcome in _placed(one, apart=target is None)]
    _check_twice(outcomes, target)
    started_at = min(one.started_at for one in reports)
    return make(
        outcomes,
        action=reports[0].action,
        target=target,
        started_at=started_at,
        finished_at=max(one.finished_at for one in reports),
        requests=sum((one.requests for one in reports), Requests()),
        complete=all(one.complete for one in reports),
        predicted=reports[0].predicted,
        stopped=_stopped(reports, apart=target is None),
        options=_common_options(reports),
        version=_common_version(reports),
        pauses=[span for one in reports for span in _moved(one.pauses, one, started_at)],
        limits=[level for one in reports for level in _moved(one.limits, one, started_at)],
        targets=targets,
        target_errors={at: error for one in reports for at, error in one.target_errors.items()},
    )


def _check_kind(reports: Sequence[ReportData[object]]) -> None:
    actions = sorted({one.action for one in reports})
    if len(actions) > 1:
        raise InvalidInputError(
            f"Reports of different actions cannot be merged: {', '.join(actions)}."
        )
    if len({one.predicted for one in reports}) > 1:
        raise InvalidInputError("A prediction cannot be merged with the report of a real run.")


def _placed(report: ReportData[object], *, apart: bool) -> Iterator[Outcome[object]]:
    """Yield the outcomes; if targets differ, each with its target."""
    for outcome in report:
        if apart and outcome.target is None and report.target is not None:
            yield msgspec.structs.replace(outcome, target=report.target)
        else:
            yield outcome


def _check_twice(outcomes: Sequence[Outcome[object]], target: str | None) -> None:
    found = Counter((one.target or target, one.key) for one in outcomes)
    twice = [f"{key} at {place}" for (place, key), number in found.items() if number > 1]
    if twice:
        more = f" and {len(twice) - 1:,} more" if len(twice) > 1 else ""
        raise InvalidInputError(
            f"An app is in more than one of the reports: {printable(twice[0])}{more}. "
            "Merge the reports of different apps, or keep only the newest report."
        )


def _stopped(reports: Sequence[ReportData[object]], *, apart: bool) -> str | None:
    # A target that could not be used is in `target_errors`.
    found = [one for one in reports if one.target not in one.target_errors]
    if len({one.stopped for one in found}) == 1:
        return found[0].stopped
    reasons = dict.fromkeys(
        f"{one.target}: {one.stopped}" if apart and one.target is not None else one.stopped
        for one in found
        if one.stopped is not None
    )
    return "; ".join(reasons) or None


def _common_options(reports: Sequence[ReportData[object]]) -> dict[str, object]:
    first, *others = (one.options for one in reports)
    return {
        name: value
        for name, value in first.items()
        if all(name in other and other[name] == value for other in others)
    }


def _common_version(reports: Sequence[ReportData[object]]) -> str | None:
    versions = {one.version for one in reports}
    return versions.pop() if len(versions) == 1 else None


def _moved(events: Sequence[E], report: ReportData[object], started_at: datetime) -> Iterator[E]:
    """Yield the events of one run, in seconds since the start of the merged report."""
    later = (report.started_at - started_at).total_seconds()
    for event in events:
        yield msgspec.structs.replace(
            event, second=round(event.second + later, 6), target=event.target or report.target
        )
