"""Many apps at once: the engine, its outcomes and its report."""

from aioappsapi.bulk.actions.scale import Scale
from aioappsapi.bulk.bulk import Bulk
from aioappsapi.bulk.forecast.plan import Plan
from aioappsapi.bulk.options import RunOptions
from aioappsapi.bulk.reports.compare import Change, Comparison, Pair
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.reports.timing import Moments, Step
from aioappsapi.bulk.run.conclude import RunAbortedError, report_of
from aioappsapi.bulk.run.run import Run
from aioappsapi.bulk.windows.diff import AppDiff, Difference, SnapshotDiff
from aioappsapi.bulk.windows.restore import RestorePlan
from aioappsapi.bulk.windows.snapshot import AppState, ProcessState, Snapshot
from aioappsapi.bulk.windows.waves import Wave, Waves

__all__ = [
    "AppDiff",
    "AppState",
    "Bulk",
    "Change",
    "Comparison",
    "Difference",
    "Moments",
    "Outcome",
    "Pair",
    "Plan",
    "ProcessState",
    "Report",
    "Requests",
    "RestorePlan",
    "Run",
    "RunAbortedError",
    "RunOptions",
    "Scale",
    "Snapshot",
    "SnapshotDiff",
    "Status",
    "Step",
    "Wave",
    "Waves",
    "report_of",
]
