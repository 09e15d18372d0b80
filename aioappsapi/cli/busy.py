"""Signs of life while a command works and has no apps to count yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from aioappsapi.cli.console import err, note

# After a longer silence a log looks like that of a run that hangs.
SILENCE: Final = 10.0


class Beat:
    """Calls something every so many seconds of the loop's clock."""

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self._seconds = seconds
        self._call = call
        self._timer: asyncio.TimerHandle | None = None

    def restart(self) -> None:
        """Count the seconds from now on."""
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._due)

    def stop(self) -> None:
        """Call no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _due(self) -> None:
        self.restart()
        self._call()


@contextmanager
def busy(what: str, *, shown: bool = True) -> Iterator[None]:
    """Show what goes on: a spinner on a terminal, in a log a line every ten seconds.

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
