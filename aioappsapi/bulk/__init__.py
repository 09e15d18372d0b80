"""Many apps at once: the engine, its outcomes and its report."""

from aioappsapi.bulk.bulk import Bulk, RunOptions
from aioappsapi.bulk.comparison import Change, Comparison, Pair
from aioappsapi.bulk.endings import RunAbortedError, report_of
from aioappsapi.bulk.engine import Run
from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.bulk.plan import Plan
from aioappsapi.bulk.report import Report, Requests
from aioappsapi.bulk.restoration import Restoration
from aioappsapi.bulk.snapshot import AppState, Snapshot
from aioappsapi.bulk.timing import Moments, Step

__all__ = [
    "AppState",
    "Bulk",
    "Change",
    "Comparison",
    "Moments",
    "Outcome",
    "Pair",
    "Plan",
    "Report",
    "Requests",
    "Restoration",
    "Run",
    "RunAbortedError",
    "RunOptions",
    "Snapshot",
    "Status",
    "Step",
    "report_of",
]
