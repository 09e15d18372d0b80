"""Output of a dry run: the plan of the run, and the predicted outcome of each app."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from aioappsapi import App, Outcome, Plan, Report, Wave
from aioappsapi.bulk import RestorePlan
from aioappsapi.bulk.reports.verdict import unusable_targets
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
    _write_document(document, outcomes, output)


def _write_document(document: dict[str, object], outcomes: list[str], output: Output) -> None:
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
    yield from unusable_targets(report)
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


def print_restore(plan: RestorePlan, output: Output) -> None:
    """Print what a restore would do, and what differs. Raises StdoutError."""
    if output == "text":
        print_lines(_restore_lines(plan))
        return
    head, *outcomes = plan.report.to_jsonl().splitlines()
    _write_document(json.loads(head) | {"diff": plan.diff.to_dict()}, outcomes, output)


def _restore_lines(plan: RestorePlan) -> Iterator[str]:
    diff, counts = plan.diff, plan.report.counts
    yield f"dry run: would restore {apps(len(plan.report))} at {plan.report.target}"
    back, same = f"{counts['ok']} to be brought back", f"{counts['already']} already as in the"
    yield f"  {back}, {same} snapshot, {counts['failed']} would be refused"
    yield from reason_lines(plan.report)
    for title, states in (("gone", diff.gone), ("new", diff.new)):
        for state in states:
            yield f"  {title:<7}  {state.guid}  {state.path}"
    for one in diff.changed:
        yield f"  changed  {one.app.guid}  {one.app.path}"
        yield from (f"    {difference}" for difference in one.differences)
    for wave in plan.waves:
        yield f"  {wave}: {apps(len(wave.keys))}"
