"""One operation of the API as bytes out and bytes in, without any I/O.

An `Operation` says what an endpoint is; `build` makes its `Request`, `parse` turns a `Response`
into a typed value or a typed error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import msgspec

from aioappsapi._http.message import Query, Replay, Request, Response
from aioappsapi._http.response_errors import decode_error, response_error
from aioappsapi.errors import InvalidInputError

T = TypeVar("T")

_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,254}")
_METHOD: Final = re.compile(r"[A-Z]+")
# What is read and written there are secrets.
_SENSITIVE: Final = re.compile(r"/(?:env|environment_variables|environment_variable_groups/\w+)\Z")
_PATH: Final = re.compile(r"/[!-~]*")


class Operation(Generic[T]):
    """An endpoint of the API: built once per process, shared by all calls.

    `name` is the field's word for it ("start app"), `path` has a ``{}`` per argument, `result` is
    the type that a success decodes to (NoneType: no body is read), `source` the API's page. `read`
    takes the place of decoding where the answer is not in the body. What is `sensitive` quotes
    secrets in its errors, so their text is kept out of messages. `repeat_proves_nothing` is for an
    endpoint that answers 200 to a repeat without doing anything: that 200 leaves open whether the
    first attempt was carried out.
    """

    __slots__ = (
        "_decoder",
        "_read",
        "method",
        "name",
        "path",
        "repeat_proves_nothing",
        "replay",
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
        sensitive: bool = False,
        repeat_proves_nothing: bool = False,
    ) -> None:
        self.name = name
        self.method = method
        self.path = path
        self.replay = replay
        self.source = source
        self._decoder = msgspec.json.Decoder(result)
        self._read = _nothing if result is type(None) else read
        self.sensitive = sensitive
        self.repeat_proves_nothing = repeat_proves_nothing

    def build(
        self, *args: str, query: Query | None = None, body: object = msgspec.UNSET
    ) -> Request:
        """Make the request. Raises InvalidInputError for an argument that no path can hold."""
        path = self.path.format(*[checked_segment(arg) for arg in args]) if args else self.path
        return Request(
            operation=self.name,
            subject=args[0] if args else "",
            method=self.method,
            path=_with_query(path, query),
            replay=self.replay,
            sensitive=self.sensitive,
            repeat_proves_nothing=self.repeat_proves_nothing,
            body=None if body is msgspec.UNSET else _json(body),
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
            raise decode_error(request, response, cause) from None


def _nothing(response: Response) -> Any:  # Any: it stands for whatever type "nothing" is
    del response


def checked_segment(arg: object) -> str:
    """Give an argument that a path can hold, such as a GUID. Raises InvalidInputError."""
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
        sensitive=_SENSITIVE.search(path.partition("?")[0]) is not None,
        body=None if json is msgspec.UNSET else _json(json),
    )


def successful(request: Request, response: Response) -> Response:
    """Give a success as it is. Raises the ResponseError of anything else."""
    if not 200 <= response.status < 300:
        raise response_error(request, response)
    return response


def _with_query(path: str, query: Query | None) -> str:
    if not query:
        return path
    joint = "&" if "?" in path else "?"
    return path + joint + "&".join(f"{quoted(k)}={quoted(v)}" for k, v in query.items())


def quoted(text: str) -> str:
    """Quote as for a query. Raises InvalidInputError for half a character.

    Arguments of a process that are no UTF-8 have some.
    """
    try:
        # Raw commas: a list of 200 GUIDs must stay below the server's 10 KB.
        return quote(text, safe=",:")
    except UnicodeEncodeError:
        raise InvalidInputError(f"{text!r} is not UTF-8.") from None


def _json(body: object) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # without the text, which may be a secret
        raise InvalidInputError("there is text to be sent that is not UTF-8.") from None
