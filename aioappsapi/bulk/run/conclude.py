"""The end of a run: the error of each app that it leaves unfinished, and the way of the report."""

from __future__ import annotations

from typing import Final

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

    A callback that raised, an input that broke half way, a full disk, a bug. `report` has an
    outcome for every app that was known until then, so nothing is lost.
    """

    def __init__(self, message: str, *, report: Report[object]) -> None:
        super().__init__(message)
        self.report = report


_ATTACHED: Final = "aioappsapi_report"


def attach_report(error: BaseException, report: Report[object]) -> None:
    """Attach the report to an exception that is not ours, like a cancellation.

    A subclass of CancelledError would not do: `asyncio.timeout` only knows the class itself.
    """
    setattr(error, _ATTACHED, report)


def report_of(error: BaseException) -> Report[object] | None:
    """Find the report of a run in the exception that ended it, also in a time-out around it.

    Looks at the exception, at its cause and context, and into groups. Returns None if there is no
    report anywhere.
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
    """Return the first exception inside of groups."""
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
    """Make the error of an app that the end of its run leaves unfinished.

    `reason` is why the run ended, `seen` how the app's instances were seen last.
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
    """Make the error of an app whose call met the deadline: it knows of one attempt only."""
    if run.in_the_air or not run.was_sent:
        return error
    text = f"{run.what}: the deadline came before another attempt; {_doubt(run)}."
    return DeadlineError(text, last=error.last)


def _doubt(run: AppRun) -> str:
    if run.in_the_air:
        return "its request was in flight and may have taken effect"
    if run.is_open:
        return "an attempt failed, and may have taken effect all the same"
    return "its last attempt failed, and nothing was changed"
