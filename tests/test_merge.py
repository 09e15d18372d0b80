"""Merging: several reports of one action become one, with correct sums."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import reduce
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioappsapi import App, ConnectError, InvalidInputError, Report, Status
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.reports.timing import LimitLevel, PauseSpan
from tests.reports import BAD, BEGAN, OK, REST, outcome, report

EU, US = "https://api.eu.test", "https://api.us.test"


def test_reports_of_two_targets_become_one() -> None:
    eu = report(OK, BAD, target=EU, requests=Requests(3, 1, Counter({"202": 2, "503": 1})))
    us = report(
        outcome("a", Status.OK, started_at=BEGAN, time_to_running=9.0),
        target=US,
        requests=Requests(2, 0, Counter({"202": 2})),
        started_at=BEGAN - timedelta(seconds=10),
        finished_at=BEGAN + timedelta(seconds=20),
    )
    both = eu + us
    assert [one.key for one in both] == ["a", "b", "a"]
    assert [one.target for one in both] == [EU, EU, US]
    assert (both.target, both.targets) == (None, [EU, US])
    assert (both.counts["total"], both.counts["ok"], both.counts["failed"]) == (3, 2, 1)
    assert both.requests.to_dict() == {"sent": 5, "retried": 1, "by_status": {"202": 4, "503": 1}}
    assert (both.started_at, both.finished_at) == (us.started_at, us.finished_at)
    assert both.timings["running_s"]["max"] == 9.0
    assert both[0].value == App(guid="a"), "values stay"


def test_merged_reports_of_one_target_keep_it() -> None:
    both = report(OK, target=EU) + report(BAD, target=EU)
    assert (both.target, both.targets) == (EU, [EU])
    assert all(one.target is None for one in both)


def test_a_merged_report_can_be_merged_again() -> None:
    parts = [report(OK, target=EU), report(OK, target=US), report(BAD, target=EU)]
    at_once = Report.merge(parts)
    assert reduce(add, parts).to_dict() == at_once.to_dict()
    assert (at_once.targets, [one.target for one in at_once]) == ([EU, US], [EU, US, EU])


def test_moments_are_measured_from_the_earliest_start() -> None:
    pause = PauseSpan(second=1.0, seconds=5.0, reason="429")
    later = report(
        OK,
        target=EU,
        pauses=[pause],
        limits=[LimitLevel(second=0.5, limit=20)],
    )
    earlier = report(REST, target=US, started_at=BEGAN - timedelta(seconds=10), pauses=[pause])
    both = later + earlier
    assert both.pauses == (
        PauseSpan(second=11.0, seconds=5.0, reason="429", target=EU),
        PauseSpan(second=1.0, seconds=5.0, reason="429", target=US),
    )
    assert both.limits == (LimitLevel(second=10.5, limit=20, target=EU),)


def test_a_merged_report_says_which_part_ended_early() -> None:
    parts = [
        report(OK, target=EU, stopped="too many failed"),
        report(OK, target=US, complete=False),
    ]
    both = Report.merge(parts)
    assert both.stopped == f"{EU}: too many failed"
    assert not both.complete
    assert not both.ok
    again = report(OK, target=EU, stopped="late") + report(BAD, target=EU, stopped="late")
    assert again.stopped == "late"


def test_a_target_that_could_not_be_used_is_told_apart_from_runs_that_ended_early() -> None:
    down = ConnectError("no connection")
    bad = report(REST, target=EU, stopped="the target cannot be used", target_errors={EU: down})
    late, fine = report(OK, target=US, stopped="late"), report(BAD, target="https://api.asia.test")
    both = bad + late
    assert both.target_errors == {EU: down}
    assert both.stopped == "late"
    assert (both + fine).target_errors == {EU: down}
    assert (both + fine).stopped == "late"
    assert both.targets == [EU, US]
    everywhere = report(OK, target=EU, stopped="enough") + report(OK, target=US, stopped="enough")
    assert everywhere.stopped == "enough"


def test_a_target_without_apps_is_still_a_target() -> None:
    both = report(target=EU) + report(OK, target=US)
    assert both.targets == [EU, US]
    assert Report.merge([both]).targets == [EU, US]


def test_only_options_that_all_parts_share_are_kept() -> None:
    first = report(OK, options={"wait": "all", "concurrency": 50})
    second = report(BAD, options={"wait": "all", "concurrency": 20}, version="0.0.1")
    both = first + second
    assert both.options == {"wait": "all"}
    assert both.version is None


def test_reports_that_cannot_be_merged_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="different actions cannot be merged: start, stop"):
        Report.merge([report(OK), report(BAD, action="stop")])
    with pytest.raises(InvalidInputError, match="prediction"):
        Report.merge([report(OK), report(BAD, predicted=True)])
    with pytest.raises(InvalidInputError, match="no report to merge"):
        Report.merge([])
    with pytest.raises(InvalidInputError, match=f"more than one of the reports: a at {EU}"):
        Report.merge([report(OK, target=EU), report(OK, REST, target=EU)])


@given(st.lists(st.lists(st.sampled_from(Status), max_size=3), min_size=1, max_size=4))
def test_any_counts_and_requests_add_up(parts: list[list[Status]]) -> None:
    reports = [
        report(
            *(outcome(f"app-{at}", status) for at, status in enumerate(part)),
            target=str(n),
            requests=Requests(n, n // 2, Counter({"200": n})),
        )
        for n, part in enumerate(parts)
    ]
    merged = Report.merge(reports)
    assert [one.status for one in merged] == [status for part in parts for status in part]
    for name, count in merged.counts.items():
        assert count == sum(one.counts[name] for one in reports)
    assert merged.requests.sent == sum(one.requests.sent for one in reports)
    assert merged.requests.by_status["200"] == sum(range(len(parts)))
