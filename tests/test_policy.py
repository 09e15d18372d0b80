"""The failure table: a case for each row and each kind of operation."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from aioappsapi._http.message import Response
from aioappsapi._http.response_errors import response_error
from aioappsapi._http.retry.policy import (
    TABLE,
    Meaning,
    Row,
    classify,
    is_broker_limit,
    is_final,
    is_quota,
    may_repeat,
)
from aioappsapi.api import apps
from aioappsapi.errors import (
    AppsApiError,
    AuthError,
    CertificateError,
    ClosedError,
    ConnectError,
    DeadlineError,
    DecodeError,
    DisconnectedError,
    InvalidInputError,
    ReadTimeout,
    ResponseError,
    TargetError,
    TlsError,
)
from tests.fakes import failure, recording, request, response

TRANSIENT, AMBIGUOUS, PERMANENT = Meaning.TRANSIENT, Meaning.AMBIGUOUS, Meaning.PERMANENT
LIMITED, TOKEN = Meaning.RATE_LIMITED, Meaning.TOKEN

OPERATIONS = {
    "start": apps.START,
    "stop": apps.STOP,
    "restart": apps.RESTART,
    "create": apps.CREATE,
    "update": apps.UPDATE,
    "delete": apps.DELETE,
    "list": apps.LIST,
}
# What is never sent a second time once the first may have arrived.
ONCE = {"restart", "create"}
REPEATED = {
    TRANSIENT: set(OPERATIONS),
    LIMITED: set(OPERATIONS),
    TOKEN: set(OPERATIONS),
    AMBIGUOUS: set(OPERATIONS) - ONCE,
    PERMANENT: set(),
}


def router(status: int, error: str, body: str = "") -> Response:
    return response(status, body, {"X-Cf-RouterError": error})


ANSWERS: list[tuple[str, Response, Meaning]] = [
    ("401 invalid token", failure(401, "CF-InvalidAuthToken"), TOKEN),
    ("401 recorded", recording("start-app__401-expired").response, TOKEN),
    ("401 of a proxy", failure(401), TOKEN),
    ("401 not authenticated", failure(401, "CF-NotAuthenticated"), PERMANENT),
    ("401 recorded, none", recording("restart-app__401-no-token").response, PERMANENT),
    ("403 not authorized", failure(403, "CF-NotAuthorized"), PERMANENT),
    ("403 suspended", failure(403, "CF-OrgSuspended"), PERMANENT),
    ("403 html", failure(403), PERMANENT),
    ("404 resource", failure(404, "CF-ResourceNotFound"), PERMANENT),
    ("404 route", failure(404, "CF-NotFound"), PERMANENT),
    ("404 router", router(404, "unknown_route", "404 Not Found"), TRANSIENT),
    ("404 plain, of no router", failure(404), PERMANENT),
    (
        "404 of the API, though a header says router",
        failure(404, "CF-ResourceNotFound", {"X-Cf-RouterError": "unknown_route"}),
        PERMANENT,
    ),
    ("422 quota", recording("start-app__422-org-quota-memory").response, PERMANENT),
    ("422 no droplet", recording("start-app__422-no-droplet").response, PERMANENT),
    ("422 taken", failure(422, "CF-UniquenessError"), PERMANENT),
    ("429", recording("rate-limit__429-start").response, LIMITED),
    ("429 null", response(429, "null"), LIMITED),
    ("429 of a service broker", failure(429, "CF-ServiceBrokerRateLimitExceeded"), TRANSIENT),
    ("500 unknown", recording("diego-down__refused-list-embed").response, AMBIGUOUS),
    ("500 runner error", recording("diego-down__bbs-error-start").response, AMBIGUOUS),
    ("503 runner unavailable", recording("diego-down__refused-start").response, AMBIGUOUS),
    ("500 runner invalid", recording("diego-down__bbs-invalid-start").response, PERMANENT),
    ("500 text with a backtrace", recording("db-down__start").response, AMBIGUOUS),
    ("429 of an address", recording("rate-limit__unauthenticated-429-info").response, LIMITED),
    ("502 uaa", failure(502, "CF-UaaUnavailable"), TRANSIENT),
    ("503 uaa", failure(503, "CF-UaaUnavailable", code=20004), TRANSIENT),
    ("503 stats", failure(503, "CF-StatsUnavailable", code=200002), AMBIGUOUS),
    ("503 service unavailable", failure(503, "CF-ServiceUnavailable"), TRANSIENT),
    ("503 no endpoints", router(503, "no_endpoints"), TRANSIENT),
    ("503 limit", router(503, "Connection Limit Reached"), TRANSIENT),
    ("503 html", failure(503), AMBIGUOUS),
    ("502 endpoint failure", router(502, "endpoint_failure"), AMBIGUOUS),
    ("499", failure(499), AMBIGUOUS),
    ("504", failure(504), AMBIGUOUS),
    ("502 html", response(502, "<html>"), AMBIGUOUS),
    ("496", failure(496), TRANSIENT),
    ("525", failure(525), TRANSIENT),
    ("526", failure(526), TRANSIENT),
    ("400", failure(400, "CF-BadQueryParameter"), PERMANENT),
    ("301", failure(301), PERMANENT),
    ("999 of something in between", failure(999), AMBIGUOUS),
]
ERRORS: list[tuple[str, AppsApiError, Meaning]] = [
    ("refused", ConnectError("-"), TRANSIENT),
    ("handshake", TlsError("-"), TRANSIENT),
    ("certificate", CertificateError("-"), PERMANENT),
    ("reset", DisconnectedError("-"), AMBIGUOUS),
    ("read timeout", ReadTimeout("-"), AMBIGUOUS),
    ("closed", ClosedError("-"), PERMANENT),
    ("unreadable success", DecodeError("-", status=200), PERMANENT),
    ("login refused", AuthError("-", refused=True), PERMANENT),
    ("login not now", AuthError("-", refused=False), TRANSIENT),
    ("not an API", TargetError("-"), PERMANENT),
    ("bad argument", InvalidInputError("-"), PERMANENT),
    ("too late", DeadlineError("-"), PERMANENT),
]
ROWS = [
    *((name, response_error(request(), answer), meaning) for name, answer, meaning in ANSWERS),
    *ERRORS,
]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("error", "meaning"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_each_failure_is_retried_as_the_table_says(
    error: AppsApiError, meaning: Meaning, operation: str
) -> None:
    said, _ = classify(error)

    assert said is meaning
    assert may_repeat(said, OPERATIONS[operation].replay) is (operation in REPEATED[meaning])


@pytest.mark.parametrize(
    ("name", "answer", "tries"),
    [
        ("an unknown error", recording("diego-down__refused-list-embed").response, 2),
        ("a runner that is away", recording("diego-down__refused-start").response, None),
        ("the runner", recording("diego-down__bbs-error-start").response, None),
        ("plain text", failure(500), None),
        ("a router", failure(502), None),
    ],
)
def test_an_unknown_error_of_the_server_is_tried_twice_at_most(
    name: str, answer: Response, tries: int | None
) -> None:
    assert classify(response_error(request(), answer))[1] == tries


def test_every_status_has_a_meaning() -> None:
    for status in range(300, 1000):
        for title in (None, "CF-Whatever"):
            meaning, _ = classify(response_error(request(), failure(status, title)))
            client_error = status < 500 and status not in {401, 404, 429, 496, 499}
            assert (meaning is PERMANENT) == (client_error or status == 404), status


Sight = tuple[int, str | None, str | None]


def sights() -> list[Sight]:
    """Make every answer that the table can tell from another: status, title and router's word."""
    titles = {None, "CF-Whatever", *(title for row in TABLE for title in row.titles or ())}
    routers = {None, "other", *(word for row in TABLE for word in row.router or ())}
    statuses = {400, 600, *(status for row in TABLE for status in row.statuses if status < 600)}
    return list(product(sorted(statuses), titles, routers))


