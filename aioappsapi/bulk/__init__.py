"""Many apps at once: the engine, its outcomes and its report."""

from aioappsapi.bulk.bulk import Bulk
from aioappsapi.bulk.engine import Run
from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.bulk.report import Report, Requests, report_of

__all__ = ["Bulk", "Outcome", "Report", "Requests", "Run", "Status", "report_of"]
