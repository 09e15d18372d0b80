"""The commands: what was typed becomes a job, and the job an exit status."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Annotated, Final

import typer

from aioappsapi._version import __version__
from aioappsapi.bulk.asking import Action
from aioappsapi.bulk.options import Options
from aioappsapi.cli import serve
from aioappsapi.cli.apps import apps
from aioappsapi.cli.console import Exit, out, say, show_log
from aioappsapi.cli.groups import spread
from aioappsapi.cli.options import Course, Selectors, Target, Told, Waiting, Words
from aioappsapi.cli.report import reports
from aioappsapi.cli.run import Job, carry_out, check_report
from aioappsapi.cli.selection import checked_words
from aioappsapi.cli.session import Work, carried_out
from aioappsapi.errors import InvalidInputError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Start, stop and restart many Cloud Foundry apps, and know what happened to each.",
    epilog="Exit status: 0 every app as asked, 1 some not, 2 wrong usage, 3 could not begin, "
    "130 interrupted.",
)

_HELP: Final[dict[Action, str]] = {
    "start": "Ask for many apps to be started.",
    "stop": "Ask for many apps to be stopped.",
    "restart": "Ask for many apps to be restarted, each at most once.",
}


def _register(action: Action) -> None:
    """Make the command of an action: all three take the same words and options."""

    @app.command(name=action, help=_HELP[action])
    @spread
    def bulk(
        selectors: Selectors,
        waiting: Waiting,
        course: Course,
        told: Told,
        target: Target,
        words: Words = [],
    ) -> None:
        def prepare() -> Work:
            _check(course, told)
            job = Job(
                action=action,
                words=tuple(checked_words(words, selectors)),
                selectors=selectors,
                options=_options(waiting, course),
                journal=course.journal,
                resume=course.resume,
                dry_run=course.dry_run,
                output=told.output,
                reports=tuple(told.report),
                ask=not course.yes and target.sandbox is None,
            )
            return partial(carry_out, job=job)

        raise typer.Exit(carried_out(target, prepare, concurrency=course.concurrency))


for _action in _HELP:
    _register(_action)

app.add_typer(apps, name="apps")
app.add_typer(reports, name="report")


def _check(course: Course, told: Told) -> None:
    """Check what else would be found out late. Raises InvalidInputError."""
    for path in told.report:
        check_report(path)
    if course.resume and course.journal is None:
        raise InvalidInputError("--resume goes with --journal, the file of the run to resume.")


def _options(waiting: Waiting, course: Course) -> Options:
    return Options(
        wait=waiting.wait,
        startup_timeout=waiting.startup_timeout,
        crash_grace=waiting.crash_grace,
        max_starting=waiting.max_starting,
        max_starting_mb=waiting.max_starting_mb,
        concurrency=course.concurrency,
        deadline=course.deadline,
        max_failures=_count_or_share(course.max_failures),
        skip_unchanged=not course.no_skip_unchanged,
    )


def _count_or_share(value: float | None) -> int | float | None:
    return int(value) if value is not None and value.is_integer() else value


@app.command(
    help="Serve an embedded Cloud Controller until Ctrl-C; its user is admin / admin.",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def sandbox(context: typer.Context) -> None:
    raise typer.Exit(serve(context.args))


def _version(asked: bool) -> None:
    if asked:
        out.print(f"aioappsapi {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    del version


def run() -> None:
    """Run the command that the arguments name; not even a bug of ours ends in a traceback."""
    show_log()
    try:
        app()
    except Exception as bug:
        if os.environ.get("AIOAPPSAPI_DEBUG"):
            raise
        say(
            f"a bug of this program, {type(bug).__name__}: {bug}. "
            "With AIOAPPSAPI_DEBUG=1 it shows where."
        )
        sys.exit(Exit.BUG)
