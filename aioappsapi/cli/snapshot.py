"""The commands around a maintenance window: note how apps are, and bring them back."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from aioappsapi.bulk.options import Options
from aioappsapi.bulk.reports.causes import group_by_cause
from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.windows.snapshot import Snapshot
from aioappsapi.cli.console import Exit, Output, out, say
from aioappsapi.cli.groups import spread
from aioappsapi.cli.options import (
    Course,
    Selectors,
    Target,
    Told,
    Waiting,
    Words,
    check_folder,
)
from aioappsapi.cli.run import confirm_many, exit_of, finished, follow, write_reports
from aioappsapi.cli.selection import checked_words, select
from aioappsapi.cli.session import Work, carried_out
from aioappsapi.cli.summary import print_line, print_report
from aioappsapi.cli.wording import run_options
from aioappsapi.client import Client
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App

SNAPSHOT: Final = "Note the states and instance counts of apps in a file, to restore them later."
RESTORE: Final = (
    "Bring apps back to how a snapshot notes them: stops first, then instance counts, then starts."
)

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The snapshot, as JSON.")]
_AGAIN: Final = "the same command goes on with what is not as noted"


@spread
def snapshot(
    selectors: Selectors,
    target: Target,
    file: _File,
    words: Words = [],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    def prepare() -> Work:
        check_folder(file)
        if file.exists() and not force:
            raise InvalidInputError(f"{file} is there already: --force replaces it.")
        chosen = tuple(checked_words(words, selectors))
        return partial(_take, words=chosen, selectors=selectors, file=file)

    raise typer.Exit(carried_out(target, prepare, interrupted="interrupted; nothing is noted."))


async def _take(
    client: Client, *, words: tuple[str, ...], selectors: Selectors, file: Path
) -> Exit:
    taken = await client.bulk.snapshot(await select(client, words, selectors))
    try:
        taken.write(file)
    except OSError as cause:
        raise InvalidInputError(f"{file} cannot be written: {cause.strerror or cause}.") from None
    started = sum(app.state == "STARTED" for app in taken.apps)
    say(f"{len(taken.apps)} apps noted in {file}, {started} of them started")
    return Exit.AS_ASKED


@spread
def restore(
    waiting: Waiting,
    course: Course,
    told: Told,
    target: Target,
    file: _File,
    force: Annotated[
        bool, typer.Option("--force", help="Even if it was taken of another API.")
    ] = False,
) -> None:
    def prepare() -> Work:
        told.check()
        return partial(
            _restore,
            noted=_load(file),
            force=force,
            options=run_options(waiting, course),
            dry_run=course.dry_run,
            ask=not course.yes and target.sandbox is None,
            told=told,
        )

    interrupted = f"interrupted; {_AGAIN}."
    status = carried_out(target, prepare, concurrency=course.concurrency, interrupted=interrupted)
    raise typer.Exit(status)


def _load(file: Path) -> Snapshot:
    try:
        return Snapshot.load(file)
    except OSError as cause:
        raise InvalidInputError(f"{file} cannot be read: {cause.strerror or cause}.") from None


async def _restore(
    client: Client,
    *,
    noted: Snapshot,
    force: bool,
    options: Options,
    dry_run: bool,
    ask: bool,
    told: Told,
) -> Exit:
    how = msgspec.structs.asdict(options)
    if dry_run:
        report = await client.bulk.restore(noted, force=force, dry_run=True, **how)
        write_reports(report, told.report, again="")
        _print_prediction(noted, report, told.output)
        return Exit.AS_ASKED
    restoration = client.bulk.restoration(noted, force=force, **how)
    if ask:
        confirm_many("restore", len(noted.apps), client)
    interrupted = False
    with finished(lambda: restoration.report, told.output, told.report, again=_AGAIN):
        async for run in restoration:
            interrupted = await follow(run)
    return Exit.INTERRUPTED if interrupted else exit_of(restoration.report)


def _print_prediction(noted: Snapshot, report: Report[App], output: Output) -> None:
    if output != "text":
        print_report(out, report, output)
        return
    counts = report.counts
    print_line(out, f"dry run: would restore {len(report)} apps at {report.target}")
    print_line(
        out,
        f"  {counts['ok']} to be brought back, {counts['already']} already as noted, "
        f"{counts['failed']} would be refused",
    )
    for group in group_by_cause(report.remaining):
        print_line(out, f"{len(group.outcomes)} {group.status}: {group.cause}")
    for app, outcome in zip(noted.apps, report, strict=True):
        if outcome.status is not Status.ALREADY:
            print_line(out, f"  {app.guid}  {outcome.status:<8}  {app.state}  {app.name}")
