"""How a run looks while it goes on: a live display on a terminal, plain lines elsewhere.

Always on standard error: standard output is for the result.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from aioappsapi.bulk.engine import Run
from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.models.app import App

_STYLES = {
    Status.OK: "green",
    Status.ALREADY: "green",
    Status.UNVERIFIED: "yellow",
    Status.FAILED: "red",
    Status.TIMED_OUT: "red",
    Status.CANCELLED: "magenta",
    Status.NOT_ATTEMPTED: "magenta",
}


class Display(Protocol):
    """Shows a run."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def show(self, outcome: Outcome[App]) -> None: ...


def display(console: Console, run: Run[App], action: str) -> Display:
    """Choose how a run is shown."""
    return Live(console, run, action) if console.is_terminal else Lines(console, run, action)


class Live:
    """A bar with counts, and a line for each app that is not as asked."""

    def __init__(self, console: Console, run: Run[App], action: str) -> None:
        self._run = run
        self._console = console
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[counts]}"),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task(action, total=run.total, counts="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, outcome: Outcome[App]) -> None:
        """Count an outcome in."""
        counts = styled_counts(self._run)
        self._progress.update(self._task, advance=1, total=self._run.total, counts=counts)
        if outcome.status in {Status.FAILED, Status.TIMED_OUT}:
            self._console.print(line_of(outcome), markup=False, highlight=False, soft_wrap=True)


class Lines:
    """A line for each app that is not as asked, and one for every tenth of the run."""

    def __init__(self, console: Console, run: Run[App], action: str) -> None:
        self._console = console
        self._run = run
        self._action = action
        self._done = 0

    def __enter__(self) -> Self:
        self._say(f"{self._action}: {self._run.total} apps")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def show(self, outcome: Outcome[App]) -> None:
        """Count an outcome in."""
        self._done += 1
        if outcome.status in {Status.FAILED, Status.TIMED_OUT}:
            self._say(line_of(outcome))
        step = max((self._run.total or 0) // 10, 1)
        if self._done % step == 0:
            counts = ", ".join(f"{count} {status}" for status, count in _counted(self._run))
            self._say(f"{self._action}: {self._done}/{self._run.total} done: {counts}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _counted(run: Run[App]) -> list[tuple[Status, int]]:
    return [(status, run.counts[status]) for status in Status if run.counts[status]]


def styled_counts(run: Run[App]) -> str:
    """Give the counts so far, in colours."""
    return "  ".join(f"[{_STYLES[s]}]{count} {s}[/]" for s, count in _counted(run))


def line_of(outcome: Outcome[App]) -> str:
    """Say in one line what became of an app."""
    who = f"{outcome.name} ({outcome.key})" if outcome.name else outcome.key
    if outcome.error is None:
        return f"{outcome.status}: {who}"
    said = str(outcome.error)
    _, known, rest = said.partition(f" {outcome.key}: ")
    return f"{outcome.status}: {who}: {rest if known else said}"
