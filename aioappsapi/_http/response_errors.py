"""Answers that are not a success, as typed errors.

The content type is not trusted: the Cloud Controller sends JSON as text, routers send HTML, and
some failures have no content type at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec

from aioappsapi._headers import retry_after as retry_after  # noqa: PLC0414 - an export
from aioappsapi._http.message import Request, Response
from aioappsapi.errors import ApiError, DecodeError, RateLimitedError, ResponseError, error_class
from aioappsapi.models.error import ErrorBody

R = TypeVar("R", bound=ResponseError)

_ERRORS: Final = msgspec.json.Decoder(ErrorBody)
_V2_ERROR: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LONGEST_TEXT: Final = 300
# An error keeps this many bytes of a body, and characters of a text: a report holds thousands.
_KEPT_BYTES: Final = 4096
_KEPT_ERRORS: Final = 20


def response_error(request: Request, response: Response) -> ResponseError:
    """Return the typed error of an answer that is not a success, whatever its bytes are."""
    errors = tuple(map(_shortened, read_errors(response.body)[:_KEPT_ERRORS]))
    if _has_secrets(request):
        errors = tuple(_masked(one, request.body) for one in errors)
    hidden = request.sensitive or (_has_secrets(request) and not errors)
    text = _titles(errors, response) if hidden else _text(errors, response)
    error = _make(error_class(response.status), request, response, errors, text)
    if isinstance(error, RateLimitedError):
        error.retry_after = retry_after(response.headers)
    return error


# The server's text for a refused variable: "... for key 'KEY', value '[1]'".
_VALUE: Final = re.compile(r"(?<=\bvalue ').*(?=')", re.DOTALL)
_WORD: Final = re.compile(r'[^\s"{}\[\]:,]+')
# A shorter text is no secret, and may be a part of other words.
_SHORTEST_SECRET: Final = 4


def _shortened(error: ApiError) -> ApiError:
    if error.detail is None or len(error.detail) <= _KEPT_BYTES:
        return error
    return msgspec.structs.replace(error, detail=f"{error.detail[:_KEPT_BYTES]}...")


def _masked(error: ApiError, sent: bytes | None) -> ApiError:
    """Mask the values in an error that come from the request. Names of variables stay."""
    detail = _VALUE.sub("...", error.detail or "")
    # The longest first: one value may be a part of another.
    for secret in sorted(_secrets(sent), key=len, reverse=True):
        detail = detail.replace(secret, "...")
    return msgspec.structs.replace(error, detail=detail or error.detail)


def _has_secrets(request: Request) -> bool:
    return request.sensitive or b'"environment_variables"' in (request.body or b"")


def _secrets(sent: bytes | None) -> set[str]:
    try:
        body = msgspec.json.decode(sent) if sent else None
    except ValueError:  # sent as `msgspec.Raw`: names and values cannot be told apart
        body = _WORD.findall((sent or b"").decode(errors="replace"))
    if isinstance(body, dict) and "environment_variables" in body:
        body = body["environment_variables"]  # an app's name and the like are no secrets
    return {text for text in _texts(body) if len(text) >= _SHORTEST_SECRET}


def _texts(value: object) -> Iterator[str]:
    """Yield all values in a piece of JSON as texts."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
    elif value is not None:
        yield str(value)


def decode_error(request: Request, response: Response, cause: Exception) -> DecodeError:
    """Return the error of a success whose body cannot be decoded."""
    text = f"with an answer that cannot be read ({one_line(str(cause))}); it was accepted"
    return _make(DecodeError, request, response, (), text)


def too_large_error(request: Request, response: Response) -> DecodeError:
    """Return the error of a success that has more bytes than `Limits.max_answer`."""
    text = "with an answer of more bytes than Limits.max_answer allows; it was accepted"
    return _make(DecodeError, request, response, (), text)


def misfit_error(request: Request, response: Response, reason: str) -> DecodeError:
    """Return the error of a success that does not fit its request, and so proves nothing."""
    text = f"with an answer that proves nothing: {one_line(reason)}"
    return _make(DecodeError, request, response, (), text)


def _make(
    cls: type[R],
    request: Request,
    response: Response,
    errors: tuple[ApiError, ...],
    text: str,
) -> R:
    request_id = response.request_id
    suffix = f" (request id {one_line(request_id)})" if request_id else ""
    return cls(
        f"{request}: {response.status} {text}{suffix}",
        status=response.status,
        method=request.method,
        url=response.url,
        errors=errors,
        request_id=request_id,
        headers=_kept_headers(response),
        warnings=response.warnings,
        body=b"" if _has_secrets(request) else response.body[:_KEPT_BYTES],
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


def _kept_headers(response: Response) -> dict[str, str]:
    # By name, so that a cookie or a token is never kept.
    values = ((name, response.header(name)) for name in _KEPT)
    kept = {name: value for name, value in values if value is not None}
    if "Location" in kept:
        kept["Location"] = _bare(kept["Location"])
    return kept


def _bare(address: str) -> str:
    """Remove the parts of an address that may hold a token or a password."""
    return re.sub(r"//[^/@]*@", "//", re.split(r"[?#]", address, maxsplit=1)[0])


def read_errors(body: bytes) -> tuple[ApiError, ...]:
    """Read the server's errors from a body; there are none if it is not the API's JSON."""
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
    """Describe an answer whose texts may quote secrets."""
    if not errors:
        router = response.header("X-Cf-RouterError")
        return one_line(router) if router else "with a text that may hold secrets"
    return one_line("; ".join(str(error.title or error.code) for error in errors))


def _text(errors: tuple[ApiError, ...], response: Response) -> str:
    if errors:
        texts = [f"{error.title or error.code}: {error.detail or 'no detail'}" for error in errors]
        return one_line("; ".join(texts))
    if 300 <= response.status < 400:
        location = _bare(response.header("Location") or "elsewhere")
        return f"redirects to {one_line(location)}; use that as the API's address"
    return describe_body(response)


_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def describe_body(response: Response) -> str:
    """Describe in a few words a body that is not the API's JSON."""
    router = response.header("X-Cf-RouterError")
    source = f"from the router ({one_line(router)}): " if router else ""
    text = response.body[:_KEPT_BYTES].decode("utf-8", "replace").strip()
    if not text:
        return f"{source}with an empty body"
    if text.startswith("<"):
        title = _TITLE.search(text)
        return f"{source}with an HTML page" + (f" ({one_line(title[1])!r})" if title else "")
    return source + one_line(text)


def one_line(text: str) -> str:
    """Return a text as one short line without control characters."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    return line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 3]}..."
