"""Self-contained pages: they need no server, no network and no other file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import msgspec

from aioappsapi.bulk.reports.causes import group_by_cause
from aioappsapi.bulk.reports.compare import Comparison
from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.text import counted, printable, span
from aioappsapi.bulk.reports.timing import accepted_after, goal_of, labels
from aioappsapi.bulk.reports.verdict import comparison_verdict, unusable_targets, verdict
from aioappsapi.bulk.reports.writers.charts import (
    HEIGHT,
    LABEL_HEIGHT,
    WIDTH,
    histogram,
    throughput_chart,
)
from aioappsapi.bulk.reports.writers.table import AppTable, change_table
from aioappsapi.bulk.reports.writers.time_lines import slowest

if TYPE_CHECKING:
    from jinja2 import Environment

# Further groups are small, and the table shows all apps.
_MOST_GROUPS: Final = 25
_EXAMPLES: Final = 5


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A group of unfinished apps with one cause, as the page shows it.

    `status_index` and `reason_index` are the indexes in the rows of the table.
    """

    status: Status
    number: int
    title: str
    reason: str
    action: str
    examples: str
    reason_index: int


def as_html(report: ReportData[object], plan: list[str] | None = None) -> Iterator[str]:
    """Yield a report as a page, piece by piece; needs jinja2. `plan` adds lines on the cost.

    Names are always text, and only the page's own script can run.
    """
    timeline = report.timeline()
    apps = AppTable(report, timeline)
    failures = _failures(report, apps)
    goal, names = goal_of(report.action), labels(report.action)
    running = [one.time_to_running for one in report if one.time_to_running is not None]
    accepted = [after for one in report if (after := accepted_after(one)) is not None]
    yield from _render(
        "report.html",
        report=report,
        verdict=verdict(report),
        unusable=unusable_targets(report),
        plan=plan,
        statuses=[status for status in Status if report.counts[status]],
        failures=failures[:_MOST_GROUPS],
        more=len(failures) - _MOST_GROUPS,
        throughput=throughput_chart(timeline, report.pauses, report.limits, goal),
        histogram=histogram(running or accepted),
        histogram_title=f"Time until {goal if running else 'accepted'}",
        time_lines=slowest(report, timeline, goal),
        timings={names[name]: found for name, found in report.timings.items() if found},
        table=apps.table,
    )


def comparison_as_html(comparison: Comparison) -> Iterator[str]:
    """Yield a comparison as a page, piece by piece; needs jinja2."""
    names = labels(comparison.before.action, comparison.after.action)
    changes = [*comparison.changed, *comparison.only_before, *comparison.only_after]
    yield from _render(
        "compare.html",
        comparison=comparison,
        verdict=comparison_verdict(comparison),
        counts={
            Status(name): pair
            for name, pair in comparison.counts.items()
            if name != "total" and (pair.before or pair.after)
        },
        timings={names[name]: ranks for name, ranks in comparison.timings.items() if ranks},
        changes=len(changes),
        table=change_table(changes),
    )


def _failures(report: ReportData[object], apps: AppTable) -> list[Failure]:
    found = []
    for group in group_by_cause(report.remaining):
        advice = group.advice
        found.append(
            Failure(
                status=group.status,
                number=len(group.outcomes),
                title=advice.cause if advice is not None else group.status.label,
                reason=group.cause,
                action=advice.action if advice is not None else "",
                examples=group.names(_EXAMPLES),
                reason_index=apps.reasons.index(group.cause),
            )
        )
    return found


# -- templates


def _render(name: str, **values: object) -> Iterator[str]:
    script = _resource("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = _environment().get_template(name)
    return template.generate(
        **values,
        style=_resource("page.css"),
        script=script,
        script_hash=digest,
        width=WIDTH,
        height=HEIGHT,
        label_height=LABEL_HEIGHT,
    )


def _resource(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"seconds": _seconds, "span": span, "counted": counted, "code": _code}
    return environment


def _shown(value: object) -> object:
    """Make every text that the template shows printable; markup is the template's own."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _code(text: str) -> object:
    """Show text between backticks as code."""
    from markupsafe import Markup, escape

    plain, *pairs = printable(text).split("`")
    marked = escape(plain)
    for at, piece in enumerate(pairs):
        marked += Markup("<code>{}</code>").format(piece) if at % 2 == 0 else escape(piece)
    return marked


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"
