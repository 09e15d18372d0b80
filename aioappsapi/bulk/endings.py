"""How a run that did not come to its end hands over its report."""

from __future__ import annotations

from typing import Final

from aioappsapi.bulk.report import Report
from aioappsapi.errors import AppsApiError


class RunAbortedError(AppsApiError):
    """A bulk run ended by something that is no app's fault; `__cause__` is what it was.

    A callback that raised, an input that broke half way, a bug. `report` has an outcome for every
    app that was seen until then, so that nothing is lost.
    """

    def __init__(self, message: str, *, report: Report[object]) -> None:
        super().__init__(message)
        self.report = report


_ATTACHED: Final = "aioappsapi_report"


def attach_report(error: BaseException, report: Report[object]) -> None:
    """Give a cancellation the report along.

    A class of our own would not do: `asyncio.timeout` only knows a CancelledError that is exactly
    one, and would let any other out.
    """
    setattr(error, _ATTACHED, report)


def report_of(error: BaseException) -> Report[object] | None:
    """Find the report of a run in whatever its end came to, also in a time-out around it.

    Looks at the exception, at what it was raised from or during, and into groups; None if there
    is no report anywhere.
    """
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        report = one.report if isinstance(one, RunAbortedError) else getattr(one, _ATTACHED, None)
        if isinstance(report, Report):
            return report
        pending += [one.__cause__, one.__context__]
        pending += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
    return None
