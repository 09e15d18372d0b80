"""What a failure means: it may pass, it is final, or the request may have been carried out.

The table is the theory; `classify` only reads it. First match decides, and where two rows match an
answer, the first is a special case of the second. The facts behind the rows are the server's, the
router's and the recordings': docs/failures.md.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import msgspec

from aioappsapi._http.message import Replay
from aioappsapi.errors import (
    AppsApiError,
    AuthError,
    CertificateError,
    ClosedError,
    DecodeError,
    NotFoundError,
    ResponseError,
    TransportError,
    UnprocessableError,
)


class Meaning(Enum):
    """What a failure says of the request."""

    TRANSIENT = "transient"  # nothing was done, and it may pass
    AMBIGUOUS = "ambiguous"  # it may have been carried out
    RATE_LIMITED = "rate limited"  # nothing was done; the server says when to come back
    TOKEN = "token"  # nothing was done; a new token may help, once
    PERMANENT = "permanent"  # sent again, it would fail again


class Row(msgspec.Struct, frozen=True):
    """An answer and its meaning. None matches anything; `tries` caps all attempts of a call."""

    statuses: range | tuple[int, ...]
    meaning: Meaning
    titles: tuple[str, ...] | None = None
    json: bool | None = None
    router: tuple[str, ...] | None = None
    tries: int | None = None

    def matches(self, status: int, title: str | None, router: str | None) -> bool:
        """Tell whether an answer is of this row; a title means that it was the API's JSON."""
        return (
            status in self.statuses
            and (self.titles is None or title in self.titles)
            and (self.json is None or self.json == (title is not None))
            and (self.router is None or router in self.router)
        )


T, A, P = Meaning.TRANSIENT, Meaning.AMBIGUOUS, Meaning.PERMANENT

TABLE: Final[tuple[Row, ...]] = (
    Row((401,), P, titles=("CF-NotAuthenticated",)),
    Row((401,), Meaning.TOKEN),
    Row((404,), T, json=False, router=("unknown_route",)),
    Row((429,), Meaning.RATE_LIMITED),
    Row((496,), T),
    Row((525, 526), T),
    Row((499,), A),
    Row((500,), P, titles=("CF-RunnerInvalidRequest",)),
    # The state is committed already, so that a 200 to the repetition proves nothing.
    Row((500,), A, titles=("CF-RunnerError",)),
    Row((503,), A, titles=("CF-RunnerUnavailable",)),
    Row((500,), A, json=True, tries=2),
    Row((502, 503), T, titles=("CF-UaaUnavailable", "CF-ServiceUnavailable")),
    Row((503,), T, json=False, router=("no_endpoints", "Connection Limit Reached")),
    Row(range(500, 1000), A),
    Row(range(1000), P),
)


def classify(error: AppsApiError) -> tuple[Meaning, int | None]:
    """Tell the meaning of an error, and how often in all such a call is tried (None: as set)."""
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
    """Tell whether a quota of the organization or space refused it.

    Final for now, but it may pass when other apps stop: worth one more try at the end of a run.
    """
    return (
        isinstance(error, ResponseError)
        and error.status == 422
        and any(_QUOTA.search(one.detail or "") for one in error.errors)
    )


def may_repeat(meaning: Meaning, replay: Replay) -> bool:
    """Tell whether a request of that replay policy may be sent again after such a failure."""
    if meaning is Meaning.AMBIGUOUS:
        return replay is not Replay.ONCE
    return meaning is not Meaning.PERMANENT


def is_outage_like(error: BaseException) -> bool:
    """Check whether a request failed without an answer as it does at a server that is away.

    The login server counts as well. A cancelled request, a refused login, a certificate that is
    not trusted and a closed client say nothing about the load.
    """
    if isinstance(error, AuthError):
        return not error.refused
    return isinstance(error, TransportError) and not isinstance(
        error, CertificateError | ClosedError
    )


def is_refusal_of_app(error: AppsApiError) -> bool:
    """Tell whether the API looked at the app and refused: there is none, or it cannot be done.

    Then no earlier try had been carried out either: repeating what has been done is accepted.
    """
    return isinstance(error, NotFoundError | UnprocessableError) and error.title is not None
