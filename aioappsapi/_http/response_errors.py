"""Answers that are no success, as typed errors.

Bytes are sniffed: the Cloud Controller sends JSON as text, routers send HTML, and some failures
have no content type at all.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import msgspec

from aioappsapi._http.message import Request, Response
from aioappsapi.errors import DecodeError, RateLimitedError, ResponseError, error_class
from aioappsapi.models.error import ApiError, ErrorBody

R = TypeVar("R", bound=ResponseError)

_ERRORS: Final = msgspec.json.Decoder(ErrorBody)
_V2_ERROR: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LONGEST_TEXT: Final = 300


def response_error(request: Request, response: Response) -> ResponseError:
    """Make the typed error of an answer that is not a success, whatever its bytes are."""
    errors = _read_errors(response.body)
    if request.sensitive:
        errors = tuple(_withheld(one, request.body) for one in errors)
    said = _titles(errors, response) if request.sensitive else _said(errors, response)
    error = _make(error_class(response.status), request, response, errors, said)
    if isinstance(error, RateLimitedError):
        error.retry_after = retry_after(response.headers)
    return error


# The server's words for a variable that it does not take: "... for key 'KEY', value '[1]'".
_VALUE: Final = re.compile(r"(?<=\bvalue ').*(?=')", re.DOTALL)
# A shorter text is no secret, and would be found in other words.
_SHORTEST_SECRET: Final = 4


def _withheld(error: ApiError, sent: bytes | None) -> ApiError:
    """Take out of an error's text what was sent, which it may quote."""
    detail = _VALUE.sub("...", error.detail or "")
    for text in _texts(msgspec.json.decode(sent) if sent else None):
        if len(text) >= _SHORTEST_SECRET:
            detail = detail.replace(text, "...")
    return msgspec.structs.replace(error, detail=detail or error.detail)


def _texts(value: object) -> Iterator[str]:
    """Give all values in a piece of JSON as texts."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
    elif value is not None:
        yield str(value)


def decode_error(request: Request, response: Response, cause: Exception) -> DecodeError:
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
    "Date",
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
    kept = {name: headers[name] for name in _KEPT if name in headers}
    if "Location" in kept:
        kept["Location"] = _bare(kept["Location"])
    return kept


def _bare(address: str) -> str:
    """Cut out of an address what may hold a token or a password."""
    return re.sub(r"//[^/@]*@", "//", re.split(r"[?#]", address, maxsplit=1)[0])


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


def _titles(errors: tuple[ApiError, ...], response: Response) -> str:
    """Say what an answer is whose texts may quote secrets."""
    if not errors:
        return response.headers.get("X-Cf-RouterError", "in words that may hold secrets")
    return _one_line("; ".join(str(error.title or error.code) for error in errors))


def _said(errors: tuple[ApiError, ...], response: Response) -> str:
    if errors:
        texts = [f"{error.title or error.code}: {error.detail or 'no detail'}" for error in errors]
        return _one_line("; ".join(texts))
    if 300 <= response.status < 400:
        location = _bare(response.headers.get("Location", "elsewhere"))
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

    `now` is in epoch seconds, by the server's clock where it tells. Source: RFC 9110, section
    10.2.3, and the API's rate limit headers.
    """
    now = _date(headers) if now is None else now
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


def _date(headers: Mapping[str, str]) -> float:
    try:
        return parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return time.time()
