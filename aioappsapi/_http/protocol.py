"""One operation of the API as bytes out and bytes in, without any I/O.

An `Operation` says what an endpoint is; `build` makes its `Request`, `parse` turns a `Response`
into a typed value or a typed error. Bytes are sniffed: the Cloud Controller sends JSON as text,
routers send HTML, and some failures have no content type at all.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, unquote_plus, urlencode

import msgspec

from aioappsapi.errors import (
    DecodeError,
    InvalidInputError,
    RateLimitedError,
    ResponseError,
    error_class,
)
from aioappsapi.models.error import ApiError, ErrorBody

T = TypeVar("T")
R = TypeVar("R", bound=ResponseError)

Query = Mapping[str, str]

_ERRORS: Final = msgspec.json.Decoder(ErrorBody)
_V2_ERROR: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,254}")
_METHOD: Final = re.compile(r"[A-Z]+")
_PATH: Final = re.compile(r"/[!-~]*")
_LONGEST_TEXT: Final = 300


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

    def __str__(self) -> str:
        return f"{self.operation} {self.subject}".rstrip()

    def __repr__(self) -> str:
        # Without the body, which may hold an app's environment.
        return f"<Request {self.method} {self.path}>"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. `headers` are looked up without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = ""

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
        try:
            return RateLimit(
                limit=int(self.headers["X-RateLimit-Limit"]),
                remaining=int(self.headers["X-RateLimit-Remaining"]),
                resets_at=float(self.headers["X-RateLimit-Reset"]),
            )
        except (KeyError, ValueError):
            return None

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


class Operation(Generic[T]):
    """An endpoint of the API: built once per process, shared by all calls.

    `name` is the field's word for it ("start app"), `path` has a ``{}`` per argument, `result` is
    the type that a success decodes to (NoneType: no body is read), `source` the API's page. `read`
    takes the place of decoding where the answer is not in the body. What is `sensitive` quotes
    secrets in its errors, so their text is kept out of messages.
    """

    __slots__ = ("_decoder", "_read", "method", "name", "path", "replay", "sensitive", "source")

    def __init__(
        self,
        name: str,
        method: str,
        path: str,
        result: type[T],
        *,
        replay: Replay,
        source: str,
        read: Callable[[Response], T] | None = None,
        sensitive: bool = False,
    ) -> None:
        self.name = name
        self.method = method
        self.path = path
        self.replay = replay
        self.source = source
        self._decoder = msgspec.json.Decoder(result)
        self._read = _nothing if result is type(None) else read
        self.sensitive = sensitive

    def build(
        self, *args: str, query: Query | None = None, body: object = msgspec.UNSET
    ) -> Request:
        """Make the request. Raises InvalidInputError for an argument that no path can hold."""
        path = self.path.format(*[_segment(arg) for arg in args]) if args else self.path
        return Request(
            operation=self.name,
            subject=args[0] if args else "",
            method=self.method,
            path=_with_query(path, query),
            replay=self.replay,
            sensitive=self.sensitive,
            body=None if body is msgspec.UNSET else msgspec.json.encode(body),
        )

    def parse(self, request: Request, response: Response) -> T:
        """Read the answer. Raises a ResponseError: DecodeError where a success is unreadable."""
        if not 200 <= response.status < 300:
            raise response_error(request, response)
        try:
            if self._read is not None:
                return self._read(response)
            return self._decoder.decode(response.body)
        except (msgspec.DecodeError, ValueError, RecursionError) as cause:
            raise _decode_error(request, response, cause) from None


def _nothing(response: Response) -> Any:  # Any: it stands for whatever type "nothing" is
    del response


def _segment(arg: object) -> str:
    if isinstance(arg, str) and _SEGMENT.fullmatch(arg):
        return arg
    shown = f"{arg[:77]}..." if isinstance(arg, str) and len(arg) > 80 else arg
    raise InvalidInputError(
        f"{shown!r} is not a GUID: it would look like '1cb006ee-fb05-47e1-b541-c34179ddc446'."
    )


def free_request(
    method: str,
    path: str,
    *,
    query: Query | None = None,
    json: object = msgspec.UNSET,
    repeatable: bool | None = None,
) -> Request:
    """Make the request of an endpoint that nobody declared. Raises InvalidInputError."""
    method = method.upper()
    if not _METHOD.fullmatch(method) or not _PATH.fullmatch(path):
        raise InvalidInputError(f"{method} {path!r}: a path below the API, like '/v3/buildpacks'.")
    if method in {"GET", "HEAD", "OPTIONS"}:
        replay = Replay.SAFE
    else:
        again = method != "POST" if repeatable is None else repeatable
        replay = Replay.IDEMPOTENT if again else Replay.ONCE
    return Request(
        operation=method,
        subject=path,
        method=method,
        path=_with_query(path, query),
        replay=replay,
        body=None if json is msgspec.UNSET else msgspec.json.encode(json),
    )


def successful(request: Request, response: Response) -> Response:
    """Give a success as it is. Raises the ResponseError of anything else."""
    if not 200 <= response.status < 300:
        raise response_error(request, response)
    return response


def _with_query(path: str, query: Query | None) -> str:
    if not query:
        return path
    # Raw commas: a list of 200 GUIDs must stay below the server's 10 KB.
    joint = "&" if "?" in path else "?"
    return f"{path}{joint}{urlencode(query, safe=',:', quote_via=quote)}"


def response_error(request: Request, response: Response) -> ResponseError:
    """Make the typed error of an answer that is not a success, whatever its bytes are."""
    errors = _read_errors(response.body)
    said = _titles(errors) if request.sensitive and errors else _said(errors, response)
    error = _make(error_class(response.status), request, response, errors, said)
    if isinstance(error, RateLimitedError):
        error.retry_after = retry_after(response.headers)
    return error


def _decode_error(request: Request, response: Response, cause: Exception) -> DecodeError:
    said = f"it happened, but the answer cannot be read ({_one_line(str(cause))})"
    return _make(DecodeError, request, response, (), said)


def _make(
    cls: type[R],
    request: Request,
    response: Response,
    errors: tuple[ApiError, ...],
    said: str,
) -> R:
    request_id = response.request_id
    suffix = f" (request id {request_id})" if request_id else ""
    return cls(
        f"{request}: {response.status} {said}{suffix}",
        status=response.status,
        method=request.method,
        url=response.url,
        errors=errors,
        request_id=request_id,
        headers=_kept_headers(response.headers),
        warnings=response.warnings,
        body=b"" if request.sensitive else response.body,
    )


_KEPT: Final = (
    "Content-Type",
    "Location",
    "Retry-After",
    "X-Cf-RouterError",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Vcap-Request-Id",
)


def _kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    # By name, so that no cookie or token that something adds can ever be kept.
    return {name: headers[name] for name in _KEPT if name in headers}


def _read_errors(body: bytes) -> tuple[ApiError, ...]:
    try:
        return tuple(_ERRORS.decode(body).errors)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_v2_error(body)


def _read_v2_error(body: bytes) -> tuple[ApiError, ...]:
    """Read the older form, which the server uses outside of /v3."""
    try:
        fields = _V2_ERROR.decode(body)
        return (
            ApiError(
                code=msgspec.json.decode(fields["code"], type=int),
                title=msgspec.json.decode(fields["error_code"], type=str),
                detail=msgspec.json.decode(fields["description"], type=str),
            ),
        )
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, RecursionError):
        return ()


def _titles(errors: tuple[ApiError, ...]) -> str:
    return _one_line("; ".join(str(error.title or error.code) for error in errors))


def _said(errors: tuple[ApiError, ...], response: Response) -> str:
    if errors:
        texts = [f"{error.title or error.code}: {error.detail}" for error in errors]
        return _one_line("; ".join(texts))
    if 300 <= response.status < 400:
        location = response.headers.get("Location", "elsewhere")
        return f"redirects to {_one_line(location)}; use that as the API's address"
    return describe_body(response)


_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def describe_body(response: Response) -> str:
    """Say in a few words what a body is that is not the API's JSON."""
    router = response.headers.get("X-Cf-RouterError")
    source = f"from the router ({router}): " if router else ""
    text = response.body[:4096].decode("utf-8", "replace").strip()
    if not text:
        return f"{source}with an empty body"
    if text.startswith("<"):
        title = _TITLE.search(text)
        return f"{source}with an HTML page" + (f" ({_one_line(title[1])!r})" if title else "")
    return source + _one_line(text)


def _one_line(text: str) -> str:
    line = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    return line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 3]}..."


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Read how many seconds to wait: `Retry-After` in seconds or as a date, else the window's end.

    `now` is in epoch seconds. Source: RFC 9110, section 10.2.3, and the API's rate limit headers.
    """
    now = time.time() if now is None else now
    for name, parse in (
        ("Retry-After", float),
        ("Retry-After", lambda text: parsedate_to_datetime(text).timestamp() - now),
        ("X-RateLimit-Reset", lambda text: float(text) - now),
    ):
        try:
            seconds = parse(headers[name])
        except (KeyError, ValueError, TypeError, OverflowError):
            continue
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    return None
