"""How a run ends before it is done: what is said of each app, and how the report gets out."""

from __future__ import annotations

from typing import Final, TypeVar

from aioappsapi.bulk.flight import Flight, Stage, Verdict
from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.report import Report
from aioappsapi.errors import (
    AbandonedError,
    AppsApiError,
    AuthError,
    DeadlineError,
    NotAttemptedError,
    TargetError,
    UnverifiedError,
)

T = TypeVar("T")


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


def innermost(failure: BaseException) -> BaseException:
    """Find what a group of exceptions was made of first."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


def is_final(error: AppsApiError) -> bool:
    """Tell whether an error is everybody's: no login, or no such server."""
    return isinstance(error, TargetError) or (isinstance(error, AuthError) and error.refused)


def last_word(flight: Flight[T], what: str, why: str, *, seen: str, late: bool) -> Verdict[T]:
    """Judge an app that the end of its run met on the way.

    `why` the run ended, `seen` how the app was seen last, `late`: it was the deadline.
    """
    before = flight.verdict
    if flight.stage in {Stage.PUT_OFF, Stage.HELD} and before is not None:
        return before
    if flight.stage is Stage.WATCHED and before is not None:
        return _unseen(before, what, why, seen=seen, late=late)
    if flight.untouched:
        error: AppsApiError = NotAttemptedError(f"{what}: {why}.")
        return Verdict(status=Status.NOT_ATTEMPTED, error=error)
    if late:
        error = DeadlineError(f"{what}: the deadline came first.")
        return Verdict(status=Status.TIMED_OUT, error=error)
    return Verdict(status=Status.CANCELLED, error=AbandonedError(f"{what}: cancelled in flight."))


def _unseen(before: Verdict[T], what: str, why: str, *, seen: str, late: bool) -> Verdict[T]:
    if before.error is not None:
        return Verdict(status=before.status, error=before.error)
    text = f"{what}: noted, but {why} before it was seen to be as asked; seen last: {seen}."
    if late:
        return Verdict(status=Status.TIMED_OUT, value=before.value, error=DeadlineError(text))
    return Verdict(status=Status.UNVERIFIED, value=before.value, error=UnverifiedError(text))
