"""The options, in the groups that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from aioappsapi.bulk.options import Options
from aioappsapi.cli.console import Output
from aioappsapi.cli.groups import Group
from aioappsapi.errors import InvalidInputError
from aioappsapi.resources.instances import Wait

Profile = Literal["none", "demo", "chaos"]

_SELECT: Final = "Which apps"
_WAIT: Final = "What is waited for"
_RUN: Final = "How the run goes"
_TOLD: Final = "What is told"
_TARGET: Final = "Which Cloud Foundry"
_USUAL: Final = Options()

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="[GUID|NAME|-|@FILE]",
        help="Apps; - reads standard input, @FILE a file, one a line. "
        "A report as FILE stands for its apps that are not as asked.",
        show_default=False,
    ),
]
Deadline = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="For everything.", rich_help_panel=_RUN)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", rich_help_panel=_RUN)]
WaitFor = Annotated[
    Wait,
    typer.Option(
        help="An instance of each process, all of them, or all and their routes; "
        "after a stop, that none is left.",
        rich_help_panel=_WAIT,
    ),
]
Printed = Annotated[Output, typer.Option(help="What is printed.", rich_help_panel=_TOLD)]


class Selectors(Group, frozen=True, kw_only=True):
    """The options that select apps; those that are given all have to hold."""

    everything: Annotated[
        bool, typer.Option("--all", help="All apps.", rich_help_panel=_SELECT)
    ] = False
    organizations: Annotated[
        list[str],
        typer.Option(
            "--org", metavar="NAME", help="In this organization.", rich_help_panel=_SELECT
        ),
    ] = []
    spaces: Annotated[
        list[str],
        typer.Option("--space", metavar="NAME", help="In this space.", rich_help_panel=_SELECT),
    ] = []
    label_selector: Annotated[
        str | None,
        typer.Option(
            metavar="SELECTOR", help="With labels, like env=prod,!legacy.", rich_help_panel=_SELECT
        ),
    ] = None
    names: Annotated[
        list[str],
        typer.Option("--name", metavar="GLOB", help="Called so.", rich_help_panel=_SELECT),
    ] = []
    exclude: Annotated[
        list[str], typer.Option(metavar="GLOB", help="Not called so.", rich_help_panel=_SELECT)
    ] = []
    state: Annotated[
        Literal["STARTED", "STOPPED"] | None,
        typer.Option(help="In this state.", case_sensitive=False, rich_help_panel=_SELECT),
    ] = None
    stacks: Annotated[
        list[str],
        typer.Option("--stack", metavar="NAME", help="On this stack.", rich_help_panel=_SELECT),
    ] = []
    lifecycle: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="buildpack, cnb or docker.", rich_help_panel=_SELECT),
    ] = None

    def __bool__(self) -> bool:
        return self != Selectors(exclude=self.exclude)


class Waiting(Group, frozen=True, kw_only=True):
    """When an app is as asked, and how many come up at a time."""

    wait: WaitFor = "none"
    startup_timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="What an app has for it; else CF_STARTUP_TIMEOUT (minutes), else 300.",
            rich_help_panel=_WAIT,
        ),
    ] = None
    crash_grace: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="It may be crashed, or without a place, for so long.",
            rich_help_panel=_WAIT,
        ),
    ] = _USUAL.crash_grace
    max_starting: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="So many instances come up at a time.", rich_help_panel=_WAIT
        ),
    ] = None
    max_starting_mb: Annotated[
        int | None,
        typer.Option(metavar="MB", help="So much memory of theirs, too.", rich_help_panel=_WAIT),
    ] = None


class Course(Group, frozen=True, kw_only=True):
    """How a run goes."""

    concurrency: Annotated[
        int,
        typer.Option(min=1, max=10_000, metavar="N", help="Apps at a time.", rich_help_panel=_RUN),
    ] = _USUAL.concurrency
    deadline: Deadline = None
    max_failures: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="Stop after so many, or a share like 0.1.", rich_help_panel=_RUN
        ),
    ] = None
    no_skip_unchanged: Annotated[
        bool,
        typer.Option(
            "--no-skip-unchanged", help="Ask even for what is so already.", rich_help_panel=_RUN
        ),
    ] = False
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Note each app here before it is asked for.", rich_help_panel=_RUN
        ),
    ] = None
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the journal's run.", rich_help_panel=_RUN)
    ] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list them.", rich_help_panel=_RUN)
    ] = False
    yes: Yes = False


class Told(Group, frozen=True, kw_only=True):
    """What is told of a run, and where."""

    output: Printed = "text"
    report: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE",
            help="Write a .json, .jsonl, .csv, .xml (JUnit), .html or .md, too.",
            rich_help_panel=_TOLD,
        ),
    ] = []


class Target(Group, frozen=True, kw_only=True):
    """What the options say of the target."""

    sandbox: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000,
            metavar="N",
            help="An embedded Cloud Controller with N apps.",
            rich_help_panel=_TARGET,
        ),
    ] = None
    profile: Annotated[
        Profile | None,
        typer.Option(help="What goes wrong there; else demo.", rich_help_panel=_TARGET),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="Which apps of it fail; else 0.", rich_help_panel=_TARGET),
    ] = None
    ca_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="PEM of authorities to trust.", rich_help_panel=_TARGET),
    ] = None
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Trust any certificate.", rich_help_panel=_TARGET)
    ] = False

    def check(self) -> None:
        """Refuse options that would be lost on a real target. Raises InvalidInputError."""
        for name in ("profile", "seed"):
            if self.sandbox is None and getattr(self, name) is not None:
                raise InvalidInputError(f"--{name} goes with --sandbox.")
