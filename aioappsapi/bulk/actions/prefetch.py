"""Read the states of apps shortly before their turn, many with one request."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

import anyio

from aioappsapi._http.batches import BATCH
from aioappsapi._http.call_log import CallEvents, logged_to
from aioappsapi._http.retry.policy import is_final
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.errors import AppsApiError

V = TypeVar("V")

# The next batch is read when this many known apps are left, so that no worker waits.
_EARLY: Final = 100
_FITS_IN_LIST: Final = re.compile(r"[A-Za-z0-9._~-]{1,64}")

log = logging.getLogger("aioappsapi")


def fits_in_list(key: str) -> bool:
    """Check whether a key can stand in a list of GUIDs; no real GUID is longer."""
    return _FITS_IN_LIST.fullmatch(key) is not None


class Prefetcher(Generic[V]):
    """Reads something about the apps of a run in batches, shortly before their turn.

    The first worker that comes to an unknown app reads it and those behind it. A worker that comes
    near the end of what is known reads on while the others work, up to the end of the
    wave. An app that cannot be read stays unknown: reading it only saves requests. The requests
    are the run's, not an app's.
    """

    def __init__(
        self,
        inputs: Inputs,
        read: Callable[[Sequence[str]], Awaitable[dict[str, V]]],
        calls: CallEvents,
    ) -> None:
        self._inputs = inputs
        self._read = read
        self._calls = calls
        self._known: dict[str, V | None] = {}
        self._upto = 0
        self._lock = anyio.Lock()

    def known(self, index: int) -> tuple[bool, V | None]:
        """Return whether `get` would return at once, and its result.

        fast path: most apps are known when their turn comes, and need no coroutine.
        """
        left = self._upto - index
        if left <= 0 or (left < _EARLY and self._has_more() and not self._lock.locked()):
            return False, None
        return True, self._known.pop(self._inputs.keys[index], None)

    async def get(self, index: int) -> V | None:
        """Return the data of an app; None if it is unknown."""
        if index >= self._upto:
            async with self._lock:
                if index - self._upto >= BATCH:
                    self._upto = index  # no worker needs earlier apps any more
                while index >= self._upto:
                    await self._read_on()
        elif self._upto - index < _EARLY and self._has_more() and not self._lock.locked():
            async with self._lock:
                await self._read_on()
        return self._known.pop(self._inputs.keys[index], None)

    def _has_more(self) -> bool:
        return self._upto < self._inputs.horizon

    async def _read_on(self) -> None:
        upto = min(self._upto + BATCH, self._inputs.horizon)
        # fast path: what `fits_in_list` does
        keys = [key for key in self._inputs.keys[self._upto : upto] if _FITS_IN_LIST.fullmatch(key)]
        try:
            if keys:
                with logged_to(self._calls):
                    self._known.update(await self._read(keys))
        except AppsApiError as failure:
            if is_final(failure):
                raise
            log.info("%d apps could not be read before their turn: %s", len(keys), failure)
        self._upto = upto
