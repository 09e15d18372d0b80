"""What may be typed after `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from aioappsapi.cli.flags import ARGUMENTS, OUTPUT
from aioappsapi.cli.values import choice

_Format = Annotated[
    Literal["text", "json"],
    Parameter(
        group=OUTPUT,
        converter=choice("text", "json"),
        help="The format of standard output; json prints one document a line. Default: text.",
    ),
]


def _file(name: str, text: str) -> Parameter:
    return Parameter(name=name, group=ARGUMENTS, help=text)


def show(
    file: Annotated[Path, _file("FILE", "A report, .json or .jsonl.")],
    /,
    *files: Annotated[Path, _file("MORE", "More reports.")],
    output: _Format = "text",
) -> int:
    from aioappsapi.cli.reports import show_reports

    return show_reports([file, *files], output)


def compare(
    before: Annotated[Path, _file("BEFORE", "A report, .json or .jsonl.")],
    after: Annotated[Path, _file("AFTER", "A later report, or one of another target.")],
    /,
    *,
    output: _Format = "text",
) -> int:
    from aioappsapi.cli.reports import compare_reports

    return compare_reports(before, after, output)
