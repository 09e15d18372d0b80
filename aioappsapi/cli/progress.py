"""Progress of a run: a live display on a terminal, plain lines elsewhere.

Always on standard error: standard output is for the result. The event loop passes the time, so
nothing here needs a thread or a lock.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from aioappsapi import App, FleetRun, Outcome, Run, Status
from aioappsapi.bulk.reports.causes import cause_of
from aioappsapi.bulk.reports.text import counted, printable
from aioappsapi.bulk.reports.timing import goal_of
from aioappsapi.cli.busy import SILENCE, Beat
from aioappsapi.cli.console import note
from aioappsapi.cli.flags import OutputFlags
from aioappsapi.cli.summary import apps

AnyRun = Run[App] | FleetRun[App]

_STYLES: Final = {
    Status.OK: "green",
    Status.ALREADY: "green",
    Status.UNVERIFIED: "yellow",
    Status.FAILED: "red",
    Status.TIMED_OUT: "red",
    Status.CANCELLED: "magenta",
    Status.NOT_ATTEMPTED: "magenta",
}
_FAILURES: Final = frozenset({Status.FAILED, Status.TIMED_OUT})
_MOST_FAILURES: Final = 5
_REFRESH: Final = 0.1
# Before this many seconds a rate and a remaining time would be guesses.
_RATE_AFTER: Final = 2.0


# -- the numbers


class Snapshot:
    """The numbers of a run at one moment. They add up: every app is in exactly one of them."""

    def __init__(self, run: AnyRun, elapsed: float) -> None:
        self.action = run.action
        self.total = run.total or 0
        self.counts = [(status, run.counts[status]) for status in Status if run.counts[status]]
        self.done = sum(count for _, count in self.counts)
        self.in_flight, self.held, self.waiting = run.in_flight, run.held, run.waiting
        self.retrying = run.retrying
        under_way = self.in_flight + self.held + self.waiting + self.retrying
        self.to_go = max(self.total - self.done - under_way, 0)
        self.paused_for = run.paused_for
        self.wave, self.wave_pause = run.wave, run.wave_pause
        self.limit, self.rate_left = run.limit, run.rate_left
        self.by_this_run = self.done - run.taken_over
        self.elapsed = elapsed

    @property
    def share(self) -> str:
        """The finished part in percent; 100 % only when everything is finished."""
        return f"{100 * self.done // self.total}%" if self.total else "100%"

    def under_way(self) -> Iterator[str]:
        """Name the wave, and count the apps without an outcome."""
        if self.wave is not None:
            yield str(self.wave)
        if self.in_flight:
            yield f"{self.in_flight} in progress"
        if self.held:
            yield f"{self.held} held back"
        if self.waiting:
            yield f"{self.waiting} {_VERBS.get(self.action, 'starting')}"
        if self.retrying:
            yield f"{self.retrying} to retry"
        if self.to_go:
            yield f"{self.to_go} to go"

    def pace(self) -> Iterator[str]:
        """Describe what delays the run, its rate, and the remaining time."""
        left = self.total - self.done
        if self.wave_pause:
            yield f"pause before the next wave, {clock(math.ceil(self.wave_pause))} more"
        if self.paused_for:
            yield f"paused by the rate limit for {clock(math.ceil(self.paused_for))} more"
        if self.elapsed >= _RATE_AFTER and self.by_this_run > 0:
            rate = self.by_this_run / self.elapsed
            yield f"{rate:.1f} apps/s"
            yield f"{clock(self.elapsed)} elapsed"
            if self.to_go and not (self.paused_for or self.wave_pause):
                yield f"about {clock(left / rate)} left"
        else:
            yield f"{clock(self.elapsed)} elapsed"

    def limits(self) -> Iterator[str]:
        """Show the limit of requests in flight, and what is left of the rate limit."""
        if self.done == self.total:
            return
        if self.limit is not None:
            yield f"at most {counted(self.limit, 'request')} at a time"
        if self.rate_left is not None:
            yield f"{counted(self.rate_left, 'request')} left in the rate limit"


_VERBS: Final = {
    "stop": "stopping",
    "restage": "building or starting",
    "restore": "starting or stopping",
}


def clock(seconds: float) -> str:
    """Return a duration for people: ``8 s``, ``2 min 05 s``, ``1 h 02 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def waited_for(run: AnyRun) -> str:
    """Describe the apps that an interrupted run still waits for."""
    parts = [f"{run.in_flight} in progress"] if run.in_flight or not run.waiting else []
    if run.waiting:
        parts.append(f"{run.waiting} accepted but not yet seen {goal_of(run.action)}")
    return " and ".join(parts)


def line_of(outcome: Outcome[App]) -> str:
    """Describe the outcome of an app in one line."""
    who = f"{outcome.name} ({outcome.key})" if outcome.name else outcome.key
    if outcome.error is None:
        return f"{outcome.status}: {who}{_at(outcome)}"
    said = str(outcome.error)
    _, known, rest = said.partition(f" {outcome.key}: ")
    return f"{outcome.status}: {who}{_at(outcome)}: {rest if known else said}"


