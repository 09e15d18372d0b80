"""Outcomes as flat rows, for spreadsheets and data frames."""

from __future__ import annotations

from typing import Final

from aioappsapi.bulk.reports.causes import cause_of
from aioappsapi.bulk.reports.outcome import Outcome
from aioappsapi.errors import AppsApiError, ResponseError

COLUMNS: Final = (
    "key",
    "name",
    "space",
    "organization",
    "target",
    "wave",
    "status",
    "attempts",
    "started_at",
    "duration_s",
    "time_to_accept_s",
    "time_to_first_instance_s",
    "time_to_running_s",
    "error_type",
    "error_status",
    "error_code",
    "error_title",
    "reason",
    "request_ids",
    "warnings",
)


def row_of(outcome: Outcome[object], target: str | None) -> dict[str, object]:
    """Return an outcome as a flat row with the `COLUMNS`; unknown values are None.

    `target` is that of the report, for an outcome without a target.
    """
    cells = (
        outcome.key,
        outcome.name,
        outcome.space,
        outcome.organization,
        outcome.target or target,
        outcome.wave,
        outcome.status.value,
        outcome.attempts,
        outcome.started_at,
        outcome.duration,
        outcome.time_to_accept,
        outcome.time_to_first_instance,
        outcome.time_to_running,
        *_error_cells(outcome.error),
        cause_of(outcome) or None,
        "; ".join(outcome.request_ids) or None,
        "; ".join(outcome.warnings) or None,
    )
    return dict(zip(COLUMNS, cells, strict=True))


def _error_cells(error: AppsApiError | None) -> tuple[object, ...]:
    if error is None:
        return (None,) * 4
    if not isinstance(error, ResponseError):
        return (type(error).__name__, None, None, None)
    return (type(error).__name__, error.status, error.code, error.title)
