"""Runs of all commands: their options, progress, signals and end."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from dataclasses import asdict
from functools import partial
from typing import Final, cast

from aioappsapi import (
    App,
    AppsApiError,
    FleetRun,
    InvalidInputError,
    Report,
    Run,
    RunAbortedError,
)
from aioappsapi.bulk.options import ActionOptions
from aioappsapi.cli.console import err, say
from aioappsapi.cli.exits import Exit, strongest
from aioappsapi.cli.flags import OutputFlags, RunFlags, WaitFlags
from aioappsapi.cli.outputs import GoOn, deliver
from aioappsapi.cli.progress import display, waited_for
from aioappsapi.cli.questions import check_terminal
from aioappsapi.cli.session import C, Session
from aioappsapi.cli.wave_flags import WaveFlags
from aioappsapi.config import startup_timeout

# How long requests in flight may take to end after the first Ctrl-C, in seconds.
_GRACE: Final = 5.0
_SHORTEST: Final = 0.001


def check_waiting(wait: WaitFlags) -> None:
    """Refuse options that do not fit together. Raises InvalidInputError."""
    waits = wait.wait not in {None, "none"}
    for name in ("max_starting", "max_starting_mb"):
        if getattr(wait, name) is not None and not waits:
            option = f"--{name.replace('_', '-')}"
            raise InvalidInputError(
                f"{option} holds starts back until other instances have come up, so the run has "
                "to wait for them: give --wait all, or any, or routable."
            )
    if waits and wait.startup_timeout is None:
        startup_timeout()  # an invalid CF_STARTUP_TIMEOUT is refused now, not during the run


def check_waves(waves: WaveFlags, run: RunFlags) -> None:
    """Refuse options that do not go together, and questions to nobody. Raises InvalidInputError."""
    waves.check()
    if waves.approve and not run.dry_run:
        check_terminal("--approve asks before each wave")


def run_options(wait: WaitFlags, run: RunFlags, left: float | None) -> ActionOptions[App]:
    """Return the library's options for the typed ones; `left` is the rest of --deadline."""
    typed = {
        **asdict(wait),
        "concurrency": run.concurrency,
        "max_failures": run.max_failures,
        "deadline": None if left is None else max(left, _SHORTEST),
        "skip_unchanged": False if run.no_skip_unchanged else None,
    }
    given = {name: value for name, value in typed.items() if value is not None}
    return cast("ActionOptions[App]", given)


async def follow_to_end(
    session: Session[C],
    runs: AsyncIterable[Run[App]] | Iterable[Run[App] | FleetRun[App]],
    report: Callable[[], Report[App]],
    flags: OutputFlags,
    *,
    go_on: GoOn | None = None,
) -> Exit:
    """Carry out runs one after the other, deliver their report, and return the exit status."""
    aborted = None
    try:
        if isinstance(runs, AsyncIterable):
            async for run in runs:
                await _follow(session, run, flags)
        else:
            for one in runs:
                await _follow(session, one, flags)
    except RunAbortedError as error:
        aborted = error
    session.interruption.disarm()
    return _conclude(session, report(), flags, aborted, go_on)


async def _follow(session: Session[C], run: Run[App] | FleetRun[App], flags: OutputFlags) -> None:
    session.interruption.respond = partial(_interrupt, run)
    with display(err, run, flags) as shown:
        session.run, session.shown = run, shown
        async with run:
            async for outcome in run:
                shown.show(outcome)


def _interrupt(run: Run[App] | FleetRun[App], first: bool) -> None:
    """End a run: cleanly at the first signal, at once at the second."""
    if not first:
        run.stop(grace=0.0)
        return
    run.stop("the run was interrupted", grace=_GRACE)
    say(
        f"interrupted: nothing new is sent; waiting up to {_GRACE:g} s for {waited_for(run)} "
        "(again to end at once)",
        "warning",
    )


def _conclude(
    session: Session[C],
    report: Report[App],
    flags: OutputFlags,
    aborted: RunAbortedError | None,
    go_on: GoOn | None,
) -> Exit:
    statuses = [Exit.OK if report.ok else Exit.NOT_ALL]
    if aborted is not None:
        say(str(aborted), "error")
        is_bug = not isinstance(aborted.__cause__, OSError | AppsApiError)
        statuses.append(Exit.BUG if is_bug else Exit.NOT_ALL)
    statuses.append(deliver(report, flags, go_on=go_on))
    if (number := session.interruption.signal) is not None:
        statuses.append(Exit.of_signal(number))
    return strongest(*statuses)
