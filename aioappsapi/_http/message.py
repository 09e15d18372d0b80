"""Requests and responses as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeVar
from urllib.parse import unquote_plus

import msgspec
from multidict import istr

T = TypeVar("T")

# fast path: these are read from every answer, and an `istr` keeps its lower-case form.
_REQUEST_ID: Final = istr("X-Vcap-Request-Id")
_WARNINGS: Final = istr("X-Cf-Warnings")
_RATE_LIMIT: Final = istr("X-RateLimit-Limit")

# A larger number in a rate limit is a mistake; far larger ones break calculations with floats.
_MOST_REQUESTS: Final = 10**12

Query = Mapping[str, str]


class Replay(Enum):
    """Whether a request may be sent again after a failure."""

    SAFE = "safe"  # it changes nothing, so it may be repeated after any transient failure
    IDEMPOTENT = "idempotent"  # a second request changes nothing more, so the same holds
    ONCE = "once"  # a second request acts again: repeated only if the first surely did not arrive


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request without the headers that each attempt adds.

    `operation` and `subject` name the request in logs and errors: "start app", and the app's GUID.
    `template` is the path with a ``{}`` for each argument, "" where that is not known.
    A `sensitive` request holds secrets, so no error quotes its values. `repeat_proves_nothing`: the
    server accepts a repeat without doing anything.
    """

    operation: str
    subject: str
    method: str
    path: str
    replay: Replay
    template: str = ""
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
    """An answer. `headers` are looked up without regard to case.

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

    def header(self, name: str) -> str | None:
        """Read a header as text that can be encoded, whatever its bytes are."""
        value = self.headers.get(name)
        # fast path: most values are ASCII, and many headers are missing.
        return value if value is None or value.isascii() else readable(value)

    @property
    def request_id(self) -> str | None:
        """The id under which the server logged the request."""
        value = self.headers.get(_REQUEST_ID)  # fast path: what `header` does
        return value if value is None or value.isascii() else readable(value)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The server's warnings, decoded from its form-encoded header."""
        raw = self.headers.get(_WARNINGS)
        if not raw:
            return ()
        # The header may come several times; only a multi-dictionary has all of them.
        getall = getattr(self.headers, "getall", None)
        parts = ",".join(getall(_WARNINGS) if getall else [raw]).split(",")
        return tuple(text for part in parts if (text := readable(unquote_plus(part).strip())))

    @property
    def rate_limit(self) -> RateLimit | None:
        """The rate limit of this answer; None if the server does not announce one."""
        limit = self.headers.get(_RATE_LIMIT)
        if limit is None:  # fast path: read from every answer, and most have no limit
            return None
        try:
            announced = RateLimit(
                limit=int(limit),
                remaining=int(self.headers["X-RateLimit-Remaining"]),
                resets_at=float(self.headers["X-RateLimit-Reset"]),
            )
        except (KeyError, ValueError):
            return None
        is_sane = (
            0 < announced.limit <= _MOST_REQUESTS
            and abs(announced.remaining) <= _MOST_REQUESTS
            and math.isfinite(announced.resets_at)
        )
        return announced if is_sane else None

    def json(self) -> object:
        """Read the body as JSON, whatever its content type. Raises ValueError."""
        return self.decode(object)

    def decode(self, result: type[T]) -> T:
        """Read the body as JSON of a type, e.g. a model. Raises ValueError."""
        try:
            return msgspec.json.decode(self.body, type=result)
        except (msgspec.DecodeError, RecursionError) as cause:
            raise ValueError(f"The body is not of {result}: {cause}") from None


def readable(text: str) -> str:
    """Replace the bytes of a header that are not UTF-8, which were decoded to surrogates.

    They cannot be encoded again, so they would break logs, journals and reports.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """The rate limit as the server announces it with an answer.

    `remaining` moves in steps of a tenth, and shows 0 while requests are still allowed. `resets_at`
    is in epoch seconds.
    """

    limit: int
    remaining: int
    resets_at: float
