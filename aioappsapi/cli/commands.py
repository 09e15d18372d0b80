"""The commands and their options."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import typer

from aioappsapi._version import __version__
from aioappsapi.bulk.bulk import Action
from aioappsapi.bulk.endings import RunAbortedError
from aioappsapi.bulk.engine import Options
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

_SELECT: Final = "Which apps"
_RUN: Final = "How the run goes"
_TARGET: Final = "Which Cloud Foundry"

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[GUID|NAME|-|@FILE]",
        help="Apps; - reads standard input, @FILE a file, one a line. "
        "A report as FILE stands for its apps that are not as asked.",
        show_default=False,
    ),
]
Texts = list[str] | None

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
        everything: Annotated[
            bool, typer.Option("--all", help="All apps.", rich_help_panel=_SELECT)
        ] = False,
        organizations: Annotated[
            Texts, typer.Option("--org", help="In this organization.", rich_help_panel=_SELECT)
        ] = None,
        spaces: Annotated[
            Texts, typer.Option("--space", help="In this space.", rich_help_panel=_SELECT)
        ] = None,
        label_selector: Annotated[
            str | None,
            typer.Option(help="With these labels, like env=prod,!legacy.", rich_help_panel=_SELECT),
        ] = None,
        names: Annotated[
            Texts, typer.Option("--name", help="Called so; a glob.", rich_help_panel=_SELECT)
        ] = None,
        exclude: Annotated[
            Texts, typer.Option(help="Not called so; a glob.", rich_help_panel=_SELECT)
        ] = None,
        state: Annotated[
            Literal["STARTED", "STOPPED"] | None,
            typer.Option(help="In this state.", case_sensitive=False, rich_help_panel=_SELECT),
        ] = None,
        stacks: Annotated[
            Texts, typer.Option("--stack", help="On this stack.", rich_help_panel=_SELECT)
        ] = None,
        lifecycle: Annotated[
            str | None,
            typer.Option(help="buildpack, cnb or docker.", rich_help_panel=_SELECT),
        ] = None,
        concurrency: Annotated[
            int, typer.Option(min=1, max=10_000, help="Apps at a time.", rich_help_panel=_RUN)
        ] = 50,
        deadline: Annotated[
            float | None, typer.Option(help="Seconds for all.", rich_help_panel=_RUN)
        ] = None,
        max_failures: Annotated[
            float | None,
            typer.Option(help="Stop after so many, or a share like 0.1.", rich_help_panel=_RUN),
        ] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Only list them.", rich_help_panel=_RUN)
        ] = False,
        yes: Annotated[
            bool, typer.Option("--yes", "-y", help="Do not ask.", rich_help_panel=_RUN)
        ] = False,
        output: Annotated[
            Output, typer.Option(help="What is printed.", rich_help_panel=_RUN)
        ] = "text",
        report: Annotated[
            list[Path] | None,
            typer.Option(help="Write a .json or .jsonl, too.", rich_help_panel=_RUN),
        ] = None,
        journal: Annotated[
            Path | None,
            typer.Option(help="Note each app here before it is asked for.", rich_help_panel=_RUN),
        ] = None,
        resume: Annotated[
            bool,
            typer.Option("--resume", help="Go on with the journal's run.", rich_help_panel=_RUN),
        ] = False,
        sandbox: Annotated[
            int | None,
            typer.Option(
                min=1,
                max=100_000,
                metavar="N",
                help="An embedded Cloud Controller with N apps, some of which fail.",
                rich_help_panel=_TARGET,
            ),
        ] = None,
        seed: Annotated[
            int, typer.Option(help="Which apps of the sandbox fail.", rich_help_panel=_TARGET)
        ] = 0,
        ca_file: Annotated[
            Path | None,
            typer.Option(help="PEM of authorities to trust.", rich_help_panel=_TARGET),
        ] = None,
        insecure: Annotated[
            bool,
            typer.Option("--insecure", help="Trust any certificate.", rich_help_panel=_TARGET),
        ] = False,
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


@app.command(help="Serve an embedded Cloud Controller until Ctrl-C; its user is admin / admin.")
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free one.")] = 8080,
    apps: Annotated[int, typer.Option(min=0, max=1_000_000)] = 100,
    seed: Annotated[int, typer.Option(help="Makes the same apps and failures again.")] = 0,
    profile: Annotated[Literal["none", "demo"], typer.Option(help="Which failures.")] = "none",
) -> None:
    from aioappsapi.sandbox.__main__ import main as serve

    options = {"port": port, "apps": apps, "seed": seed, "profile": profile}
    raise typer.Exit(serve([f"--{name}={value}" for name, value in options.items()]))


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
