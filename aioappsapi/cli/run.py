"""One bulk run from the command line, from the selection to the exit status."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Final, Literal

import msgspec
from rich.console import Console
from rich.prompt import Confirm

from aioappsapi.bulk.asking import Action
from aioappsapi.bulk.endings import RunAbortedError
from aioappsapi.bulk.engine import Run
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.report import LOADABLE, SCHEMA, Report
from aioappsapi.bulk.writers import check_suffix
from aioappsapi.cli.progress import display
from aioappsapi.cli.selection import Selectors, select
from aioappsapi.cli.summary import print_report
from aioappsapi.client import Client
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App

Output = Literal["text", "json", "jsonl"]

# From this many apps on a person is asked first.
_MANY: Final = 50
# How long what is in flight may take to end after Ctrl-C, in seconds.
_GRACE: Final = 5.0

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


class Exit(IntEnum):
    """What the exit status says."""

    AS_ASKED = 0
    NOT_ALL = 1
    USAGE = 2
    COULD_NOT_BEGIN = 3
    INTERRUPTED = 130


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
    async with client:
        await client.log_in()
        chosen = await select(client, job.words, job.selectors)
        if job.dry_run:
            _print_plan(client, job, chosen)
            return Exit.AS_ASKED
        if job.ask:
            _confirm(client, job, len(chosen))
        return await _run(client, job, chosen)


def check_report(path: Path) -> None:
    """Find out before the run what would else be found out after it. Raises InvalidInputError."""
    check_suffix(path)
    if not path.parent.is_dir():
        raise InvalidInputError(f"{path}: there is no folder {path.parent}.")
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder.")


def _confirm(client: Client, job: Job, count: int) -> None:
    if count <= _MANY:
        return
    if not (sys.stdin.isatty() and err.is_terminal):
        raise InvalidInputError(
            f"{count} apps at {client.api_url}: give --yes to {job.action} that many "
            "without being asked."
        )
    question = f"{job.action} {count} apps at {client.api_url}?"
    if not Confirm.ask(question, console=err, default=False):
        raise InvalidInputError("Nothing was done.")


def _print_plan(client: Client, job: Job, chosen: list[str | App]) -> None:
    apps = [
        {"key": one.guid, "name": one.name, "state": one.state}
        if isinstance(one, App)
        else {"key": one, "name": None, "state": None}
        for one in chosen
    ]
    if job.output == "text":
        out.print(f"dry run: would {job.action} {len(apps)} apps at {client.api_url}")
        for app in apps:
            out.print(f"  {app['key']}  {app['state'] or '?':<8}  {app['name'] or ''}".rstrip())
        return
    head: dict[str, object] = {
        "schema": SCHEMA,
        "action": job.action,
        "target": client.api_url,
        "dry_run": True,
        "total": len(apps),
    }
    if job.output == "json":
        out.file.write(json.dumps(head | {"apps": apps}) + "\n")
    else:
        out.file.writelines(json.dumps(record) + "\n" for record in (head, *apps))


async def _run(client: Client, job: Job, chosen: list[str | App]) -> Exit:
    run = client.bulk.stream(
        job.action,
        chosen,
        concurrency=job.options.concurrency,
        deadline=job.options.deadline,
        max_failures=job.options.max_failures,
        journal=job.journal,
        resume=job.resume,
    )
    with display(err, run, job.action) as shown, _interruptible(run) as interrupted:
        try:
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
    for path in job.reports:
        try:
            report.write(path)
        except OSError as cause:
            say(f"the report cannot be written to {path}: {cause.strerror or cause}")
        else:
            goes_on = not report.ok and path.suffix in LOADABLE
            hint = f"; `{job.action} @{path}` goes on with what is not as asked" if goes_on else ""
            say(f"report written to {path}{hint}")


@contextmanager
def _interruptible(run: Run[App]) -> Iterator[asyncio.Event]:
    """Turn the first Ctrl-C into an orderly end, and the second into a quick one."""
    interrupted = asyncio.Event()

    def interrupt() -> None:
        again = interrupted.is_set()
        interrupted.set()
        run.stop("the run was interrupted", grace=0.0 if again else _GRACE)
        if not again:
            say(
                f"interrupted: nothing new is sent; waiting up to {_GRACE:g} s for "
                f"{run.in_flight} in flight (again to end at once)"
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


class _Said(logging.Handler):
    """Shows what the library logs where it does not tear the live display."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def show_log() -> None:
    """Show the library's warnings on standard error."""
    logging.getLogger("aioappsapi").addHandler(_Said(logging.WARNING))


def say(message: str) -> None:
    """Tell the person at the terminal something, on standard error."""
    err.print(f"aioappsapi: {message}", markup=False, highlight=False)
