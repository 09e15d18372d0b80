"""The errors of this library.

    AppsApiError
    ├── InvalidInputError            refused here, before a request was spent (also a ValueError)
    ├── NotIncludedError             not included in the answer (also an AttributeError)
    ├── AuthError                    no token: the login was refused, or there is none
    ├── TargetError                  the address answers, but not as a Cloud Controller
    ├── TransportError               no answer; `delivered` says whether the server may have acted
    │   ├── ConnectError             never delivered: refused, DNS, proxy, connect time-out
    │   │   └── TlsError             never delivered: the handshake failed
    │   │       └── CertificateError the server's certificate is not trusted
    │   ├── ReadTimeout              sent, and no answer in time
    │   ├── DisconnectedError        the connection ended before the answer did
    │   └── ClosedError              the client is not open in this event loop
    ├── ResponseError                an answer that is not a success
    │   ├── BadRequestError     400
    │   ├── UnauthorizedError   401
    │   ├── ForbiddenError      403
    │   ├── NotFoundError       404
    │   ├── ConflictError       409
    │   ├── UnprocessableError  422
    │   ├── RateLimitedError    429
    │   ├── ServerError         5xx
    │   ├── RedirectedError     3xx  never followed with the token
    │   └── DecodeError         2xx  accepted, but the answer cannot be read or does not fit
    ├── JobFailedError               a job of the server ended as FAILED
    ├── BuildFailedError             a build ended as FAILED
    ├── DeploymentFailedError        a deployment was canceled or superseded
    ├── DeploymentInProgressError    the app has another deployment, and no request was sent
    ├── NotRunningError              accepted, but the instances do not run
    │   ├── CrashedError             the instances crash
    │   └── PlacementError           the platform has no cell for them
    ├── UnverifiedError              accepted, but not proved
    ├── DeadlineError                the deadline came first
    ├── AbandonedError               cancelled in flight; the server may have acted
    └── NotAttemptedError            a bulk run ended before this app

A bulk run that cannot go on raises `RunAbortedError`, which has the report and lives beside it.
Every error can be pickled, and its text is one line: what was tried, on which app, what came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self, TypeVar

import msgspec

E = TypeVar("E", bound=BaseException)


def _rebuild(cls: type[E], args: tuple[object, ...], state: dict[str, object]) -> E:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class AppsApiError(Exception):
    """The base of all errors of this library."""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by state: subclasses take keyword-only arguments, which the default cannot."""
        return _rebuild, (type(self), self.args, self.__dict__)

    def detached(self) -> Self:
        """Drop the traceback and the chain, which keep whole frames alive, and return self.

        A report holds errors by the ten thousand: 34 MB with tracebacks, 8 without.
        """
        self.__traceback__ = None
        self.__context__ = None
        self.__cause__ = None
        return self


class InvalidInputError(AppsApiError, ValueError):
    """An argument that the server would surely refuse, or that cannot be sent. Nothing was sent."""


def refuse_unless(condition: bool, what: str) -> None:
    """Raise InvalidInputError with the text `what` unless the condition holds."""
    if not condition:
        raise InvalidInputError(what)


class NotIncludedError(AppsApiError, AttributeError):
    """The related resource was not included in the answer."""

    def __init__(self, what: str, *, ask_for: str) -> None:
        super().__init__(f"The {what} was not included: ask for it with include=[{ask_for!r}].")


