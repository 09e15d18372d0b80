"""What an observer of calls is told. A client without one makes no call for it."""

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

        What it returns is called in the same task when the attempt has ended.
        """
        ...

    def waiting(self, request: Request, *, closed: bool) -> Callable[[], object]:
        """Follow a request that has to wait; `closed`: the gate of the rate limit is closed.

        What it returns is called when the request may go out.
        """
        ...

    def backing_off(self, request: Request, seconds: float) -> None:
        """Learn that a failed request pauses before its next attempt."""
        ...
