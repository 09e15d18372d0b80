"""The events for an observer of calls. A client without an observer makes no call for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from aioappsapi._http.message import Request, Response

# Called with the answer to an attempt, or with the error that took its place.
OnEnd = Callable[[Response | BaseException], object]


class CallObserver(Protocol):
    """Follows the attempts of all calls of a client. Its methods must not raise."""

    def attempt(self, request: Request, headers: dict[str, str], resends: int) -> OnEnd:
        """Follow an attempt, the first one with 0 `resends`. It may add headers.

        The returned function is called in the same task when the attempt has ended.
        """
        ...

    def waiting(self, request: Request, *, closed: bool) -> Callable[[], object]:
        """Follow a request that has to wait; `closed`: the gate of the rate limit is closed.

        The returned function is called when the request may go out.
        """
        ...

    def backing_off(self, request: Request, seconds: float) -> None:
        """Follow the pause of a failed request before its next attempt."""
        ...