class AuthError(AppsApiError):
    """There is no token, so the request was not sent.

    `refused` is true when the UAA refused the credentials. Such a login is not sent again, because
    each refusal counts towards locking the account. `error` is the UAA's own code (RFC 6749,
    section 5.2), `status` its HTTP status or 0, `retry_after` the seconds until the next login may
    succeed, if they are known.
    """

    def __init__(
        self,
        message: str,
        *,
        refused: bool = True,
        error: str | None = None,
        status: int = 0,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.refused = refused
        self.error = error
        self.status = status
        self.retry_after = retry_after


class TargetError(AppsApiError):
    """The address answers, but not with the root of a Cloud Foundry API."""


class TransportError(AppsApiError):
    """A request that got no answer.

    `delivered` is false only if the server surely did not receive the request. If it is true, the
    request may or may not have taken effect.
    """

    delivered = True

    def __init__(self, message: str, *, method: str = "", url: str = "") -> None:
        super().__init__(message)
        self.method = method
        self.url = url


class ConnectError(TransportError):
    """No connection: refused, unreachable, unknown host, proxy, or too slow. Not delivered."""

    delivered = False


class TlsError(ConnectError):
    """The TLS handshake failed. Not delivered."""


class CertificateError(TlsError):
    """The server's certificate is not trusted, or is another host's. Not delivered, and final."""


class ReadTimeout(TransportError):  # noqa: N818 - the field's name for it
    """The request was sent, and no answer came in time. It may have taken effect."""


class DisconnectedError(TransportError):
    """The connection ended before the answer was complete. The request may have taken effect."""


class ClosedError(TransportError):
    """The client is not open here: never opened, closed, or open on another event loop.

    Not delivered.
    """

    delivered = False


class ApiError(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One error in a body of the API. Decide on its `title`; `code` is not unique.

    Source: https://v3-apidocs.cloudfoundry.org/#errors
    """

    code: int | None = None
    title: str | None = None
    detail: str | None = None


class ResponseError(AppsApiError):
    """An answer that is not a success.

    `status` is the HTTP status; `body` holds at most 4 KB of the body, and nothing if it may
    hold secrets; `errors` are the server's own (code, title, detail), the first of
    which is also in `code`, `title` and `detail`. All are None if the body has none, as in
    the HTML of a load balancer. Decide on (`status`, `title`): codes are not unique, and details
    change between versions. `request_id` finds the request in the server's logs.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        method: str = "",
        url: str = "",
        errors: tuple[ApiError, ...] = (),
        request_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        warnings: tuple[str, ...] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.method = method
        self.url = url
        self.errors = errors
        self.request_id = request_id
        self.headers = dict(headers or {})
        self.warnings = warnings
        self.body = body

    @property
    def code(self) -> int | None:
        """The number of the server's first error, e.g. 10008. Not unique."""
        return self.errors[0].code if self.errors else None

    @property
    def title(self) -> str | None:
        """The name of the server's first error, e.g. ``CF-UnprocessableEntity``."""
        return self.errors[0].title if self.errors else None

    @property
    def detail(self) -> str | None:
        """The text of the server's first error, for people."""
        return self.errors[0].detail if self.errors else None


class BadRequestError(ResponseError):
    """400: a parameter or a body that the server does not understand."""


class UnauthorizedError(ResponseError):
    """401: no token, or one that is expired, malformed or for another server."""


class ForbiddenError(ResponseError):
    """403: not permitted, a suspended organization or space, or a disabled feature."""


class NotFoundError(ResponseError):
    """404: unknown, or not visible with this login; the server does not distinguish them."""


class ConflictError(ResponseError):
    """409: the state of the resource does not allow it."""


class UnprocessableError(ResponseError):
    """422: the request cannot be carried out: no droplet, a quota, a name that is taken, …."""


class RateLimitedError(ResponseError):
    """429: without effect. `retry_after` is the seconds to wait, if the server sent them."""

    retry_after: float | None = None


class ServerError(ResponseError):
    """5xx: the server, or a router in front of it, failed. The request may have taken effect."""


class RedirectedError(ResponseError):
    """3xx: the server names another address. Not followed: the token is only for this host."""


class DecodeError(ResponseError):
    """A success that proves nothing: its body cannot be read, or shows another app or state.

    The server accepted the request, so it is never sent again. Read the app to see its state.
    """


_BY_STATUS: dict[int, type[ResponseError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: RateLimitedError,
}


def error_class(status: int) -> type[ResponseError]:
    """Return the class of an error for a status that is not a success."""
    if status >= 500:
        return ServerError
    if 300 <= status < 400:
        return RedirectedError
    return _BY_STATUS.get(status, ResponseError)


class JobFailedError(AppsApiError):
    """A job of the server ended as FAILED; `errors` are its own."""

    def __init__(self, message: str, *, guid: str, errors: tuple[ApiError, ...] = ()) -> None:
        super().__init__(message)
        self.guid = guid
        self.errors = errors


class BuildFailedError(AppsApiError):
    """A build ended as FAILED; the text has the server's reason."""

    def __init__(self, message: str, *, guid: str) -> None:
        super().__init__(message)
        self.guid = guid


class DeploymentFailedError(AppsApiError):
    """A deployment ended without being deployed; `reason` is ``CANCELED`` or ``SUPERSEDED``."""

    def __init__(self, message: str, *, guid: str, reason: str) -> None:
        super().__init__(message)
        self.guid = guid
        self.reason = reason


class DeploymentInProgressError(AppsApiError):
    """The app has a deployment in progress, `guid`. No request was sent: it would supersede it."""

    def __init__(self, message: str, *, guid: str) -> None:
        super().__init__(message)
        self.guid = guid


class NotRunningError(AppsApiError):
    """The server accepted the request, but the instances are not in the requested state.

    `states` are the last ones seen. `details` is the server's reason, if it gave one.
    """

    def __init__(
        self, message: str, *, states: tuple[str, ...] = (), details: str | None = None
    ) -> None:
        super().__init__(message)
        self.states = states
        self.details = details


class CrashedError(NotRunningError):
    """Instances crash, and did not come up again within the crash grace."""


class PlacementError(NotRunningError):
    """The platform has no cell for the instances: ``insufficient resources``."""


class UnverifiedError(AppsApiError):
    """The server accepted the request, but nothing proved its effect.

    Read the app before you send the request again.
    """


class DeadlineError(AppsApiError):
    """The deadline passed. The text says whether a request may have taken effect.

    `last` is the failure that left no time for another attempt, if there was one.
    """

    def __init__(self, message: str, *, last: AppsApiError | None = None) -> None:
        super().__init__(message)
        self.last = last


class AbandonedError(AppsApiError):
    """The request was in flight when the run was cancelled. It may have taken effect."""


class NotAttemptedError(AppsApiError):
    """The run ended before this app was begun. Nothing was sent for it; the text says why."""


class TaskLostError(AppsApiError):
    """An executor lost the task of a foundation, for example because its worker died.

    The outcomes are those of the task's journal. Run the tasks again to continue.
    """
