"""Wakes up workers that wait for something to change."""

from __future__ import annotations

import asyncio


class Changes:
    """Lets any number of tasks wait for the next change; `idle` is how many do."""

    __slots__ = ("_event", "idle")

    def __init__(self) -> None:
        self.idle = 0
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Wait for the next change."""
        self.idle += 1
        try:
            self._event.clear()
            await self._event.wait()
        finally:
            self.idle -= 1

    def wake(self) -> None:
        """Wake up all that wait."""
        if self.idle:
            self._event.set()
