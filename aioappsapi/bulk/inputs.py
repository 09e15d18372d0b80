"""The input of a bulk run: which apps, each once, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable

from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App

Keys = Iterable[str | App] | AsyncIterable[str | App]


class Inputs:
    """Hands out the index of one app after the other to whoever asks.

    An ordinary iterable is read at once, before anything is sent: if it is broken, nothing has
    happened yet, and if the run is stopped, everything that was not begun is known. An async one
    is read as the run goes on.
    """

    def __init__(self, keys: Keys) -> None:
        self.keys: list[str] = []
        self.names: dict[str, str] = {}
        self._known: set[str] = set()
        self._source = self._open(keys)
        self._pulling = asyncio.Lock()
        self._cursor = 0

    @property
    def exhausted(self) -> bool:
        """Whether all apps are known."""
        return self._source is None

    @property
    def left(self) -> int:
        """How many of the known apps have not been handed out."""
        return len(self.keys) - self._cursor

    async def next(self) -> int | None:
        """Give the index of an app that nobody has, or None when there is no more."""
        if self._cursor == len(self.keys) and self._source is not None:
            async with self._pulling:
                if self._cursor == len(self.keys):
                    await self._pull()
        if self._cursor == len(self.keys):
            return None
        self._cursor += 1
        return self._cursor - 1

    async def read_rest(self) -> None:
        """Read what is left without handing it out, so that a stopped run can name it."""
        while await self._pull():
            pass

    def _open(self, keys: object) -> AsyncIterator[str | App] | None:
        if isinstance(keys, str | bytes):
            raise InvalidInputError(f"{keys!r} is one GUID: give a list, like [{keys!r}].")
        if isinstance(keys, AsyncIterable):
            return aiter(keys)
        if not isinstance(keys, Iterable):
            raise InvalidInputError(f"{keys!r} is no list of GUIDs or Apps.")
        for item in keys:
            self._add(item)
        return None

    def _add(self, item: object) -> bool:
        key = item.guid if isinstance(item, App) else item
        if not isinstance(key, str):
            raise InvalidInputError(f"{item!r} is neither a GUID nor an App.")
        if key in self._known:
            return False
        self._known.add(key)
        self.keys.append(key)
        if isinstance(item, App):
            self.names[key] = item.name
        return True

    async def _pull(self) -> bool:
        """Read one more app from an input that comes in time; false at its end."""
        while self._source is not None:
            try:
                item = await anext(self._source)
            except StopAsyncIteration:
                self._source = None
                return False
            if self._add(item):
                return True
        return False
