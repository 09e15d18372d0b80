"""Advice for each cause: one table for the command line, the HTML report and the docs."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.errors import (
    AbandonedError,
    AppsApiError,
    AuthError,
    BadRequestError,
    BuildFailedError,
    CertificateError,
    ConflictError,
    ConnectError,
    CrashedError,
    DeadlineError,
    DecodeError,
    DeploymentFailedError,
    DeploymentInProgressError,
    ForbiddenError,
    InvalidInputError,
    JobFailedError,
    NotAttemptedError,
    NotFoundError,
    NotRunningError,
    PlacementError,
    RateLimitedError,
    RedirectedError,
    ResponseError,
    ServerError,
    TargetError,
    TaskLostError,
    TransportError,
    UnauthorizedError,
    UnprocessableError,
    UnverifiedError,
)


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """A cause, and the advice for it.

    It applies to errors of a class in `errors` whose title is in `titles` and whose detail matches
    `detail`; an empty condition always holds. Without `errors` it applies to outcomes that have
    the `status` and no error.
    """

    cause: str
    action: str
    errors: tuple[type[AppsApiError], ...] = ()
    titles: tuple[str, ...] = ()
    detail: str = ""
    status: Status | None = None

    def fits(self, outcome: Outcome[object]) -> bool:
        """Check whether this is the advice for an outcome, if no earlier row matches."""
        error = outcome.error
        if error is None or not self.errors:
            return error is None and not self.errors and outcome.status is self.status
        if not isinstance(error, self.errors):
            return False
        title = error.title if isinstance(error, ResponseError) else None
        detail = error.detail if isinstance(error, ResponseError) else None
        return (not self.titles or title in self.titles) and (
            not self.detail or re.search(self.detail, detail or "") is not None
        )


_VERIFY: Final = (
    "Run again with this report as input and with `wait`: every app is looked at first."
)
_GO_ON: Final = "Run again with this report as input: only apps that are not done are sent."

# The first matching row is the advice, so special causes come before general causes.
ADVICE: Final = (
    Advice(
        cause="The app has no droplet",
        action="Push or stage the app, or set one of its droplets. Then run again.",
        errors=(UnprocessableError,),
        detail="Assign a droplet",
    ),
    Advice(
        cause="A quota is used up",
        action="Stop apps that are not needed, or ask for a larger quota of the space or the "
        "organization. Then run again.",
        errors=(UnprocessableError,),
        detail="quota_exceeded|instance_memory_limit_exceeded|app_instance_limit",
    ),
    Advice(
        cause="A deployment of the app is in progress",
        action="Wait for the deployment to end, or cancel it. Then run again.",
        errors=(UnprocessableError, ConflictError),
        detail="(?i)deployment",
    ),
    Advice(
        cause="The app is being staged",
        action="Wait for the build to end. Then run again.",
        errors=(UnprocessableError,),
        titles=("CF-StagingInProgress",),
    ),
    Advice(
        cause="The server refused the request for this app",
        action="Read the server's reason and correct the app. A second run gives the same answer.",
        errors=(UnprocessableError, BadRequestError, ConflictError),
    ),
    Advice(
        cause="The organization or the space is suspended",
        action="Ask an administrator to resume it. Only administrators can change apps there.",
        errors=(ForbiddenError,),
        titles=("CF-OrgSuspended", "CF-SpaceSuspended"),
    ),
    Advice(
        cause="A feature is switched off on this platform",
        action="Ask an administrator to enable the feature flag that the reason names.",
        errors=(ForbiddenError,),
        titles=("CF-FeatureDisabled",),
    ),
    Advice(
        cause="This login may not change the app",
        action="Use a login that is space developer or space supporter in the space of the app.",
        errors=(ForbiddenError,),
    ),
    Advice(
        cause="The token was not accepted",
        action="Log in again. If it happens for all apps, check that login and target belong "
        "together.",
        errors=(UnauthorizedError,),
    ),
    Advice(
        cause="The app does not exist, or this login cannot see it",
        action="Check the GUID and the target. If both are right, check the roles of this login.",
        errors=(NotFoundError,),
    ),
    Advice(
        cause="The rate limit was reached, even after waiting",
        action="Run again when the limit has been reset, with a lower `concurrency`.",
        errors=(RateLimitedError,),
    ),
    Advice(
        cause="The platform's runtime did not answer",
        action="The state may be changed already. Wait until the platform is healthy. " + _VERIFY,
        errors=(ServerError,),
        titles=("CF-RunnerUnavailable", "CF-RunnerError", "CF-StatsUnavailable"),
    ),
    Advice(
        cause="The server failed, even after retries",
        action="Run again later. If it fails again, give the request ids to the platform team.",
        errors=(ServerError,),
    ),
    Advice(
        cause="The server's answer could not be read",
        action="The request took effect, so do not repeat it unseen. " + _VERIFY,
        errors=(DecodeError,),
    ),
    Advice(
        cause="The server redirects to another address",
        action="Set the target to the address that the reason names.",
        errors=(RedirectedError,),
    ),
    Advice(
        cause="The server refused the request",
        action="Read the server's reason. Give the request ids to the platform team if unclear.",
        errors=(ResponseError,),
    ),
    Advice(
        cause="The server's certificate is not trusted",
        action="Check the target, and pass the platform's CA certificate.",
        errors=(CertificateError,),
    ),
    Advice(
        cause="The API could not be reached",
        action="Check network, proxy and DNS. No request arrived. " + _GO_ON,
        errors=(ConnectError,),
    ),
    Advice(
        cause="The connection ended before the answer came",
        action="The request may have taken effect. " + _VERIFY,
        errors=(TransportError,),
    ),
    Advice(
        cause="The login was refused",
        action="Check user, password or client secret. Repeated attempts may lock the account.",
        errors=(AuthError,),
    ),
    Advice(
        cause="The target is not a Cloud Foundry API",
        action="Check the target's address.",
        errors=(TargetError,),
    ),
    Advice(
        cause="The app crashes",
        action="Read its logs (`cf logs APP --recent`) and events (`cf events APP`). The server "
        "accepted the request; the error is in the app itself.",
        errors=(CrashedError,),
    ),
    Advice(
        cause="The platform has no room for the instances",
        action="Reduce instances or memory of the app, or ask the platform team for more cells.",
        errors=(PlacementError,),
    ),
    Advice(
        cause="The app did not come up, or go down, in time",
        action="Check its health check and logs. Allow more time with `startup_timeout` if it is "
        "only slow.",
        errors=(NotRunningError,),
    ),
    Advice(
        cause="The build failed",
        action="Read the reason and the staging log (`cf logs APP --recent`), correct the app or "
        "its buildpack, and run again.",
        errors=(BuildFailedError,),
    ),
    Advice(
        cause="The deployment was canceled or superseded",
        action="Find out who replaced it (`cf events APP`). Run again if your change is still "
        "wanted.",
        errors=(DeploymentFailedError,),
    ),
    Advice(
        cause="The app has a deployment in progress",
        action="Wait until it ends, or cancel it (`cf cancel-deployment APP`), then run again.",
        errors=(DeploymentInProgressError,),
    ),
    Advice(
        cause="A job of the server failed",
        action="Read the server's reason, and run again when it is removed.",
        errors=(JobFailedError,),
    ),
    Advice(
        cause="An executor lost the task of a foundation",
        action="Run the same tasks again. Each one continues from its journal.",
        errors=(TaskLostError,),
    ),
    Advice(
        cause="The input is not valid",
        action="Correct the input: nothing was sent for these apps.",
        errors=(InvalidInputError,),
    ),
    Advice(
        cause="Accepted, but not verified",
        action=_VERIFY,
        errors=(UnverifiedError,),
    ),
    Advice(
        cause="The deadline came first",
        action="A request in flight may have taken effect. "
        + _VERIFY
        + " Allow a longer deadline.",
        errors=(DeadlineError,),
    ),
    Advice(
        cause="Cancelled in flight",
        action="The request may have taken effect. " + _VERIFY,
        errors=(AbandonedError,),
    ),
    Advice(
        cause="The run ended before this app",
        action=_GO_ON,
        errors=(NotAttemptedError,),
    ),
    Advice(
        cause="Failed without a known cause",
        action="Look at the app and its logs. Please report this as a bug of this library.",
        errors=(AppsApiError,),
    ),
    Advice(cause="Accepted, but not verified", action=_VERIFY, status=Status.UNVERIFIED),
    Advice(cause="The deadline came first", action=_VERIFY, status=Status.TIMED_OUT),
    Advice(cause="Cancelled in flight", action=_VERIFY, status=Status.CANCELLED),
    Advice(cause="The run ended before this app", action=_GO_ON, status=Status.NOT_ATTEMPTED),
    Advice(
        cause="Failed without a known cause",
        action="Look at the app and its logs.",
        status=Status.FAILED,
    ),
)


def advice_for(outcome: Outcome[object]) -> Advice | None:
    """Return the advice for an outcome; None if the app is in the requested state."""
    if outcome.done:
        return None
    return next((advice for advice in ADVICE if advice.fits(outcome)), None)
