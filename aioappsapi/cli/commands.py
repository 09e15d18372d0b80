"""The commands and their options."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from aioappsapi._version import __version__
from aioappsapi.bulk.asking import Action
from aioappsapi.bulk.endings import RunAbortedError
from aioappsapi.bulk.options import Options
from aioappsapi.cli.options import (
    CaFile,
    Concurrency,
    Deadline,
    DryRun,
    Everything,
    Exclude,
    Insecure,
    Journal,
    LabelSelector,
    Lifecycle,
    MaxFailures,
    Names,
    Organizations,
    Printed,
    Reports,
    Resume,
    Sandbox,
    Seed,
    Spaces,
    Stacks,
    State,
    Words,
    Yes,
)
from aioappsapi.cli.report import reports
from aioappsapi.cli.run import Exit, Job, Output, carry_out, check_report, out, say, show_log
from aioappsapi.cli.selection import Selectors, checked_words
from aioappsapi.cli.target import Target, opened
from aioappsapi.errors import (
    AppsApiError,
    InvalidInputError,
)

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
    def bulk(
        words: Words = None,
        everything: Everything = False,
        organizations: Organizations = None,
        spaces: Spaces = None,
        label_selector: LabelSelector = None,
        names: Names = None,
        exclude: Exclude = None,
        state: State = None,
        stacks: Stacks = None,
        lifecycle: Lifecycle = None,
        concurrency: Concurrency = 50,
        deadline: Deadline = None,
        max_failures: MaxFailures = None,
        dry_run: DryRun = False,
        yes: Yes = False,
        output: Printed = "text",
        report: Reports = None,
        journal: Journal = None,
        resume: Resume = False,
        sandbox: Sandbox = None,
        seed: Seed = 0,
        ca_file: CaFile = None,
        insecure: Insecure = False,
    ) -> None:
        options = _Options(
            action=action,
            words=tuple(words or ()),
            selectors=Selectors(
                everything=everything,
                organizations=tuple(organizations or ()),
                spaces=tuple(spaces or ()),
                label_selector=label_selector,
                names=tuple(names or ()),
                exclude=tuple(exclude or ()),
                state=state,
                stacks=tuple(stacks or ()),
                lifecycle=lifecycle,
            ),
            concurrency=concurrency,
            deadline=deadline,
            max_failures=max_failures,
            dry_run=dry_run,
            output=output,
            reports=tuple(report or ()),
            journal=journal,
            resume=resume,
            ask=not yes and sandbox is None,
        )
        target = Target(
            sandbox=sandbox,
            seed=seed,
            ca_file=None if ca_file is None else str(ca_file),
            insecure=insecure,
            concurrency=concurrency,
        )
        raise typer.Exit(_carry_out(target, options))


for _action in _HELP:
    _register(_action)

app.add_typer(reports, name="report")


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options as they were typed."""

    action: Action
    words: tuple[str, ...]
    selectors: Selectors
    concurrency: int
    deadline: float | None
    max_failures: float | None
    dry_run: bool
    output: Output
    reports: tuple[Path, ...]
    journal: Path | None
    resume: bool
    ask: bool

    def job(self) -> Job:
        """Check what can be checked before anybody is asked. Raises InvalidInputError."""
        for path in self.reports:
            check_report(path)
        if self.resume and self.journal is None:
            raise InvalidInputError("--resume goes with --journal, the file of the run to resume.")
        return Job(
            action=self.action,
            words=tuple(checked_words(self.words, self.selectors)),
            selectors=self.selectors,
            options=Options(
                concurrency=self.concurrency,
                deadline=self.deadline,
                max_failures=_count_or_share(self.max_failures),
            ),
            dry_run=self.dry_run,
            output=self.output,
            reports=self.reports,
            journal=self.journal,
            resume=self.resume,
            ask=self.ask,
        )


def _count_or_share(value: float | None) -> int | float | None:
    return int(value) if value is not None and value.is_integer() else value


def _carry_out(target: Target, options: _Options) -> Exit:
    try:
        job = options.job()
        with opened(target) as client:
            return asyncio.run(carry_out(client, job))
    except InvalidInputError as wrong:
        say(str(wrong))
        return Exit.USAGE
    except RunAbortedError as aborted:
        say(f"{aborted} Cause: {aborted.__cause__}")
        return Exit.NOT_ALL
    except AppsApiError as error:
        say(str(error))
        return Exit.COULD_NOT_BEGIN
    except KeyboardInterrupt:
        say("interrupted before anything was sent.")
        return Exit.INTERRUPTED


@app.command(
    help="Serve an embedded Cloud Controller until Ctrl-C; its user is admin / admin.",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def sandbox(context: typer.Context) -> None:
    from aioappsapi.sandbox.__main__ import main as serve

    # Its options are the sandbox's own, which has a command line without our dependencies too.
    raise typer.Exit(serve(context.args, prog="aioappsapi sandbox", port=8080, apps=100))


def _version(asked: bool) -> None:
    if asked:
        out.print(f"aioappsapi {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    del version


def run() -> None:
    """Run the command that the arguments name."""
    show_log()
    app()