SEEN_BY = [{sight for sight in sights() if row.matches(*sight)} for row in TABLE]


def test_a_row_before_an_overlapping_row_is_more_specific() -> None:
    for first, second in combinations(range(len(TABLE)), 2):
        both = SEEN_BY[first] & SEEN_BY[second]
        assert not both or SEEN_BY[first] < SEEN_BY[second], (TABLE[first], TABLE[second])


@pytest.mark.parametrize("number", range(len(TABLE)))
def test_every_row_decides_something(number: int) -> None:
    assert SEEN_BY[number] - set().union(*SEEN_BY[:number])


def test_every_answer_matches_a_row() -> None:
    assert set().union(*SEEN_BY) == set(sights())


def test_every_row_is_tested() -> None:
    decided: set[Row] = set()
    for _, error, _ in ROWS:
        if isinstance(error, ResponseError):
            word = error.headers.get("X-Cf-RouterError")
            decided.add(next(r for r in TABLE if r.matches(error.status, error.title, word)))
    assert decided == set(TABLE)


@pytest.mark.parametrize(
    ("detail", "quota"),
    [
        ("memory quota_exceeded", True),
        ("memory space_quota_exceeded", True),
        ("memory instance_memory_limit_exceeded", True),
        ("app_instance_limit app_instance_limit_exceeded", True),
        ("app_instance_limit space_app_instance_limit_exceeded", True),
        ("log_rate_limit exceeds organization log rate quota", True),
        ("log_rate_limit exceeds space log rate quota", True),
        ("Assign a droplet before starting this app.", False),
        ("disk_quota too much disk requested (requested 9 MB - must be less than 8 MB)", False),
        ("log_rate_limit cannot be unlimited in organization 'o'.", False),
        ("", False),
    ],
)
def test_a_refusal_by_a_quota_is_recognised(detail: str, quota: bool) -> None:
    answer = failure(422, "CF-UnprocessableEntity", detail=detail)
    assert is_quota(response_error(request(), answer)) is quota


def test_other_refusals_are_not_taken_for_a_quota() -> None:
    recorded = recording("start-app__422-org-quota-memory").response
    assert is_quota(response_error(request(), recorded))
    assert not is_quota(response_error(request(), failure(403, "CF-X", detail="quota_exceeded")))
    assert not is_quota(response_error(request(), failure(422)))
    assert not is_quota(DeadlineError("memory quota_exceeded"))


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (CertificateError("-"), True),
        (TargetError("-"), True),
        (ClosedError("-"), True),
        (AuthError("-", refused=True), True),
        (AuthError("-", refused=False), False),
        (TlsError("-"), False),
        (ConnectError("-"), False),
        (DecodeError("-", status=200), False),
    ],
)
def test_an_error_that_every_app_would_get_is_final(error: AppsApiError, final: bool) -> None:
    assert is_final(error) is final


def test_a_429_of_a_service_broker_is_not_the_apis_rate_limit() -> None:
    assert is_broker_limit(failure(429, "CF-ServiceBrokerRateLimitExceeded"))
    assert not is_broker_limit(failure(429, "CF-RateLimitExceeded"))
    assert not is_broker_limit(response(429, "null"))
