"""Outcomes and reports for the tests of reports."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from aioappsapi import (
    AbandonedError,
    App,
    AppsApiError,
    AuthError,
    ConnectError,
    DeadlineError,
    InvalidInputError,
    NotAttemptedError,
    NotFoundError,
    Outcome,
    RateLimitedError,
    Report,
    ServerError,
    Status,
    UnprocessableError,
)
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.reports.timing import LimitLevel, PauseSpan
from aioappsapi.models import ApiError

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REFUSED = UnprocessableError(
    "start app b: 422 CF-UnprocessableEntity: Assign a droplet before starting this app.",
    status=422,
    errors=(
        ApiError(
            code=10008,
            title="CF-UnprocessableEntity",
            detail="Assign a droplet before starting this app.",
        ),
    ),
    request_id="r-2",
    headers={"Retry-After": "1"},
    body=b"secret",
)


def outcome(key: str, status: Status, **fields: Any) -> Outcome[App]:
    return Outcome(key=key, status=status, **fields)


def report(*outcomes: Outcome[App], **fields: Any) -> Report[App]:
    settings: dict[str, Any] = {
        "action": "start",
        "target": "https://api.test",
        "started_at": BEGAN,
        "finished_at": BEGAN + timedelta(seconds=3),
    }
    return Report(outcomes, **settings | fields)


OK = outcome(
    "a",
    Status.OK,
    name="wéb",
    value=App(guid="a"),
    attempts=1,
    started_at=BEGAN,
    duration=4.6,
    time_to_accept=0.25,
    time_to_first_instance=2.5,
    time_to_running=4.5,
    request_ids=("r-1",),
    warnings=("old stack",),
)
BAD = outcome(
    "b", Status.FAILED, error=REFUSED, attempts=1, started_at=BEGAN, duration=0.05, name="worker"
)
REST = outcome("c", Status.NOT_ATTEMPTED, error=NotAttemptedError("start c: stopped."))
MIXED = report(
    OK, BAD, REST, requests=Requests(sent=4, retried=1, by_status=Counter({"503": 1, "200": 3}))
)

ERRORS: list[AppsApiError] = [
    REFUSED,
    NotFoundError("get app a: 404", status=404),
    ServerError("start app a: 503 with an HTML page", status=503, request_id="r"),
    RateLimitedError("start app a: 429", status=429),
    ConnectError("POST https://api.test: no connection", method="POST", url="https://api.test"),
    DeadlineError("start a: the deadline came first."),
    AbandonedError("start a: cancelled in flight."),
    NotAttemptedError("start a: stopped."),
    AuthError("The login was refused", error="unauthorized", status=401),
    InvalidInputError("'..' is not a GUID"),
]


def many(apps: int) -> Report[App]:
    """A run of many apps, of which some failed."""
    chance = random.Random(1)
    errors = [None] * 30 + ERRORS[:4]
    some = []
    for n in range(apps):
        error = chance.choice(errors)
        took = chance.lognormvariate(1.5, 0.6)
        some.append(
            outcome(
                f"00000000-0000-4000-8000-{n:012}",
                Status.OK if error is None else Status.FAILED,
                name=f"app-{n}",
                space=f"space-{n % 12}",
                organization=f"org-{n % 5}",
                wave=1 + n % 3,
                error=error,
                attempts=1,
                started_at=BEGAN + timedelta(seconds=n / 60),
                duration=took,
                time_to_accept=0.1,
                time_to_running=took if error is None else None,
                request_ids=(f"request-{n}",),
            )
        )
    return report(
        *some,
        stopped="enough",
        options={"wait": "all"},
        finished_at=BEGAN + timedelta(seconds=apps / 60 + 10),
        pauses=[PauseSpan(second=1.0, seconds=2.0, reason="429")],
        limits=[LimitLevel(second=0.0, limit=50)],
    )


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
moments = st.datetimes(timezones=st.just(UTC), min_value=datetime(1900, 1, 1))  # noqa: DTZ001
seconds = st.none() | st.floats(0, 1e6).map(lambda value: round(value, 6))


def any_outcome(
    text: st.SearchStrategy[str], error: st.SearchStrategy[AppsApiError]
) -> st.SearchStrategy[Outcome[App]]:
    """Any outcome with such texts and errors."""
    return st.builds(
        Outcome,
        key=text,
        status=st.sampled_from(Status),
        name=st.none() | text,
        error=st.none() | error,
        attempts=st.integers(0, 99),
        started_at=st.none() | moments,
        duration=seconds,
        time_to_accept=seconds,
        time_to_first_instance=seconds,
        time_to_running=seconds,
        request_ids=st.lists(text, max_size=3).map(tuple),
        warnings=st.lists(text, max_size=3).map(tuple),
    )


outcomes = any_outcome(texts, st.sampled_from(ERRORS))
