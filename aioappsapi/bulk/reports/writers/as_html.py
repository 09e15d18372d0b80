"""A report as one page that needs nothing else: neither a server nor a network."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

from aioappsapi.bulk.reports.causes import cause_of, group_by_cause
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.text import printable
from aioappsapi.bulk.reports.timing import LABELS, Moments, accepted_after
from aioappsapi.bulk.reports.writers.charts import HEIGHT, WIDTH, histogram, throughput_chart

if TYPE_CHECKING:
    from jinja2 import Template


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table of apps; times in seconds."""

    outcome: Outcome[object]
    asked: float | None
    accepted: float | None
    reason: str


def as_html(report: ReportData[object]) -> str:
    """Give a report as a page. Needs jinja2.

    Names are text, whatever is in them, and no script but the page's own would run if one were not.
    """
    timeline = report.timeline()
    running = [one.time_to_running for one in report if one.time_to_running is not None]
    accepted = [after for one in report if (after := accepted_after(one)) is not None]
    script = _resource("report.js")
    page: str = _template().render(
        report=report,
        statuses=list(Status),
        timings={LABELS[name]: found for name, found in report.timings.items() if found},
        reasons=group_by_cause(report.remaining),
        rows=[_row(*both) for both in zip(report, timeline, strict=True)],
        throughput=throughput_chart(timeline),
        waited=bool(running),
        histogram=histogram(running or accepted),
        width=WIDTH,
        height=HEIGHT,
        style=_resource("report.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return page


def _row(outcome: Outcome[object], moments: Moments) -> Row:
    return Row(
        outcome=outcome,
        asked=moments.asked,
        accepted=accepted_after(outcome),
        reason=cause_of(outcome),
    )


def _resource(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["seconds"] = _seconds
    return environment.from_string(_resource("report.html"))


def _shown(value: object) -> object:
    """Make every text that the template shows printable; what is markup is our own."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"
