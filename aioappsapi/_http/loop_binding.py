"""The event loop of a client, and the errors for a client that is not open in it."""

from __future__ import annotations

import asyncio

from aioappsapi.errors import ClosedError, InvalidInputError

_NEVER_OPENED = "The client was never opened: use it inside `async with Client(...) as client:`."
_CLOSED = "The client is closed: its `async with` block has ended."
_ELSEWHERE = (
    "The client is open on another event loop (another thread, or an earlier asyncio.run). "
    "Make one client for each event loop."
)
_OPEN_ALREADY = (
    "The client is open already: one `async with` around all calls is enough. For other settings "
    "use client.with_options(), which needs no `async with`."
)


class LoopBinding:
    """Remembers the event loop from opening to closing.

    A client's connections, locks and login belong to the loop that they were made in. In
    another loop they would hang or fail with unclear errors.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._problem = _NEVER_OPENED

    @property
    def is_orphaned(self) -> bool:
        """Whether the loop was closed before the client was."""
        return self._loop is not None and self._loop.is_closed()

    def bind(self) -> None:
        """Bind to the running loop. Raises InvalidInputError if it is bound already."""
        if self._loop is not None:
            raise InvalidInputError(_OPEN_ALREADY if self._is_here() else _ELSEWHERE)
        self._loop = asyncio.get_running_loop()

    def release(self) -> None:
        """Forget the loop."""
        if self._loop is not None:
            self._loop, self._problem = None, _CLOSED

    def check(self, method: str = "", url: str = "") -> None:
        """Raise ClosedError unless the client is open in the running loop."""
        if self._loop is not asyncio.get_running_loop():
            problem = self._problem if self._loop is None else _ELSEWHERE
            raise ClosedError(problem, method=method, url=url)

    def check_may_close(self) -> None:
        """Raise ClosedError if the client works in another loop; it can be closed only there."""
        if self._loop is not None and not self.is_orphaned:
            self.check()

    def _is_here(self) -> bool:
        return self._loop is asyncio.get_running_loop()
