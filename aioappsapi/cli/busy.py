"""Progress of a command before it has apps to count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from aioappsapi.cli.console import err, note

# After a longer silence a run would seem to hang.
SILENCE: Final = 10.0


class Beat:
    """Calls a function at regular intervals of the loop's clock."""

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self._seconds = seconds
        self._call = call
        self._timer: asyncio.TimerHandle | None = None

    def restart(self) -> None:
        """Restart the interval now."""
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._due)

    def stop(self) -> None:
        """Stop the calls."""
        if self._timer is not None:
            self._timer.cancel()

    def _due(self) -> None:
        self.restart()
        self._call()


@contextmanager
def busy(what: str, *, shown: bool = True) -> Iterator[None]:
    """Show activity: a spinner on a terminal, or a line every ten seconds in a log.

    Not `shown`, it says nothing, as `--quiet` and `--no-progress` want it.
    """
    if not shown:
        yield
    elif err.is_terminal:
        columns = SpinnerColumn(), TextColumn("{task.description}", markup=False)
        with Progress(*columns, TimeElapsedColumn(), console=err, transient=True) as spinner:
            spinner.add_task(what, total=None)
            yield
    else:
        beat = Beat(SILENCE, lambda: note(f"still {what}", console=err))
        beat.restart()
        try:
            yield
        finally:
            beat.stop()
