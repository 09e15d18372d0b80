"""The options of `targets`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from aioappsapi.cli.flags import ARGUMENTS, RUN, OutputFormat, names_of_targets
from aioappsapi.cli.values import duration


def targets(
    *names: Annotated[
        str,
        Parameter(
            name="NAME",
            group=ARGUMENTS,
            completer=names_of_targets,
            help="Named targets, or globs of names. Default: all.",
        ),
    ],
    output: OutputFormat = "text",
    deadline: Annotated[
        float,
        Parameter(
            group=RUN,
            metavar="TIME",
            converter=duration,
            help="How long a target may take to answer. Default: 30s.",
        ),
    ] = 30.0,
) -> int:
    from aioappsapi.cli.targets import show_targets

    return show_targets(names, output, deadline)
