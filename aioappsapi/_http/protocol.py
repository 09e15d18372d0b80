"""One operation of the API as bytes out and bytes in, without any I/O.

An `Operation` describes an endpoint; `build` makes its `Request`, `parse` turns a `Response` into
a typed value or a typed error.
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Callable, Hashable
from typing import Any, Final, Generic, TypeVar, cast
from urllib.parse import quote, unquote

import msgspec

from aioappsapi._http.message import Query, Replay, Request, Response
from aioappsapi._http.response_errors import (
    decode_error,
    misfit_error,
    response_error,
    too_large_error,
)
from aioappsapi.errors import InvalidInputError

T = TypeVar("T")
R = TypeVar("R")

_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,254}")
_METHOD: Final = re.compile(r"[A-Z]+")
# Requests to these paths, and their answers, hold secrets.
_SENSITIVE: Final = re.compile(
    r"/(?:env|environment_variables|environment_variable_groups/+\w+)/*\Z"
)
_PATH: Final = re.compile(r"/[!-~]*")


class Operation(Generic[T]):
    """An endpoint of the API: built once per process, shared by all calls.

    `name` is for messages ("start app"), `path` has a ``{}`` per argument, `result` is the type
    that a success decodes to (NoneType: no body is read), `source` the API's page. `read` replaces
    decoding if the result is not in the body. `check` returns why a decoded success does not fit
    the request, or None; a success that does not fit proves nothing. A `sensitive` endpoint quotes
    secrets in its errors, so their values are masked.
    `repeat_proves_nothing` is for an endpoint that answers 200 to a repeat without doing anything:
    that 200 leaves open whether the first attempt was carried out.
    """

    __slots__ = (
        "_check",
        "_decoder",
        "_head",
        "_read",
        "_slots",
        "_tail",
        "method",
        "name",
        "path",
        "repeat_proves_nothing",
        "replay",
        "result",
        "sensitive",
        "source",
    )

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
        check: Callable[[Request, T], str | None] | None = None,
        sensitive: bool = False,
        repeat_proves_nothing: bool = False,
    ) -> None:
        self.name = name
        self.method = method
        self.path = path
        self._slots = path.count("{}")
        self._head, _, self._tail = path.partition("{}")
        self.replay = replay
        self.source = source
        self.result = result
        self._decoder: msgspec.json.Decoder[T] = _decoder(cast("Hashable", result))
        self._read = _nothing if result is type(None) else read
        self._check = check
        self.sensitive = sensitive
        self.repeat_proves_nothing = repeat_proves_nothing

    def read_as(self, result: type[R]) -> Operation[R]:
        """Return the same endpoint with another result type, so that less is decoded."""
        other = cast("Operation[R]", copy.copy(self))
        other.result = result
        other._decoder = _decoder(cast("Hashable", result))  # noqa: SLF001 - of this class
        return other

    def build(
        self, *args: str, query: Query | None = None, body: object = msgspec.UNSET
    ) -> Request:
        """Make the request.

        Raises InvalidInputError for an argument that no path can hold, TypeError for a wrong
        number of arguments.
        """
        if len(args) != self._slots:
            raise TypeError(f"{self.name}: {self.path} takes {self._slots} values, not {args!r}")
        if len(args) == 1:  # fast path: most paths hold one GUID
            guid: object = args[0]
            if not (isinstance(guid, str) and _SEGMENT.fullmatch(guid)):
                checked_segment(guid)  # which refuses it
            path = f"{self._head}{guid}{self._tail}"
        else:
            path = self.path.format(*map(checked_segment, args))
        return Request(
            operation=self.name,
            subject=args[0] if args else "",
            method=self.method,
            path=with_query(path, query) if query else path,
            template=self.path,
            replay=self.replay,
            sensitive=self.sensitive,
            repeat_proves_nothing=self.repeat_proves_nothing,
            body=None if body is msgspec.UNSET else _json(body),
        )

    def parse(self, request: Request, response: Response) -> T:
        """Read the answer. Raises a ResponseError: DecodeError if a success proves nothing."""
        if not 200 <= response.status < 300:
            raise response_error(request, response)
        if response.too_large:
            raise too_large_error(request, response)
        try:
            read = self._read
            value = self._decoder.decode(response.body) if read is None else read(response)
        except (msgspec.DecodeError, ValueError, RecursionError) as cause:
            raise decode_error(request, response, cause) from None
        if self._check is not None and (reason := self._check(request, value)) is not None:
            raise misfit_error(request, response, reason)
        return value


@functools.cache
def _decoder(result: Hashable) -> msgspec.json.Decoder[Any]:  # Any: a cache is not generic
    """Make a decoder once per type and process: it costs more than a hundred calls."""
    return msgspec.json.Decoder(result)


def _nothing(response: Response) -> Any:  # Any: "nothing" has to fit every result type
    del response


def checked_segment(arg: object) -> str:
    """Return an argument that a path can hold, such as a GUID. Raises InvalidInputError."""
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
    """Make the request of an undeclared endpoint. Raises InvalidInputError."""
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
        path=with_query(path, query),
        replay=replay,
        sensitive=_SENSITIVE.search(unquote(path.partition("?")[0])) is not None,
        body=None if json is msgspec.UNSET else _json(json),
    )


def successful(request: Request, response: Response) -> Response:
    """Return a success unchanged. Raises a ResponseError for any other answer."""
    if not 200 <= response.status < 300:
        raise response_error(request, response)
    if response.too_large:
        raise too_large_error(request, response)
    return response


def with_query(path: str, query: Query | None) -> str:
    if not query:
        return path
    joint = "&" if "?" in path else "?"
    return path + joint + "&".join(f"{quoted(k)}={quoted(v)}" for k, v in query.items())


def quoted(text: str) -> str:
    """Quote a text for a query. Raises InvalidInputError for a lone surrogate.

    Command-line arguments that are not UTF-8 contain surrogates.
    """
    try:
        # Raw commas: a list of 200 GUIDs must stay below the server's 10 KB.
        return quote(text, safe=",:")
    except UnicodeEncodeError:
        raise InvalidInputError(f"{text!r} is not UTF-8.") from None


def _json(body: object) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # the message is without the text, which may be a secret
        raise InvalidInputError("The text to send is not UTF-8.") from None
