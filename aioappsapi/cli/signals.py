"""Ctrl-C and other signals: the first ends a command cleanly, the second at once."""

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
    """Do nothing: the signal only decides the exit status."""


class Interruption:
    """The signal that arrived, and the command's response to it.

    `respond` is called in the event loop with True for the first signal and False for later ones.
    A signal that was ignored when the program began, as SIGHUP is under nohup, stays ignored.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.respond: Callable[[bool], object] = _do_nothing

    def disarm(self) -> None:
        """Let a signal only decide the exit status: the short rest must not be interrupted."""
        self.respond = _do_nothing

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Handle the signals during the block.

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
