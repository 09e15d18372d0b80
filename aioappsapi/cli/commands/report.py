"""The commands after `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from aioappsapi.cli.flags import ARGUMENTS, OUTPUT, OutputFormat, Reports
from aioappsapi.cli.values import choice

_Format = Annotated[
    Literal["text", "json"],
    Parameter(
        group=OUTPUT,
        converter=choice("text", "json"),
        help="The format of standard output. Default: text.",
    ),
]
_Comparisons = Annotated[
    tuple[Path, ...],
    Parameter(
        name="--report",
        group=OUTPUT,
        metavar="FILE",
        help="Write the comparison: .html or .json. Repeatable.",
    ),
]


def _file(name: str, text: str) -> Parameter:
    return Parameter(name=name, group=ARGUMENTS, help=text)


def show(
    file: Annotated[Path, _file("FILE", "A report, .json or .jsonl.")],
    /,
    *files: Annotated[Path, _file("MORE", "More reports.")],
    output: OutputFormat = "text",
) -> int:
    from aioappsapi.cli.reports import show_reports

    return show_reports([file, *files], output)


def compare(
    before: Annotated[Path, _file("BEFORE", "A report, .json or .jsonl.")],
    after: Annotated[Path, _file("AFTER", "A later report, or one of another target.")],
    /,
    *,
    report: _Comparisons = (),
    output: _Format = "text",
) -> int:
    from aioappsapi.cli.reports import compare_reports

    return compare_reports(before, after, output, report)


def merge(
    file: Annotated[Path, _file("FILE", "A report, .json or .jsonl.")],
    /,
    *files: Annotated[Path, _file("MORE", "More reports of the same action, of other apps.")],
    report: Reports = (),
    output: OutputFormat = "text",
) -> int:
    from aioappsapi.cli.reports import merge_reports

    return merge_reports([file, *files], output, report)
