"""The end of a run: the errors of its unfinished apps, and the report in exceptions."""

from __future__ import annotations

import asyncio
from typing import Final

import anyio

from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.states import VERIFYING, Why
from aioappsapi.errors import (
    AbandonedError,
    AppsApiError,
    AuthError,
    CertificateError,
    DeadlineError,
    NotAttemptedError,
    UnverifiedError,
)


class RunAbortedError(AppsApiError):
    """A bulk run ended for a reason outside of its apps; `__cause__` is that reason.

    Examples are a callback or an input that raised, a full disk, and a bug. `report` has an outcome
    for every app that was known until then, so nothing is lost.
    """

    def __init__(self, message: str, *, report: Report[object]) -> None:
        super().__init__(message)
        self.report = report


_ATTACHED: Final = "aioappsapi_report"


def attach_report(error: BaseException, report: Report[object]) -> None:
    """Attach the report to an exception of another library, like a cancellation.

    A subclass of CancelledError does not work: `asyncio.timeout` knows only the class itself.
    """
    setattr(error, _ATTACHED, report)


def aborted(action: str, cause: BaseException, report: Report[object]) -> BaseException:
    """Return the exception of a run that something outside of its apps ended.

    Interruptions of the process, such as KeyboardInterrupt, keep their class.
    """
    if not isinstance(cause, Exception):
        attach_report(cause, report)
        return cause
    error = RunAbortedError(
        f"{action}: aborted by {type(cause).__name__}: {cause}. "
        "The report has every outcome until then.",
        report=report,
    )
    error.__cause__ = cause
    return error


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end, even if the caller's time is over.

    Without this wait there is no report.
    """
    if not task.done():
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])


def report_of(error: BaseException) -> Report[object] | None:
    """Find the report of a run in the exception that ended it, or in a timeout around it.

    Searches the exception, its cause and context, and exception groups. Returns None if there is no
    report.
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


def is_cancelled() -> bool:
    """Check whether someone cancels the current task, or whether a CancelledError is a stray."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def innermost(failure: BaseException) -> BaseException:
    """Return the first exception inside nested groups."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


def why_final(error: AppsApiError) -> str:
    """Return the reason for which such an error stops a run."""
    if isinstance(error, AuthError):
        return f"the login was refused: {error}"
    if isinstance(error, CertificateError):
        return f"the server's certificate is not trusted: {error}"
    return f"the target cannot be used: {error}"


def ending_error(run: AppRun, why: Why, reason: str, seen: str) -> AppsApiError:
    """Return the error of an app that is unfinished at the end of its run.

    `reason` is why the run ended, `seen` the last seen state of the app's instances.
    """
    status, what = run.status_if_ended(why), run.what
    if status is Status.NOT_ATTEMPTED:
        return NotAttemptedError(f"{what}: {reason}.")
    if run.state is VERIFYING:
        text = f"{what}: accepted, but {reason} before that was verified; seen last: {seen}."
        return DeadlineError(text) if status is Status.TIMED_OUT else UnverifiedError(text)
    if status is Status.TIMED_OUT:
        return DeadlineError(f"{what}: {reason}; {_doubt(run)}.")
    if status is Status.CANCELLED:
        return AbandonedError(f"{what}: {reason}; {_doubt(run)}.")
    return UnverifiedError(f"{what}: {reason}, and an earlier attempt may have taken effect.")


def deadline_error(run: AppRun, error: DeadlineError) -> DeadlineError:
    """Return the error of an app whose call hit the deadline; the call knows only one attempt."""
    if run.in_the_air or not run.was_sent:
        return error
    text = f"{run.what}: the deadline came before another attempt; {_doubt(run)}."
    return DeadlineError(text, last=error.last)


def _doubt(run: AppRun) -> str:
    if run.in_the_air:
        return "its request was in flight and may have taken effect"
    if run.is_open:
        return "an attempt failed, but may have taken effect"
    return "its last attempt failed, and nothing was changed"
