"""What is read of apps before they are asked for, many with one request."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

import anyio

from aioappsapi._http.call_log import CallLog, logged_to
from aioappsapi.bulk.endings import is_final
from aioappsapi.bulk.inputs import Inputs
from aioappsapi.errors import AppsApiError
from aioappsapi.resources.waiter import BATCH

V = TypeVar("V")

# How many apps before the end of what is known the next ones are read, so that nobody waits.
_EARLY: Final = 100
_ASKABLE: Final = re.compile(r"[A-Za-z0-9._~-]{1,64}")

log = logging.getLogger("aioappsapi")


def is_askable(key: str) -> bool:
    """Tell whether a key can be one of many in a request's address; no GUID is any longer."""
    return _ASKABLE.fullmatch(key) is not None


class Ahead(Generic[V]):
    """Reads something about the apps of a run in batches, shortly before their turn.

    The first worker that comes to an unknown app reads it and those behind it; a worker that comes
    near to the end of what is known reads on while the others work. What cannot be read stays
    unknown: it was only to save requests. The requests are the run's, not an app's.
    """

    def __init__(
        self,
        inputs: Inputs,
        read: Callable[[Sequence[str]], Awaitable[dict[str, V]]],
        record: CallLog,
    ) -> None:
        self._inputs = inputs
        self._read = read
        self._record = record
        self._known: dict[str, V | None] = {}
        self._upto = 0
        self._lock = anyio.Lock()

    async def get(self, index: int) -> V | None:
        """Give what is known of an app; None where the server knows nothing of it."""
        if index >= self._upto:
            async with self._lock:
                if index - self._upto >= BATCH:
                    self._upto = index  # nobody asks for those before any more
                while index >= self._upto:
                    await self._read_on()
        elif self._upto - index < _EARLY and self._more() and not self._lock.locked():
            async with self._lock:
                await self._read_on()
        return self._known.pop(self._inputs.keys[index], None)

    def _more(self) -> bool:
        return self._upto < len(self._inputs.keys)

    async def _read_on(self) -> None:
        upto = min(self._upto + BATCH, len(self._inputs.keys))
        keys = [key for key in self._inputs.keys[self._upto : upto] if is_askable(key)]
        try:
            if keys:
                with logged_to(self._record):
                    self._known.update(await self._read(keys))
        except AppsApiError as failure:
            if is_final(failure):
                raise
            log.info("%d apps could not be read ahead: %s", len(keys), failure)
        self._upto = upto
