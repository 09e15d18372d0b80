"""The commands: what was typed becomes a job, and the job an exit status."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Annotated, Final

import typer

from aioappsapi._version import __version__
from aioappsapi.bulk.actions.start_stop_restart import ActionName
from aioappsapi.cli import serve
from aioappsapi.cli.apps import apps
from aioappsapi.cli.console import Exit, out, say, show_log
from aioappsapi.cli.groups import spread
from aioappsapi.cli.options import Course, Noted, Selectors, Target, Told, Waiting, Words
from aioappsapi.cli.report import reports
from aioappsapi.cli.run import Job, carry_out
from aioappsapi.cli.selection import checked_words
from aioappsapi.cli.session import Work, carried_out
from aioappsapi.cli.snapshot import RESTORE, SNAPSHOT, restore, snapshot
from aioappsapi.cli.wording import run_options

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Start, stop and restart many Cloud Foundry apps, and know what happened to each.",
    epilog="Exit status: 0 every app as asked, 1 some not, 2 wrong usage, 3 could not begin, "
    "130 interrupted.",
)

_HELP: Final[dict[ActionName, str]] = {
    "start": "Ask for many apps to be started.",
    "stop": "Ask for many apps to be stopped.",
    "restart": "Ask for many apps to be restarted, each at most once.",
}


def _register(action: ActionName) -> None:
    """Make the command of an action: all three take the same words and options."""

    @app.command(name=action, help=_HELP[action])
    @spread
    def bulk(
        selectors: Selectors,
        waiting: Waiting,
        course: Course,
        noted: Noted,
        told: Told,
        target: Target,
        words: Words = [],
    ) -> None:
        def prepare() -> Work:
            told.check()
            noted.check()
            job = Job(
                action=action,
                words=tuple(checked_words(words, selectors)),
                selectors=selectors,
                options=run_options(waiting, course),
                journal=noted.journal,
                resume=noted.resume,
                dry_run=course.dry_run,
                output=told.output,
                reports=tuple(told.report),
                ask=not course.yes and target.sandbox is None,
            )
            return partial(carry_out, job=job)

        raise typer.Exit(carried_out(target, prepare, concurrency=course.concurrency))


for _action in _HELP:
    _register(_action)

app.command(help=SNAPSHOT)(snapshot)
app.command(help=RESTORE)(restore)
app.add_typer(apps, name="apps")
app.add_typer(reports, name="report")


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
    except OSError as cause:  # a disk that is full, say; whoever reads may just go away
        say(f"the result could not be written: {cause.strerror or cause}")
        sys.exit(Exit.NOT_ALL)
    except Exception as bug:
        if os.environ.get("AIOAPPSAPI_DEBUG"):
            raise
        say(
            f"a bug of this program, {type(bug).__name__}: {bug}. "
            "With AIOAPPSAPI_DEBUG=1 it shows where."
        )
        sys.exit(Exit.BUG)
