"""Comparisons of two runs."""

from __future__ import annotations

import json
from datetime import timedelta

from aioappsapi import Status
from aioappsapi.bulk.reports.compare import Change
from aioappsapi.bulk.reports.requests import Requests
from tests.reports import BAD, BEGAN, OK, REST, outcome, report

BEFORE = report(OK, BAD, REST, requests=Requests(sent=6))
AFTER = report(
    outcome("a", Status.FAILED, started_at=BEGAN, duration=0.5),
    outcome("b", Status.OK, started_at=BEGAN, time_to_accept=0.5, time_to_running=9.0),
    outcome("d", Status.ALREADY, name="new", started_at=BEGAN),
    requests=Requests(sent=3),
    finished_at=BEGAN + timedelta(seconds=6),
)


def test_apps_with_another_status_are_listed() -> None:
    found = BEFORE.compare(AFTER)
    assert found.changed == [
        Change(key="a", name="wéb", before=Status.OK, after=Status.FAILED),
        Change(key="b", name="worker", before=Status.FAILED, after=Status.OK),
    ]
    assert found.only_before == [
        Change(key="c", name=None, before=Status.NOT_ATTEMPTED, after=None)
    ]
    assert found.only_after == [Change(key="d", name="new", before=None, after=Status.ALREADY)]
    assert [one.key for one in found.worse] == ["a"]
    assert [one.key for one in AFTER.compare(BEFORE).worse] == ["b"]


def test_figures_are_side_by_side() -> None:
    found = BEFORE.compare(AFTER).to_dict()
    assert found["counts"]["total"] == {"before": 3, "after": 3, "ratio": 1.0}  # type: ignore[index]
    assert found["counts"]["already"] == {"before": 0, "after": 1, "ratio": None}  # type: ignore[index]
    timings = found["timings"]
    assert timings["accept_s"]["p50"] == {"before": 0.25, "after": 0.5, "ratio": 2.0}  # type: ignore[index]
    assert timings["running_s"]["max"] == {"before": 4.5, "after": 9.0, "ratio": 2.0}  # type: ignore[index]
    assert timings["first_instance_s"]["p99"] == {"before": 2.5, "after": None, "ratio": None}  # type: ignore[index]
    assert found["requests_per_app"] == {"before": 2.0, "after": 1.0, "ratio": 0.5}
    # Asked for, by the seconds that it took: 2 in 3, 3 in 6.
    assert found["apps_per_second"] == {"before": 0.6667, "after": 0.5, "ratio": 0.75}
    assert json.loads(json.dumps(found)) == found


def test_a_run_compared_with_itself_is_neither_better_nor_worse() -> None:
    found = BEFORE.compare(BEFORE)
    assert [*found.changed, *found.only_before, *found.only_after, *found.worse] == []
    ratios = {pair.ratio for pair in found.counts.values()}
    ratios |= {pair.ratio for ranks in found.timings.values() for pair in ranks.values()}
    assert ratios == {1.0, None}


def test_the_text_has_one_figure_or_app_per_line() -> None:
    lines = str(BEFORE.compare(AFTER)).splitlines()
    assert lines[0] == "before  start at https://api.test, 2026-03-01 12:00:00 UTC, 3.0 s"
    told = [" ".join(line.split()) for line in lines]
    assert "total 3 -> 3 x 1.00" in told
    assert "already 0 -> 1" in told
    assert not any(line.startswith("cancelled") for line in told)
    assert "seconds until accepted, p50 0.250 -> 0.500 x 2.00" in told
    assert "seconds until first instance, p50 2.500 -> -" in told
    assert told[-4:] == [
        "ok -> failed: wéb (a)",
        "failed -> ok: worker (b)",
        "not_attempted -> absent: c",
        "absent -> already: new (d)",
    ]


def test_a_name_cannot_add_lines_to_the_text() -> None:
    hostile = report(outcome("a", Status.OK, name="x\nok -> failed: y\x1b[2J"))
    (line,) = [line for line in str(report().compare(hostile)).splitlines() if "absent" in line]
    assert line == r"absent -> ok: x\nok -> failed: y\x1b[2J (a)"


def test_empty_runs_can_be_compared() -> None:
    empty = report(finished_at=BEGAN)
    found = empty.compare(empty)
    assert found.requests_per_app.before is None
    assert found.apps_per_second.after is None
    assert "requests per app - -> -" in " ".join(str(found).split())