def _at(outcome: Outcome[App]) -> str:
    """Name the target, where a run has several."""
    return "" if outcome.target is None else f" at {outcome.target}"


# -- the displays


class Display:
    """Shows a run inside its `with` block; this one shows nothing."""

    def __init__(self, console: Console, run: AnyRun) -> None:
        self._console = console
        self._run = run
        self._failures = 0
        self._began = asyncio.get_running_loop().time()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the display."""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to a question inside."""
        yield

    def show(self, outcome: Outcome[App]) -> None:
        """Take an outcome; the first few failures are shown one by one."""
        if outcome.status not in _FAILURES:
            return
        self._failures += 1
        if self._failures <= _MOST_FAILURES:
            self._show_failure(outcome)
        elif self._failures == _MOST_FAILURES + 1:
            self._show_more()

    def _show_failure(self, outcome: Outcome[App]) -> None: ...

    def _show_more(self) -> None: ...

    def _numbers(self) -> Snapshot:
        return Snapshot(self._run, asyncio.get_running_loop().time() - self._began)


_MORE: Final = "more apps failed; from here on they are only counted"


def display(console: Console, run: AnyRun, flags: OutputFlags | None = None) -> Display:
    """Choose how a run is shown."""
    if flags is not None and not flags.shows_progress:
        return Display(console, run)
    return Live(console, run) if console.is_terminal else Lines(console, run)


class _Bar(Progress):
    """A bar with lines of numbers below it."""

    def __init__(self, console: Console, lines: Callable[[], Iterable[Text]]) -> None:
        self._lines = lines
        super().__init__(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[done]}"),
            console=console,
            auto_refresh=False,
            transient=True,
            expand=True,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the lines of the display."""
        yield from super().get_renderables()
        yield from self._lines()


class Live(Display):
    """A bar with numbers under it, on a terminal."""

    def __init__(self, console: Console, run: AnyRun) -> None:
        super().__init__(console, run)
        self._bar = _Bar(console, self._lines)
        self._task = self._bar.add_task(run.action, total=run.total, done="")
        self._beat = Beat(_REFRESH, self._refresh)

    def __enter__(self) -> Self:
        self._bar.start()
        self._beat.restart()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the display."""
        self._beat.stop()
        self._bar.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the display away while a question is asked."""
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()

    def _show_failure(self, outcome: Outcome[App]) -> None:
        # Short: request ids and GUIDs are in the report.
        who = printable(f"{outcome.name or outcome.key}{_at(outcome)}")
        why = printable(cause_of(outcome))
        line = Text.assemble((outcome.status, _STYLES[outcome.status]), f" {who}: {why}")
        self._console.print(line, soft_wrap=False)

    def _show_more(self) -> None:
        self._console.print(Text(_MORE), soft_wrap=False)

    def _refresh(self) -> None:
        now = self._numbers()
        done = f"{now.done}/{now.total} {now.share}"
        self._bar.update(self._task, completed=now.done, total=now.total, done=done, refresh=True)

    def _lines(self) -> Iterator[Text]:
        now = self._numbers()
        ended = [Text(f"{count} {one}", _STYLES[one]) for one, count in now.counts]
        under_way = [Text(printable(part), "cyan") for part in now.under_way()]
        yield Text("  ").join([*ended, *under_way])
        for parts in (now.pace(), now.limits()):
            if line := [Text(part, "dim") for part in parts]:
                yield Text("  ").join(line)


class Lines(Display):
    """Lines for the first failures, for every tenth of the run, and after ten seconds of silence.

    So a log is short and still shows progress.
    """

    def __init__(self, console: Console, run: AnyRun) -> None:
        super().__init__(console, run)
        self._beat = Beat(SILENCE, self._show_numbers)
        self._tenths = 0

    def __enter__(self) -> Self:
        self._write(f"{self._run.action}: {apps(self._run.total or 0)}")
        self._beat.restart()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write no more."""
        self._beat.stop()

    def show(self, outcome: Outcome[App]) -> None:
        """Take an outcome, and write the numbers if it completes a tenth."""
        super().show(outcome)
        now = self._numbers()
        tenths = now.done * 10 // now.total if now.total else 0
        if tenths > self._tenths:
            self._tenths = tenths
            self._beat.restart()
            self._show_numbers()

    def _show_failure(self, outcome: Outcome[App]) -> None:
        self._write(line_of(outcome), {"app": outcome.key, "status": outcome.status.value})

    def _show_more(self) -> None:
        self._write(_MORE)

    def _show_numbers(self) -> None:
        now = self._numbers()
        ended = ", ".join(f"{count} {status}" for status, count in now.counts)
        parts = [f"{now.done}/{now.total} done" + (f" ({ended})" if ended else "")]
        parts += [*now.under_way(), *now.pace(), *now.limits()]
        numbers = {"done": now.done, "total": now.total}
        numbers |= {status.value: count for status, count in now.counts}
        self._write(f"{now.action}: {', '.join(parts)}", numbers)

    def _write(self, line: str, fields: Mapping[str, object] | None = None) -> None:
        note(line, console=self._console, fields=fields or {})
