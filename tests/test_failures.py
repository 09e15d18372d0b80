"""One row for each row of the table in the documentation, for each way to be sent again."""

from __future__ import annotations

import pytest

from aioappsapi._http.failures import Meaning, classify, may_repeat
from aioappsapi._http.message import Replay, Response
from aioappsapi._http.refusal import response_error
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
    TargetError,
    TlsError,
)
from tests.fakes import failure, recording, request, response

TRANSIENT, AMBIGUOUS, PERMANENT = Meaning.TRANSIENT, Meaning.AMBIGUOUS, Meaning.PERMANENT
LIMITED, TOKEN = Meaning.RATE_LIMITED, Meaning.TOKEN

# What may be sent again after each: (safe, idempotent, once).
ALLOWED = {
    TRANSIENT: (True, True, True),
    LIMITED: (True, True, True),
    TOKEN: (True, True, True),
    AMBIGUOUS: (True, True, False),
    PERMANENT: (False, False, False),
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
    ("429 of a service broker", failure(429, "CF-ServiceBrokerRateLimitExceeded"), LIMITED),
    ("500 unknown", recording("diego-down__refused-list-embed").response, AMBIGUOUS),
    ("500 runner error", recording("diego-down__bbs-error-start").response, AMBIGUOUS),
    ("503 runner unavailable", recording("diego-down__refused-start").response, AMBIGUOUS),
    ("500 runner invalid", recording("diego-down__bbs-invalid-start").response, PERMANENT),
    ("500 text with a backtrace", recording("db-down__start").response, AMBIGUOUS),
    ("502 uaa", failure(502, "CF-UaaUnavailable"), TRANSIENT),
    ("503 service unavailable", failure(503, "CF-ServiceUnavailable"), TRANSIENT),
    ("503 no endpoints", router(503, "no_endpoints"), TRANSIENT),
    ("503 limit", router(503, "connection_limit_reached"), TRANSIENT),
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


@pytest.mark.parametrize("replay", list(Replay), ids=lambda replay: replay.value)
@pytest.mark.parametrize(
    ("error", "meaning"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_what_is_repeated(error: AppsApiError, meaning: Meaning, replay: Replay) -> None:
    said, _ = classify(error)

    assert said is meaning
    column = (Replay.SAFE, Replay.IDEMPOTENT, Replay.ONCE).index(replay)
    assert may_repeat(said, replay) is ALLOWED[meaning][column]


@pytest.mark.parametrize(
    ("name", "answer", "tries"),
    [
        ("an unknown error", recording("diego-down__refused-list-embed").response, 2),
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
