"""One bulk run from the command line, from the selection to the exit status."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from aioappsapi.bulk.actions.start_stop_restart import ActionName
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.reports.report import LOADABLE, Report
from aioappsapi.bulk.run.conclude import RunAbortedError
from aioappsapi.bulk.run.run import Run
from aioappsapi.cli.console import Exit, Output, confirm, err, out, say
from aioappsapi.cli.dry_run import print_plan
from aioappsapi.cli.options import Selectors
from aioappsapi.cli.progress import display
from aioappsapi.cli.selection import select
from aioappsapi.cli.summary import print_report
from aioappsapi.client import Client
from aioappsapi.models.app import App

# From this many apps on a person is asked first.
_MANY: Final = 50
# How long what is in flight may take to end after Ctrl-C, in seconds.
_GRACE: Final = 5.0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the arguments ask for."""

    action: ActionName
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
    if job.ask:
        confirm_many(job.action, len(chosen), client)
    return await _run(client, job, chosen)


def confirm_many(action: str, count: int, client: Client) -> None:
    """Ask before many apps are touched. Raises InvalidInputError without a yes."""
    if count > _MANY:
        confirm(f"{action} {count} apps at {client.api_url}")


async def _dry_run(client: Client, job: Job, chosen: list[str | App]) -> Exit:
    plan = await client.bulk.plan(job.action, chosen, **msgspec.structs.asdict(job.options))
    write_reports(plan.report, job.reports, again="")
    print_plan(out, plan, job.output)
    return Exit.AS_ASKED


async def _run(client: Client, job: Job, chosen: list[str | App]) -> Exit:
    how = msgspec.structs.asdict(job.options)
    run = client.bulk.stream(job.action, chosen, journal=job.journal, resume=job.resume, **how)
    again = f"`{job.action} @{{path}}` goes on with what is not as asked"
    with finished(lambda: run.report, job.output, job.reports, again=again):
        interrupted = await follow(run)
    return Exit.INTERRUPTED if interrupted else exit_of(run.report)


async def follow(run: Run[App]) -> bool:
    """Show a run until it has ended; the first Ctrl-C ends it. Tells whether there was one."""
    with _interruptible(run) as interrupted, display(err, run) as shown:
        async with run:
            async for outcome in run:
                shown.show(outcome)
    return interrupted.is_set()


def exit_of(report: Report[App]) -> Exit:
    """Choose the status for a run that came to its end."""
    return Exit.AS_ASKED if report.ok else Exit.NOT_ALL


@contextmanager
def finished(
    report: Callable[[], Report[App]], output: Output, paths: Iterable[Path], *, again: str
) -> Iterator[None]:
    """Write and print the report when the block has ended, also when that was by a breakdown."""
    try:
        yield
    except RunAbortedError:
        _finish(report(), output, paths, again=again)
        raise
    _finish(report(), output, paths, again=again)


def _finish(report: Report[App], output: Output, paths: Iterable[Path], *, again: str) -> None:
    # Files first: whoever reads the standard output may have gone away.
    write_reports(report, paths, again=again)
    print_report(out, report, output)


def write_reports(report: Report[App], paths: Iterable[Path], *, again: str) -> None:
    """Write a report to files, and say so; `again` is how to go on with one that can be read."""
    for path in paths:
        try:
            report.write(path)
        except OSError as cause:
            say(f"the report cannot be written to {path}: {cause.strerror or cause}")
        else:
            goes_on = not (report.ok or report.predicted) and path.suffix in LOADABLE
            say(f"report written to {path}" + (f"; {again.format(path=path)}" if goes_on else ""))


@contextmanager
def _interruptible(run: Run[App]) -> Iterator[asyncio.Event]:
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
            f"{_open(run)} (again to end at once)"
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


def _open(run: Run[App]) -> str:
    """Say what an interrupted run still waits for."""
    seen = "gone" if run.action == "stop" else "running"
    parts = [f"{run.in_flight} in flight"] if run.in_flight or not run.waiting else []
    parts += [f"{run.waiting} accepted but not yet seen {seen}"] if run.waiting else []
    return " and ".join(parts)
