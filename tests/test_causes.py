"""The causes for which apps are not in the requested state."""

from __future__ import annotations

import pytest

from aioappsapi import DeadlineError, Status
from aioappsapi.bulk.reports.causes import cause_of, group_by_cause
from tests.reports import BAD, OK, REFUSED, REST, outcome


def test_equal_causes_are_one_group_and_the_largest_comes_first() -> None:
    late = [
        outcome(
            key, Status.TIMED_OUT, error=DeadlineError(f"start {key}: the deadline came first.")
        )
        for key in ("x", "y")
    ]
    groups = group_by_cause([BAD, *late, REST])
    assert [(group.status, group.cause, len(group.outcomes)) for group in groups] == [
        ("timed_out", "the deadline came first.", 2),
        (
            "failed",
            "422 CF-UnprocessableEntity: Assign a droplet before starting this app.",
            1,
        ),
        ("not_attempted", "stopped.", 1),
    ]


def test_a_key_is_removed_from_the_text_but_not_from_a_word() -> None:
    error = DeadlineError("start a: an app-a and 'a' at last: a")
    one = outcome("a", Status.TIMED_OUT, error=error)
    assert cause_of(one) == "an app-a and '…' at last:"


def test_one_cause_with_two_statuses_is_two_groups() -> None:
    both = [
        outcome("x", Status.FAILED, error=REFUSED),
        outcome("y", Status.TIMED_OUT, error=REFUSED),
    ]
    assert [group.status for group in group_by_cause(both)] == ["failed", "timed_out"]


def test_a_group_names_some_apps_and_counts_the_rest() -> None:
    (group,) = group_by_cause(outcome(str(n), Status.FAILED, name=f"app-{n}") for n in range(7))
    assert group.names(5) == "app-0, app-1, app-2, app-3, app-4 and 2 more"
    assert group.names(7).endswith("app-5, app-6")


@pytest.mark.parametrize("status", Status)
def test_an_unfinished_outcome_without_an_error_has_a_cause_too(status: Status) -> None:
    one = outcome("x", status)
    assert bool(cause_of(one)) != one.done
    assert not cause_of(OK)
