"""Many apps at once: the engine, its outcomes and its report."""

from aioappsapi.bulk.bulk import Bulk, RunOptions
from aioappsapi.bulk.endings import RunAbortedError, report_of
from aioappsapi.bulk.engine import Run
from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.bulk.report import Report, Requests

__all__ = [
    "Bulk",
    "Outcome",
    "Report",
    "Requests",
    "Run",
    "RunAbortedError",
    "RunOptions",
    "Status",
    "report_of",
]
