"""One bulk run from the command line, from the selection to the exit status."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from aioappsapi.bulk.asking import Action
from aioappsapi.bulk.endings import RunAbortedError
from aioappsapi.bulk.engine import Run
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.report import LOADABLE, Report
from aioappsapi.bulk.writers import check_suffix
from aioappsapi.cli.console import Exit, Output, confirm, err, out, say
from aioappsapi.cli.dry_run import print_plan
from aioappsapi.cli.options import Selectors
from aioappsapi.cli.progress import display
from aioappsapi.cli.selection import select
from aioappsapi.cli.summary import print_report
from aioappsapi.client import Client
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App

# From this many apps on a person is asked first.
_MANY: Final = 50
# How long what is in flight may take to end after Ctrl-C, in seconds.
_GRACE: Final = 5.0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the arguments ask for."""

    action: Action
    words: tuple[str, ...]
    selectors: Selectors
    options: Options
    journal: Path | None
    resume: bool
    dry_run: bool
    output: Output
    reports: tuple[Path, ...]
    ask: bool


async def carry_out(client: Client, job: Job) -> Exit:
    """Select, ask, run, report. Raises AppsApiError if it cannot begin."""
    chosen = await select(client, job.words, job.selectors)
    if job.dry_run:
        return await _dry_run(client, job, chosen)
    if job.ask and len(chosen) > _MANY:
        confirm(f"{job.action} {len(chosen)} apps at {client.api_url}")
    return await _run(client, job, chosen)


def check_report(path: Path) -> None:
    """Find out before the run what would else be found out after it. Raises InvalidInputError."""
    check_suffix(path)
    if not path.parent.is_dir():
        raise InvalidInputError(f"{path}: there is no folder {path.parent}.")
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder.")


async def _dry_run(client: Client, job: Job, chosen: list[str | App]) -> Exit:
    plan = await client.bulk.plan(job.action, chosen, **msgspec.structs.asdict(job.options))
    print_plan(out, plan, job.output)
    _write(plan.report, job)
    return Exit.AS_ASKED


async def _run(client: Client, job: Job, chosen: list[str | App]) -> Exit:
    how = msgspec.structs.asdict(job.options)
    run = client.bulk.stream(job.action, chosen, journal=job.journal, resume=job.resume, **how)
    with _interruptible(run, job.action) as interrupted:
        try:
            with display(err, run, job.action) as shown:
                async with run:
                    async for outcome in run:
                        shown.show(outcome)
        except RunAbortedError:
            _finish(run.report, job)
            raise
        _finish(run.report, job)
    if interrupted.is_set():
        return Exit.INTERRUPTED
    return Exit.AS_ASKED if run.report.ok else Exit.NOT_ALL


def _finish(report: Report[App], job: Job) -> None:
    print_report(out, report, job.output)
    _write(report, job)


def _write(report: Report[App], job: Job) -> None:
    for path in job.reports:
        try:
            report.write(path)
        except OSError as cause:
            say(f"the report cannot be written to {path}: {cause.strerror or cause}")
        else:
            goes_on = not (report.ok or report.predicted) and path.suffix in LOADABLE
            hint = f"; `{job.action} @{path}` goes on with what is not as asked" if goes_on else ""
            say(f"report written to {path}{hint}")


@contextmanager
def _interruptible(run: Run[App], action: Action) -> Iterator[asyncio.Event]:
    """Turn the first Ctrl-C into an orderly end, and the second into a quick one."""
    interrupted = asyncio.Event()

    def interrupt() -> None:
        if interrupted.is_set():
            run.stop(grace=0.0)
            return
        interrupted.set()
        run.stop("the run was interrupted", grace=_GRACE)
        say(
            f"interrupted: nothing new is sent; waiting up to {_GRACE:g} s for "
            f"{_open(run, action)} (again to end at once)"
        )

    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for one in signals:
        loop.add_signal_handler(one, interrupt)
    try:
        yield interrupted
    finally:
        for one in signals:
            loop.remove_signal_handler(one)


def _open(run: Run[App], action: Action) -> str:
    """Say what an interrupted run still waits for."""
    seen = "gone" if action == "stop" else "running"
    waiting = f"{run.waiting} accepted but not yet seen {seen}"
    return f"{run.in_flight} in flight" + (f" and {waiting}" if run.waiting else "")
