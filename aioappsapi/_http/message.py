"""Requests and responses as plain values: what goes out, and what came back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeVar
from urllib.parse import unquote_plus

import msgspec

T = TypeVar("T")

# A server that announces more has no limit, and larger numbers overflow a float.
_MOST_REQUESTS: Final = 2**53

Query = Mapping[str, str]


class Replay(Enum):
    """What may be sent again after a failure."""

    SAFE = "safe"  # changes nothing: whatever failed for a moment
    IDEMPOTENT = "idempotent"  # a second one changes nothing more: also what may have happened
    ONCE = "once"  # a second one acts again: only what was surely not delivered


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What goes out, but for the headers that each attempt adds.

    `operation` and `subject` say for people what is tried, and on what.
    """

    operation: str
    subject: str
    method: str
    path: str
    replay: Replay
    body: bytes | None = None
    content_type: str = "application/json"
    sensitive: bool = False
    repeat_proves_nothing: bool = False

    def __str__(self) -> str:
        return f"{self.operation} {self.subject}".rstrip()

    def __repr__(self) -> str:
        # Without the body, which may hold an app's environment.
        return f"<Request {self.method} {self.path}>"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. `headers` are looked up without regard to case.

    A body of more than `Limits.max_answer` bytes is `too_large`: only its beginning is kept.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = ""
    too_large: bool = False

    def __repr__(self) -> str:
        # Without the body, which may hold a token.
        return f"<Response {self.status} {self.url}>"

    @property
    def request_id(self) -> str | None:
        """The id under which the server logged the request."""
        return self.headers.get("X-Vcap-Request-Id")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the server warns of, decoded from its form-encoded header."""
        raw = self.headers.get("X-Cf-Warnings")
        if not raw:
            return ()
        # The header may come several times, which only a multi-dictionary can tell.
        getall = getattr(self.headers, "getall", None)
        parts = ",".join(getall("X-Cf-Warnings") if getall else [raw]).split(",")
        return tuple(text for part in parts if (text := unquote_plus(part).strip()))

    @property
    def rate_limit(self) -> RateLimit | None:
        """What is left of the rate limit's window; None where the server does not count."""
        limit = self.headers.get("X-RateLimit-Limit")
        if limit is None:  # fast path: asked of every answer, and most have none
            return None
        try:
            told = RateLimit(
                limit=min(int(limit), _MOST_REQUESTS),
                remaining=min(int(self.headers["X-RateLimit-Remaining"]), _MOST_REQUESTS),
                resets_at=float(self.headers["X-RateLimit-Reset"]),
            )
        except (KeyError, ValueError):
            return None
        return told if told.limit > 0 and math.isfinite(told.resets_at) else None

    def json(self) -> object:
        """Read the body as JSON, whatever its content type. Raises ValueError."""
        return self.decode(object)

    def decode(self, result: type[T]) -> T:
        """Read the body as JSON of a type, e.g. a model. Raises ValueError."""
        try:
            return msgspec.json.decode(self.body, type=result)
        except (msgspec.DecodeError, RecursionError) as cause:
            raise ValueError(f"The body is not of {result}: {cause}") from None


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A rate limit as the server tells it with an answer.

    `remaining` moves in steps of a tenth and shows 0 while requests are still allowed; `resets_at`
    is in epoch seconds.
    """

    limit: int
    remaining: int
    resets_at: float
