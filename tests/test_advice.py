"""Advice: one table from the causes of failures to their remedies."""

from __future__ import annotations

import inspect

import pytest

from aioappsapi import AppsApiError, ForbiddenError, Status, UnprocessableError, errors
from aioappsapi.bulk.reports.advice import ADVICE, advice_for
from aioappsapi.models import ApiError
from tests.reports import BAD, ERRORS, OK, outcome


def failed(error: AppsApiError) -> str:
    advice = advice_for(outcome("a", Status.FAILED, error=error))
    assert advice is not None
    return advice.cause


def said(cls: type[errors.ResponseError], status: int, title: str, detail: str) -> AppsApiError:
    problem = ApiError(code=1, title=title, detail=detail)
    return cls("start app a: refused", status=status, errors=(problem,))


@pytest.mark.parametrize("status", Status)
def test_only_apps_that_are_not_done_get_advice(status: Status) -> None:
    one = outcome("a", status)
    assert (advice_for(one) is None) == one.done
    assert advice_for(OK) is None


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_no_error_falls_back_to_the_general_advice(error: AppsApiError) -> None:
    assert failed(error) != "Failed without a known cause"


def test_every_error_class_has_its_own_advice_or_that_of_its_base_class() -> None:
    classes = [
        cls
        for _, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, AppsApiError) and cls not in {AppsApiError, errors.NotIncludedError}
    ]
    named = {cls for advice in ADVICE for cls in advice.errors} - {AppsApiError}
    assert [cls for cls in classes if not issubclass(cls, tuple(named))] == []


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (BAD.error, "The app has no droplet"),
        (
            said(UnprocessableError, 422, "CF-UnprocessableEntity", "memory space_quota_exceeded"),
            "A quota is used up",
        ),
        (
            said(UnprocessableError, 422, "CF-UnprocessableEntity", "name must be unique"),
            "The server refused the request for this app",
        ),
        (
            said(ForbiddenError, 403, "CF-OrgSuspended", "The organization is suspended"),
            "The organization or the space is suspended",
        ),
        (
            said(ForbiddenError, 403, "CF-NotAuthorized", "You are not authorized"),
            "This login may not change the app",
        ),
        (AppsApiError("?"), "Failed without a known cause"),
    ],
)
def test_the_most_specific_cause_wins(error: AppsApiError, cause: str) -> None:
    assert failed(error) == cause


def test_no_row_is_hidden_by_an_earlier_one() -> None:
    seen: list[type[AppsApiError]] = []
    for advice in ADVICE:
        for cls in advice.errors:
            assert not (cls in seen and not advice.titles and not advice.detail), advice.cause
        if not advice.titles and not advice.detail:
            assert not any(issubclass(cls, tuple(seen)) for cls in advice.errors), advice.cause
            seen += advice.errors
