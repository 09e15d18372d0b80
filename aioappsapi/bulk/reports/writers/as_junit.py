"""A report for CI: the XML of JUnit, one test case per app."""

from __future__ import annotations

from datetime import UTC
from typing import Final
from xml.etree import ElementTree as ET

from aioappsapi.bulk.reports.causes import cause_of
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.text import printable
from aioappsapi.errors import AppsApiError

# A failure is known to have failed; an error may have taken effect.
_ELEMENTS: Final = {
    Status.FAILED: "failure",
    Status.UNVERIFIED: "error",
    Status.TIMED_OUT: "error",
    Status.CANCELLED: "skipped",
    Status.NOT_ATTEMPTED: "skipped",
}


def as_junit(report: ReportData[object]) -> str:
    """Return a report as JUnit's XML.

    `failed` is a failure, `unverified` and `timed_out` are errors, `cancelled` and `not_attempted`
    are skipped, `ok` and `already` have passed. A target that could not be used is an error, too.
    """
    totals = _totals(report)
    root = ET.Element("testsuites", {"name": "aioappsapi", **totals})
    began = report.started_at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    name = printable(report.title)
    suite = ET.SubElement(root, "testsuite", {"name": name, "timestamp": began, **totals})
    properties = ET.SubElement(suite, "properties")
    for target in report.targets:
        _property(properties, "target", target)
    if report.stopped is not None:
        _property(properties, "stopped", report.stopped)
    for target, error in report.target_errors.items():
        _target_case(suite, name, target, error)
    for outcome in report:
        _case(suite, name, outcome)
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _totals(report: ReportData[object]) -> dict[str, str]:
    found = [_ELEMENTS.get(outcome.status) for outcome in report]
    found += ["error"] * len(report.target_errors)
    return {
        "tests": str(len(found)),
        "failures": str(found.count("failure")),
        "errors": str(found.count("error")),
        "skipped": str(found.count("skipped")),
        "time": _seconds(report.seconds),
    }


def _property(properties: ET.Element, name: str, value: str) -> None:
    ET.SubElement(properties, "property", {"name": name, "value": printable(value)})


def _target_case(suite: ET.Element, title: str, target: str, error: AppsApiError) -> None:
    about = {"classname": title, "name": printable(target), "time": _seconds(0)}
    case = ET.SubElement(suite, "testcase", about)
    reason = {"message": printable(str(error)), "type": type(error).__name__}
    ET.SubElement(case, "error", reason)


def _case(suite: ET.Element, title: str, outcome: Outcome[object]) -> None:
    name = f"{outcome.label} ({outcome.key})" if outcome.name else outcome.key
    about = {"classname": title, "name": printable(name), "time": _seconds(outcome.duration or 0)}
    case = ET.SubElement(suite, "testcase", about)
    if (element := _ELEMENTS.get(outcome.status)) is not None:
        reason = {"message": printable(cause_of(outcome))}
        if element != "skipped":
            error = outcome.error
            reason["type"] = outcome.status.value if error is None else type(error).__name__
        child = ET.SubElement(case, element, reason)
        child.text = printable(str(outcome.error)) if outcome.error is not None else None
    if notes := _notes(outcome):
        ET.SubElement(case, "system-out").text = notes


def _notes(outcome: Outcome[object]) -> str:
    lines = [f"request {one}" for one in outcome.request_ids]
    lines += [f"warning: {one}" for one in outcome.warnings]
    return "\n".join(map(printable, lines))


def _seconds(value: float) -> str:
    return f"{value:.3f}"
