"""The meaning of a failure: transient, final, or ambiguous (the request may have taken effect).

The rules are in the table; `classify` only reads it. The first matching row decides. If two
rows match an answer, the first is a special case of the second. The reasons for the rows are from
the sources of the server and the router, and from recordings: docs/concepts/retries.md.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import msgspec

from aioappsapi._http.message import Replay, Response
from aioappsapi._http.response_errors import read_errors
from aioappsapi.errors import (
    AppsApiError,
    AuthError,
    CertificateError,
    ClosedError,
    DecodeError,
    NotFoundError,
    ResponseError,
    TargetError,
    TransportError,
    UnprocessableError,
)


class Meaning(Enum):
    """The meaning of a failure for its request."""

    TRANSIENT = "transient"  # without effect, and transient
    AMBIGUOUS = "ambiguous"  # it may have taken effect
    RATE_LIMITED = "rate limited"  # without effect; the server says when to send again
    TOKEN = "token"  # without effect; a new token may help, once
    PERMANENT = "permanent"  # a repeat would fail too


class Row(msgspec.Struct, frozen=True):
    """A kind of answer and its meaning. None matches any value; `tries` limits the attempts."""

    statuses: range | tuple[int, ...]
    meaning: Meaning
    titles: tuple[str, ...] | None = None
    json: bool | None = None
    router: tuple[str, ...] | None = None
    tries: int | None = None

    def matches(self, status: int, title: str | None, router: str | None) -> bool:
        """Check whether an answer matches this row; with a title it was the API's JSON."""
        return (
            status in self.statuses
            and (self.titles is None or title in self.titles)
            and (self.json is None or self.json == (title is not None))
            and (self.router is None or router in self.router)
        )


_BROKER_LIMIT: Final = "CF-ServiceBrokerRateLimitExceeded"

T, A, P = Meaning.TRANSIENT, Meaning.AMBIGUOUS, Meaning.PERMANENT

TABLE: Final[tuple[Row, ...]] = (
    # No token was sent at all, so another token would not help.
    Row((401,), P, titles=("CF-NotAuthenticated",)),
    # The token is expired, or was revoked. This row follows its special case above.
    Row((401,), Meaning.TOKEN),
    # The router has no route to the API for a moment, for example during its deployment.
    Row((404,), T, json=False, router=("unknown_route",)),
    # A service broker is busy. Other calls do not concern it, so this one backs off alone.
    Row((429,), T, titles=(_BROKER_LIMIT,)),
    # The limit of the API counts all calls of this login, so the gate closes for all of them.
    Row((429,), Meaning.RATE_LIMITED),
    # The router and the API did not agree on certificates: the request was not delivered.
    Row((496,), T),
    Row((525, 526), T),
    # The router's client went away, but the API had the request.
    Row((499,), A),
    # The runner refuses this app as it is.
    Row((500,), P, titles=("CF-RunnerInvalidRequest",)),
    # The runner failed after the state was committed, so a 200 to a repeat proves nothing.
    Row((500,), A, titles=("CF-RunnerError",)),
    Row((503,), A, titles=("CF-RunnerUnavailable",)),
    # The API's catch-all. Most of these fail again, so there are at most two attempts.
    Row((500,), A, json=True, tries=2),
    # The API could not reach the UAA or its database before it did anything.
    Row((502, 503), T, titles=("CF-UaaUnavailable", "CF-ServiceUnavailable")),
    # The router had no instance of the API to send the request to. With the API's JSON the request
    # did arrive, so this row is for answers without it.
    Row((503,), T, json=False, router=("no_endpoints", "Connection Limit Reached")),
    # After any other failure behind the router the request may have taken effect.
    Row(range(500, 1000), A),
    # The API refused the request: the same request gets the same answer.
    Row(range(1000), P),
)


def classify(error: AppsApiError) -> tuple[Meaning, int | None]:
    """Return the meaning of an error, and the maximum of attempts (None: as set)."""
    if isinstance(error, ResponseError) and not isinstance(error, DecodeError):
        router = error.headers.get("X-Cf-RouterError")
        row = next(r for r in TABLE if r.matches(error.status, error.title, router))
        return row.meaning, row.tries
    if isinstance(error, CertificateError | ClosedError):
        return P, None
    if isinstance(error, TransportError):
        return (A if error.delivered else T), None
    if isinstance(error, AuthError):
        return (P if error.refused else T), None
    return P, None


_QUOTA: Final = re.compile(
    r"(?:quota|limit)_exceeded\b|\bexceeds (?:the )?(?:organization|space)\b", re.IGNORECASE
)


def is_quota(error: AppsApiError) -> bool:
    """Check whether a quota of the organization or space refused the request.

    That is final for now, but other apps may stop: it is worth one more attempt at a run's end.
    """
    return (
        isinstance(error, ResponseError)
        and error.status == 422
        and any(_QUOTA.search(one.detail or "") for one in error.errors)
    )


def may_repeat(meaning: Meaning, replay: Replay) -> bool:
    """Check whether a request with this replay policy may be sent again after such a failure."""
    if meaning is Meaning.AMBIGUOUS:
        return replay is not Replay.ONCE
    return meaning is not Meaning.PERMANENT


def is_outage_like(error: BaseException) -> bool:
    """Check whether a request failed in a way that suggests an outage of the server.

    The login server counts as well. A cancelled request, a refused login, a certificate that is
    not trusted and a closed client say nothing about the load.
    """
    if isinstance(error, AuthError):
        return not error.refused
    return isinstance(error, TransportError) and not isinstance(
        error, CertificateError | ClosedError
    )


def is_refusal_of_app(error: AppsApiError) -> bool:
    """Check whether the API refused this app: it does not exist, or its state forbids the request.

    Then no earlier attempt took effect either: the API accepts a repeat of a successful request.
    """
    return isinstance(error, NotFoundError | UnprocessableError) and error.title is not None


def is_final(error: AppsApiError) -> bool:
    """Check whether every call would fail with this error, whatever app it is for.

    The address is wrong, the login was refused, the server's certificate is not trusted, or the
    client is closed. A retry or another app cannot succeed.
    """
    if isinstance(error, AuthError):
        return error.refused
    return isinstance(error, TargetError | CertificateError | ClosedError)


def is_broker_limit(response: Response) -> bool:
    """Check whether a 429 comes from the limit of a service broker, not from the API's own."""
    return any(one.title == _BROKER_LIMIT for one in read_errors(response.body))
