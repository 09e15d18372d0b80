"""The options that start, stop and restart share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from aioappsapi.cli.run import Output

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
Everything = Annotated[bool, typer.Option("--all", help="All apps.", rich_help_panel=_SELECT)]
Organizations = Annotated[
    Texts, typer.Option("--org", help="In this organization.", rich_help_panel=_SELECT)
]
Spaces = Annotated[Texts, typer.Option("--space", help="In this space.", rich_help_panel=_SELECT)]
LabelSelector = Annotated[
    str | None,
    typer.Option(help="With these labels, like env=prod,!legacy.", rich_help_panel=_SELECT),
]
Names = Annotated[Texts, typer.Option("--name", help="Called so; a glob.", rich_help_panel=_SELECT)]
Exclude = Annotated[Texts, typer.Option(help="Not called so; a glob.", rich_help_panel=_SELECT)]
State = Annotated[
    Literal["STARTED", "STOPPED"] | None,
    typer.Option(help="In this state.", case_sensitive=False, rich_help_panel=_SELECT),
]
Stacks = Annotated[Texts, typer.Option("--stack", help="On this stack.", rich_help_panel=_SELECT)]
Lifecycle = Annotated[
    str | None,
    typer.Option(help="buildpack, cnb or docker.", rich_help_panel=_SELECT),
]
Concurrency = Annotated[
    int, typer.Option(min=1, max=10_000, help="Apps at a time.", rich_help_panel=_RUN)
]
Deadline = Annotated[float | None, typer.Option(help="Seconds for all.", rich_help_panel=_RUN)]
MaxFailures = Annotated[
    float | None,
    typer.Option(help="Stop after so many, or a share like 0.1.", rich_help_panel=_RUN),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list them.", rich_help_panel=_RUN)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", rich_help_panel=_RUN)]
Printed = Annotated[Output, typer.Option(help="What is printed.", rich_help_panel=_RUN)]
Reports = Annotated[
    list[Path] | None,
    typer.Option(
        help="Write a .json, .jsonl, .csv, .xml (JUnit), .html or .md, too.",
        rich_help_panel=_RUN,
    ),
]
Journal = Annotated[
    Path | None,
    typer.Option(help="Note each app here before it is asked for.", rich_help_panel=_RUN),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with the journal's run.", rich_help_panel=_RUN),
]
Sandbox = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100_000,
        metavar="N",
        help="An embedded Cloud Controller with N apps, some of which fail.",
        rich_help_panel=_TARGET,
    ),
]
Seed = Annotated[int, typer.Option(help="Which apps of the sandbox fail.", rich_help_panel=_TARGET)]
CaFile = Annotated[
    Path | None,
    typer.Option(help="PEM of authorities to trust.", rich_help_panel=_TARGET),
]
Insecure = Annotated[
    bool,
    typer.Option("--insecure", help="Trust any certificate.", rich_help_panel=_TARGET),
]
