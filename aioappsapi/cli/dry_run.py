"""Output of a dry run: the plan of the run, and the predicted outcome of each app."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from aioappsapi import App, Outcome, Plan, Report, Wave
from aioappsapi.cli.console import print_lines, write_out
from aioappsapi.cli.flags import Output
from aioappsapi.cli.summary import apps, print_report, reason_lines


def print_plan(plan: Plan, output: Output) -> None:
    """Print a plan on standard output. Raises StdoutError."""
    if output == "text":
        print_lines(_lines(plan))
        return
    head, *outcomes = plan.report.to_jsonl().splitlines()
    document = json.loads(head) | {"plan": plan.to_dict()}
    if output == "json":
        document["outcomes"] = [json.loads(line) for line in outcomes]
        write_out(json.dumps(document) + "\n")
    else:
        write_out("".join(f"{line}\n" for line in (json.dumps(document), *outcomes)))


def print_prediction(report: Report[App], waves: Sequence[Wave], output: Output) -> None:
    """Print a predicted report on standard output. Raises StdoutError."""
    if output == "text":
        print_lines(_report_lines(report, (), waves))
    else:
        print_report(report, output)


def _lines(plan: Plan) -> Iterator[str]:
    return _report_lines(plan.report, plan.lines(), plan.waves)


def _report_lines(report: Report[App], more: Iterable[str], waves: Sequence[Wave]) -> Iterator[str]:
    yield f"dry run: would {report.action} {apps(len(report))} at {report.place}"
    for target, error in report.target_errors.items():
        yield f"{target} could not be used: {error}"
    for line in more:
        yield f"  {line}"
    yield from reason_lines(report)
    if not waves:
        yield from map(_line, report)
    by_key = {outcome.key: outcome for outcome in report}
    for wave in waves:
        yield f"{wave}: {apps(len(wave.keys))}"
        yield from (_line(by_key[key]) for key in wave.keys)


def _line(outcome: Outcome[App]) -> str:
    at = "" if outcome.target is None else f"  {outcome.target}"
    return f"  {outcome.key}  {outcome.status:<8}  {outcome.name or ''}{at}".rstrip()
