"""What a dry run prints: the plan of the run, and what is to be expected of each app."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.console import Console

from aioappsapi.bulk.forecast.plan import Plan
from aioappsapi.bulk.reports.causes import group_by_cause
from aioappsapi.cli.console import Output
from aioappsapi.cli.summary import print_line


def print_plan(console: Console, plan: Plan, output: Output) -> None:
    """Print a plan on standard output: ``text``, ``json`` or ``jsonl``."""
    head, *outcomes = plan.report.to_jsonl().splitlines()
    document = json.loads(head) | {"plan": plan.to_dict()}
    if output == "text":
        for line in _lines(plan):
            print_line(console, line)
    elif output == "json":
        document["outcomes"] = [json.loads(line) for line in outcomes]
        console.file.write(json.dumps(document) + "\n")
    else:
        console.file.writelines(f"{line}\n" for line in (json.dumps(document), *outcomes))


def _lines(plan: Plan) -> Iterator[str]:
    report = plan.report
    yield f"dry run: would {report.action} {len(report)} apps at {report.target}"
    for line in plan.lines():
        yield f"  {line}"
    for group in group_by_cause(report.remaining):
        yield f"{len(group.outcomes)} {group.status}: {group.cause}"
    for outcome in report:
        yield f"  {outcome.key}  {outcome.status:<8}  {outcome.name or ''}".rstrip()
