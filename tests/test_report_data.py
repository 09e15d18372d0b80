"""The data of a report: counts, and unfinished apps."""

from __future__ import annotations

from aioappsapi import Status
from tests.reports import BAD, MIXED, OK, REST, outcome, report


def test_a_report_is_a_sequence_of_its_outcomes() -> None:
    assert list(MIXED) == [OK, BAD, REST]
    assert len(MIXED) == 3
    assert MIXED[1] is BAD
    assert list(MIXED[1:]) == [BAD, REST]
    assert BAD in MIXED


def test_all_outcomes_but_ok_and_already_remain_for_the_next_run() -> None:
    doubted = outcome("d", Status.UNVERIFIED)
    already = outcome("e", Status.ALREADY)
    mixed = report(OK, BAD, REST, doubted, already)
    assert mixed.failed_keys() == ["b", "c", "d"]
    assert [one.key for one in mixed.remaining] == ["b", "c", "d"]
    assert [one.key for one in mixed.failed] == ["b"], "only those with status `failed`"
    assert not mixed.ok
    assert report(OK, already).ok


def test_counts_name_every_status_and_add_up() -> None:
    assert MIXED.counts == {
        "total": 3,
        "ok": 1,
        "already": 0,
        "unverified": 0,
        "failed": 1,
        "timed_out": 0,
        "cancelled": 0,
        "not_attempted": 1,
    }


def test_a_report_that_lacks_a_part_of_its_input_is_not_ok() -> None:
    assert report(OK).ok
    part = report(OK, complete=False)
    assert not part.ok
    assert part.to_dict()["complete"] is False
    assert part.failed_keys() == []


def test_a_report_says_whether_it_is_a_prediction_and_why_it_ended_early() -> None:
    usual = report(OK).to_dict()
    assert not {"dry_run", "stopped"} & usual.keys()
    assert report(OK, predicted=True).to_dict()["dry_run"] is True
    assert report(OK, stopped="too many failed").to_dict()["stopped"] == "too many failed"
    assert repr(report(OK, predicted=True)) == "<Report of start (predicted): 1 ok>"


def test_the_repr_is_short_and_has_the_counts() -> None:
    assert repr(MIXED) == "<Report of start: 1 ok, 1 failed, 1 not attempted>"
    assert repr(report()) == "<Report of start: no apps>"
    assert repr(MIXED.requests) == "<Requests sent=4 retried=1>"


def test_a_report_names_its_targets() -> None:
    assert report(OK).targets == ["https://api.test"]
    assert report(OK).place == "https://api.test"
    two = report(
        outcome("a", Status.OK, target="eu"), outcome("b", Status.OK, target="us"), target=None
    )
    assert two.targets == ["eu", "us"]
    assert two.place == "2 targets"
