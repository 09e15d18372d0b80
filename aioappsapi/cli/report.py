"""The commands that look at reports of earlier runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from aioappsapi.bulk.reports.report import Report
from aioappsapi.cli.console import Exit, out, say
from aioappsapi.cli.summary import print_line, print_report
from aioappsapi.errors import InvalidInputError

reports = typer.Typer(no_args_is_help=True, help="Look at the reports of earlier runs.")

_Output = Annotated[
    Literal["text", "json"],
    typer.Option(help="What is printed; as json, a document a line."),
]


@reports.command(help="Say what became of each run. Exit status: 0, or 2 if a file is no report.")
def show(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Reports, .json or .jsonl.")],
    output: _Output = "text",
) -> None:
    found = [_load(path) for path in files]
    for path, report in zip(files, found, strict=True):
        if output == "text":
            began = f"{report.started_at:%Y-%m-%d %H:%M:%S %Z}"
            print_line(out, f"{path}: {report.action} at {report.target}, {began}")
        print_report(out, report, output)


@reports.command(
    help="Compare two runs: what ended in another way, times, requests. "
    "Exit status: 0, 1 if an app is not as asked any more, 2 if a file is no report."
)
def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="A report, .json or .jsonl.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="A later one, or another's.")],
    output: _Output = "text",
) -> None:
    comparison = _load(before).compare(_load(after))
    if output == "json":
        out.file.write(json.dumps(comparison.to_dict()) + "\n")
    else:
        for line in comparison.lines():
            print_line(out, line)
    raise typer.Exit(Exit.NOT_ALL if comparison.worse else Exit.AS_ASKED)


def _load(path: Path) -> Report[object]:
    try:
        return Report.load(path)
    except InvalidInputError as wrong:
        say(str(wrong))
    except OSError as cause:
        say(f"{path} cannot be read: {cause.strerror or cause}")
    raise typer.Exit(Exit.USAGE)
