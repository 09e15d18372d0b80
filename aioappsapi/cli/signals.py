"""Ctrl-C and its relatives: the first one ends a command in order, a second one at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

# Windows has no SIGHUP.
_ENDING: Final = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


def _do_nothing(first: bool) -> None:
    """Let a signal only count for the exit status."""


class Interruption:
    """Which signal came, and what the command does about it.

    `respond` is called in the event loop with True for the first signal and False for later ones.
    A signal that was ignored when the program began, as SIGHUP is under nohup, stays ignored.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.respond: Callable[[bool], object] = _do_nothing

    def disarm(self) -> None:
        """Let a signal only count for the exit status: what is left is short and must not break."""
        self.respond = _do_nothing

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take the signals as long as the block runs.

        The handlers are those of the operating system: unlike `loop.add_signal_handler`, they work
        with every event loop, and on Windows.
        """
        loop = asyncio.get_running_loop()

        def came(number: int, _: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._came, signal.Signals(number))

        with _handled_by(came):
            yield

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let signals act at once while a person is asked; the event loop stands still then."""

        def came(number: int, _: FrameType | None) -> None:
            self.signal = signal.Signals(number)
            raise KeyboardInterrupt

        with _handled_by(came):
            yield

    def _came(self, number: signal.Signals) -> None:
        first = self.signal is None
        self.signal = self.signal or number
        self.respond(first)


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {
        one: signal.signal(one, handler)
        for one in _ENDING
        if signal.getsignal(one) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for one, earlier in before.items():
            signal.signal(one, earlier)
