"""The verdict: one or two sentences that are true for any counts."""

from __future__ import annotations

import pytest

from aioappsapi import Status
from aioappsapi.bulk.reports.verdict import comparison_verdict, verdict
from tests.reports import outcome, report


@pytest.mark.parametrize(
    ("statuses", "text"),
    [
        ([], "There was nothing to do."),
        ([Status.OK], "The app is in the requested state."),
        ([Status.ALREADY], "The app is in the requested state and was before."),
        ([Status.OK] * 2, "All 2 apps are in the requested state."),
        (
            [Status.OK, Status.OK, Status.ALREADY],
            "All 3 apps are in the requested state; 1 of them was before.",
        ),
        ([Status.FAILED], "The app is not in the requested state: it failed."),
        (
            [Status.OK, Status.FAILED, Status.CANCELLED, Status.NOT_ATTEMPTED],
            (
                "1 of 4 apps is in the requested state. "
                "1 failed, 1 was cancelled in flight and 1 was not attempted."
            ),
        ),
        (
            [Status.FAILED] * 2
            + [Status.TIMED_OUT, Status.UNVERIFIED]
            + [Status.NOT_ATTEMPTED] * 2,
            (
                "0 of 6 apps are in the requested state. "
                "2 failed, 1 ran out of time, 1 could not be verified and 2 were not attempted."
            ),
        ),
    ],
)
def test_the_verdict_agrees_with_the_counts(statuses: list[Status], text: str) -> None:
    assert verdict(report(*(outcome(str(n), one) for n, one in enumerate(statuses)))) == text


def test_the_verdict_on_a_prediction_says_would() -> None:
    some = [outcome("a", Status.OK), outcome("b", Status.ALREADY), outcome("c", Status.FAILED)]
    assert verdict(report(*some, predicted=True)) == (
        "A start would be accepted for 1 of 3 apps. "
        "1 is already in the requested state and 1 would be refused."
    )
    assert verdict(report(some[0], predicted=True)) == "A start would be accepted for 1 of 1 app."


def test_the_verdict_on_a_comparison_counts_better_and_worse() -> None:
    before = report(*(outcome(key, Status.OK) for key in "abc"), outcome("d", Status.FAILED))
    after = report(
        *(outcome(key, Status.FAILED) for key in "ab"),
        outcome("d", Status.ALREADY),
        outcome("e", Status.OK),
    )
    assert comparison_verdict(before.compare(after)) == (
        "2 apps are no longer in the requested state. "
        "1 app is in the requested state now, and not before. "
        "1 app is only in the earlier run. 1 app is only in the later run."
    )
    assert comparison_verdict(before.compare(before)).startswith("Both runs have the same apps")
