"""How a run looks while it goes on: a live display on a terminal, plain lines elsewhere.

Always on standard error: standard output is for the result. What passes the time is the event
loop, so nothing here needs a thread or a lock.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from aioappsapi.bulk.reports.causes import cause_of
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.bulk.reports.text import printable
from aioappsapi.bulk.run.run import Run
from aioappsapi.cli.summary import print_line
from aioappsapi.models.app import App

_STYLES: Final = {
    Status.OK: "green",
    Status.ALREADY: "green",
    Status.UNVERIFIED: "yellow",
    Status.FAILED: "red",
    Status.TIMED_OUT: "red",
    Status.CANCELLED: "magenta",
    Status.NOT_ATTEMPTED: "magenta",
}
_REFRESH: Final = 0.1
# A log that says nothing for longer looks like one of a run that hangs.
_SILENCE: Final = 10.0


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


class Display(ABC):
    """Shows a run inside its `with` block."""

    def __init__(self, console: Console, run: Run[App]) -> None:
        self._console = console
        self._run = run
        self._done = 0

    def show(self, outcome: Outcome[App]) -> None:
        """Count an outcome in, and tell of it if the app is not as asked."""
        self._done += 1
        if outcome.status in {Status.FAILED, Status.TIMED_OUT}:
            self._tell(outcome)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def _end(self) -> None: ...

    @abstractmethod
    def _tell(self, outcome: Outcome[App]) -> None: ...


def display(console: Console, run: Run[App]) -> Display:
    """Choose how a run is shown."""
    return Live(console, run) if console.is_terminal else Lines(console, run)


class _Bar(Progress):
    """A bar, and under it the counts, which would not fit beside it on a narrow terminal."""

    def __init__(self, console: Console, counts: Callable[[], Text]) -> None:
        self._counts = counts
        super().__init__(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
            expand=True,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """Give the lines of the display."""
        yield from super().get_renderables()
        yield self._counts()


class Live(Display):
    """A bar with counts, and a line for each app that is not as asked."""

    def __init__(self, console: Console, run: Run[App]) -> None:
        super().__init__(console, run)
        self._bar = _Bar(console, self._counts)
        self._task = self._bar.add_task(run.action, total=run.total)
        self._beat = Beat(_REFRESH, self._refresh)

    def __enter__(self) -> Self:
        self._bar.start()
        self._beat.restart()
        return self

    def _end(self) -> None:
        self._beat.stop()
        self._bar.stop()

    def _tell(self, outcome: Outcome[App]) -> None:
        # Short: request ids and GUIDs are in the report.
        who = printable(outcome.name or outcome.key)
        why = printable(cause_of(outcome))
        line = Text.assemble((outcome.status, _STYLES[outcome.status]), f" {who}: {why}")
        self._console.print(line, soft_wrap=False)

    def _refresh(self) -> None:
        self._bar.update(self._task, completed=self._done, total=self._run.total, refresh=True)

    def _counts(self) -> Text:
        under_way = [Text(part, "cyan") for part in _under_way(self._run)]
        ended = [Text(f"{count} {one}", _STYLES[one]) for one, count in _counted(self._run)]
        return Text("  ").join(under_way + ended)


class Lines(Display):
    """A line for each app that is not as asked, for every tenth of the run, and when time goes by.

    So a log is short, and yet shows that something happens.
    """

    def __init__(self, console: Console, run: Run[App]) -> None:
        super().__init__(console, run)
        self._beat = Beat(_SILENCE, self._say_counts)

    def __enter__(self) -> Self:
        print_line(self._console, f"{self._run.action}: {self._run.total} apps")
        self._beat.restart()
        return self

    def _end(self) -> None:
        self._beat.stop()

    def show(self, outcome: Outcome[App]) -> None:
        """Count an outcome in, and tell of it if the app is not as asked."""
        super().show(outcome)
        if self._done % max((self._run.total or 0) // 10, 1) == 0:
            self._beat.restart()
            self._say_counts()

    def _tell(self, outcome: Outcome[App]) -> None:
        print_line(self._console, line_of(outcome))

    def _say_counts(self) -> None:
        done = ", ".join(f"{count} {status}" for status, count in _counted(self._run))
        parts = [f"{self._done}/{self._run.total} done", *_under_way(self._run)]
        print_line(
            self._console, f"{self._run.action}: {', '.join(parts)}" + (done and f"; {done}")
        )


def _counted(run: Run[App]) -> list[tuple[Status, int]]:
    return [(status, run.counts[status]) for status in Status if run.counts[status]]


def _under_way(run: Run[App]) -> Iterator[str]:
    """Say what has begun and has no outcome yet, and what keeps it."""
    if run.in_flight:
        yield f"{run.in_flight} in flight"
    if run.held:
        yield f"{run.held} held back"
    if run.waiting:
        yield f"{run.waiting} {'stopping' if run.action == 'stop' else 'starting'}"
    if run.paused_for:
        yield f"paused for {run.paused_for:.0f} s by the rate limit"


def line_of(outcome: Outcome[App]) -> str:
    """Say in one line what became of an app."""
    who = f"{outcome.name} ({outcome.key})" if outcome.name else outcome.key
    if outcome.error is None:
        return f"{outcome.status}: {who}"
    said = str(outcome.error)
    _, known, rest = said.partition(f" {outcome.key}: ")
    return f"{outcome.status}: {who}: {rest if known else said}"
