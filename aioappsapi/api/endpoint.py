"""The declaration of endpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from aioappsapi._http.call import Caller
from aioappsapi._http.message import Replay, Request, Response
from aioappsapi._http.protocol import Operation

T = TypeVar("T")

_DOCS: Final = "https://v3-apidocs.cloudfoundry.org/#"
_BY_METHOD: Final = {
    "GET": Replay.SAFE,
    "PATCH": Replay.IDEMPOTENT,
    "DELETE": Replay.IDEMPOTENT,
    "POST": Replay.ONCE,
}


def endpoint(
    name: str,
    method: str,
    path: str,
    result: type[T],
    page: str,
    *,
    replay: Replay | None = None,
    read: Callable[[Response], T] | None = None,
    check: Callable[[Request, T], str | None] | None = None,
    sensitive: bool = False,
    repeat_proves_nothing: bool = False,
) -> Operation[T]:
    """Declare an endpoint: see `Operation`. `page` is the anchor of its page in the API's docs.

    Without a `replay`, a POST is never sent again after it may have arrived.
    """
    return Operation(
        name,
        method,
        path,
        result,
        replay=replay or _BY_METHOD[method],
        source=_DOCS + page,
        read=read,
        check=check,
        sensitive=sensitive,
        repeat_proves_nothing=repeat_proves_nothing,
    )


class Endpoints:
    """The methods of one resource, which share one `Caller`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
