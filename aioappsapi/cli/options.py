"""The options, in the groups that commands share."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from aioappsapi.bulk.options import Options
from aioappsapi.bulk.reports.writers import check_suffix
from aioappsapi.cli.console import Output
from aioappsapi.cli.groups import Group
from aioappsapi.errors import InvalidInputError
from aioappsapi.waiting.assess import Wait

Profile = Literal["none", "demo", "chaos"]

_selects: Final = partial(typer.Option, rich_help_panel="Which apps")
_waits: Final = partial(typer.Option, rich_help_panel="What is waited for")
_steers: Final = partial(typer.Option, rich_help_panel="How the run goes")
_tells: Final = partial(typer.Option, rich_help_panel="What is told")
_targets: Final = partial(typer.Option, rich_help_panel="Which Cloud Foundry")
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
Yes = Annotated[bool, _steers("--yes", "-y", help="Do not ask.")]
WaitFor = Annotated[
    Wait,
    _waits(
        help="An instance of each process, all of them, or all and their routes; "
        "after a stop, that none is left."
    ),
]
Printed = Annotated[Output, _tells(help="What is printed.")]


class Selectors(Group, frozen=True, kw_only=True):
    """The options that select apps; those that are given all have to hold."""

    everything: Annotated[bool, _selects("--all", help="All apps.")] = False
    organizations: Annotated[
        list[str], _selects("--org", metavar="NAME", help="In this organization.")
    ] = []
    spaces: Annotated[list[str], _selects("--space", metavar="NAME", help="In this space.")] = []
    label_selector: Annotated[
        str | None, _selects(metavar="SELECTOR", help="With labels, like env=prod,!legacy.")
    ] = None
    names: Annotated[list[str], _selects("--name", metavar="GLOB", help="Called so.")] = []
    exclude: Annotated[list[str], _selects(metavar="GLOB", help="Not called so.")] = []
    state: Annotated[
        Literal["STARTED", "STOPPED"] | None, _selects(help="In this state.", case_sensitive=False)
    ] = None
    stacks: Annotated[list[str], _selects("--stack", metavar="NAME", help="On this stack.")] = []
    lifecycle: Annotated[str | None, _selects(metavar="TYPE", help="buildpack, cnb or docker.")] = (
        None
    )

    def __bool__(self) -> bool:
        return self != Selectors(exclude=self.exclude)


class Waiting(Group, frozen=True, kw_only=True):
    """When an app is as asked, and how many come up at a time."""

    wait: WaitFor = "none"
    startup_timeout: Annotated[
        float | None,
        _waits(
            metavar="SECONDS",
            help="What an app has for it; else CF_STARTUP_TIMEOUT (minutes), else 300.",
        ),
    ] = None
    crash_grace: Annotated[
        float, _waits(metavar="SECONDS", help="It may be crashed, or without a place, for so long.")
    ] = _USUAL.crash_grace
    max_starting: Annotated[
        int | None, _waits(metavar="N", help="So many instances come up at a time.")
    ] = None
    max_starting_mb: Annotated[
        int | None, _waits(metavar="MB", help="So much memory of theirs, too.")
    ] = None


class Course(Group, frozen=True, kw_only=True):
    """How a run goes."""

    concurrency: Annotated[int, _steers(min=1, max=10_000, metavar="N", help="Apps at a time.")] = (
        _USUAL.concurrency
    )
    deadline: Annotated[
        float | None, _steers(metavar="SECONDS", help="End everything after so long.")
    ] = None
    max_failures: Annotated[
        float | None, _steers(metavar="N", help="Stop after so many, or a share like 0.1.")
    ] = None
    no_skip_unchanged: Annotated[
        bool, _steers("--no-skip-unchanged", help="Ask even for what is so already.")
    ] = False
    dry_run: Annotated[bool, _steers("--dry-run", help="Only predict it.")] = False
    yes: Yes = False


class Noted(Group, frozen=True, kw_only=True):
    """What is noted of a run while it goes on."""

    journal: Annotated[
        Path | None, _steers(metavar="FILE", help="Note each app here before it is asked for.")
    ] = None
    resume: Annotated[bool, _steers("--resume", help="Go on with the journal's run.")] = False

    def check(self) -> None:
        """Raise InvalidInputError for a run to resume without its journal."""
        if self.resume and self.journal is None:
            raise InvalidInputError("--resume goes with --journal, the file of the run to resume.")


class Told(Group, frozen=True, kw_only=True):
    """What is told of a run, and where."""

    output: Printed = "text"
    report: Annotated[
        list[Path],
        _tells(
            metavar="FILE", help="Write a .json, .jsonl, .csv, .xml (JUnit), .html or .md, too."
        ),
    ] = []

    def check(self) -> None:
        """Find out before the run what would else be found out after it.

        Raises InvalidInputError.
        """
        for path in self.report:
            check_suffix(path)
            check_folder(path)


def check_folder(path: Path) -> None:
    """Check that a file can be written there. Raises InvalidInputError."""
    if not path.parent.is_dir():
        raise InvalidInputError(f"{path}: there is no folder {path.parent}.")
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder.")


class Target(Group, frozen=True, kw_only=True):
    """What the options say of the target."""

    sandbox: Annotated[
        int | None,
        _targets(min=1, max=100_000, metavar="N", help="An embedded Cloud Controller with N apps."),
    ] = None
    profile: Annotated[Profile | None, _targets(help="What goes wrong there; else demo.")] = None
    seed: Annotated[int | None, _targets(metavar="N", help="Which apps of it fail; else 0.")] = None
    ca_file: Annotated[
        Path | None, _targets(metavar="FILE", help="PEM of authorities to trust.")
    ] = None
    insecure: Annotated[bool, _targets("--insecure", help="Trust any certificate.")] = False

    def check(self) -> None:
        """Refuse options that would be lost. Raises InvalidInputError."""
        if self.sandbox is not None and (self.ca_file is not None or self.insecure):
            raise InvalidInputError("--ca-file and --insecure do not go with --sandbox.")
        for name in ("profile", "seed"):
            if self.sandbox is None and getattr(self, name) is not None:
                raise InvalidInputError(f"--{name} goes with --sandbox.")
