from __future__ import annotations

import email.utils
import json
import time
from types import NoneType
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aioappsapi._http.message import Replay, Request, Response
from aioappsapi._http.protocol import Operation, free_request
from aioappsapi._http.response_errors import response_error, retry_after
from aioappsapi._http.retry.policy import classify
from aioappsapi.errors import (
    AppsApiError,
    BadRequestError,
    DecodeError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
    RedirectedError,
    ResponseError,
    ServerError,
    UnauthorizedError,
    UnprocessableError,
)
from aioappsapi.models import App, Page
from tests.fakes import (
    GET,
    GUID,
    RECORDINGS,
    RESTART,
    START,
    app,
    failure,
    recording,
    request,
    response,
)
from tests.replay import AT_ONCE, Answer, Seen, Server, app_json, reply

LIST: Operation[Page[App]] = Operation(
    "list apps", "GET", "/v3/apps", Page[App], replay=Replay.SAFE, source="-"
)
DELETE: Operation[None] = Operation(
    "delete app", "DELETE", "/v3/apps/{}", NoneType, replay=Replay.IDEMPOTENT, source="-"
)


def test_build_puts_the_guid_into_the_path() -> None:
    built = START.build(GUID)

    assert (built.method, built.path) == ("POST", f"/v3/apps/{GUID}/actions/start")
    assert built.body is None
    assert built.replay is Replay.IDEMPOTENT
    assert str(built) == f"start app {GUID}"


def test_build_encodes_a_body() -> None:
    built = START.build(GUID, body={"name": "ü", "gone": None})

    assert json.loads(built.body or b"") == {"name": "ü", "gone": None}
    assert built.content_type == "application/json"


def test_null_is_a_body() -> None:
    assert START.build(GUID, body=None).body == b"null"


def test_build_leaves_commas_raw_and_quotes_the_rest() -> None:
    built = LIST.build(query={"guids": "a,b,c", "names": "my app&page=2", "label": "x=ü/+#%"})

    path, _, query = built.path.partition("?")
    assert path == "/v3/apps"
    assert query.startswith("guids=a,b,c&names=my%20app%26page%3D2&label=")
    assert unquote(query.rpartition("label=")[2]) == "x=ü/+#%"
    assert not set(query.rpartition("label=")[2]) & set("&=+#/ ")


def test_two_hundred_guids_stay_below_what_servers_and_proxies_take() -> None:
    assert len(LIST.build(query={"guids": ",".join([GUID] * 200)}).path) < 8_000


@pytest.mark.parametrize(
    "bad",
    [
        "",
        ".",
        "..",
        "../spaces/1",
        "a/b",
        "a b",
        "a?b=c",
        "a#b",
        "a%2Fb",
        "a\n",
        " a",
        "ü",
        "-",
        "a" * 256,
        None,
        7,
        b"abc",
    ],
)
def test_invalid_path_arguments_are_refused_with_a_clear_error(bad: object) -> None:
    with pytest.raises(InvalidInputError, match="is not a GUID: it would look like") as caught:
        GET.build(bad)  # type: ignore[arg-type]

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("good", [GUID, "a", "A-1_b.c~d", "a" * 255])
def test_guids_of_other_servers_are_accepted(good: str) -> None:
    assert GET.build(good).path == f"/v3/apps/{good}"


@given(st.text())
def test_an_argument_never_leaves_its_place_in_the_path(text: str) -> None:
    try:
        path = GET.build(text).path
    except InvalidInputError:
        return
    assert path.count("/") == 3
    assert not set(path) & set("?#% \r\n\\")
    assert path.rpartition("/")[2] not in {".", ".."}


def test_the_repr_of_a_request_hides_its_body() -> None:
    built = START.build(GUID, body={"env": {"PASSWORD": "geheim"}})

    assert b"geheim" in (built.body or b"")
    assert "geheim" not in f"{built!r} {built!s}"
    assert GUID in repr(built)


def test_the_repr_of_a_response_hides_its_body_and_headers() -> None:
    answer = response(200, {"access_token": "geheim"}, {"Set-Cookie": "auch-geheim"})

    assert "geheim" not in f"{answer!r} {answer!s}"
    assert "200" in repr(answer)


def test_a_recorded_start_is_parsed() -> None:
    exchange = recording("start-app__stopped-app")

    started = START.parse(request(), exchange.response)

    assert started.guid in exchange.target
    assert (started.name, started.state) == ("start-me", "STARTED")


@pytest.mark.parametrize(
    "name",
    ["get-app__docker", "get-app__stopped", "create-app__unicode-name", "create-app__full"],
)
def test_recorded_apps_are_parsed(name: str) -> None:
    answer = recording(name).response

    assert GET.parse(request(GET), answer).name == json.loads(answer.body)["name"]


def test_a_recorded_list_is_parsed() -> None:
    answer = recording("list-apps__page-1-of-n").response
    page = LIST.parse(LIST.build(), answer)

    assert [one.guid for one in page.resources] == [
        one["guid"] for one in json.loads(answer.body)["resources"]
    ]
    assert page.resources


def test_a_success_may_have_no_body() -> None:
    for answer in (recording("delete-app__accepted").response, response(204), response(200, "x")):
        DELETE.parse(DELETE.build(GUID), answer)


@pytest.mark.parametrize(
    ("name", "cls", "status", "code", "title"),
    [
        ("list-apps__two-errors", BadRequestError, 400, 10005, "CF-BadQueryParameter"),
        ("create-app__malformed-json", BadRequestError, 400, 1001, "CF-MessageParseError"),
        ("start-app__401-expired", UnauthorizedError, 401, 1000, "CF-InvalidAuthToken"),
        ("get-app__401-no-token", UnauthorizedError, 401, 10002, "CF-NotAuthenticated"),
        ("start-app__403-auditor", ForbiddenError, 403, 10003, "CF-NotAuthorized"),
        ("start-app__403-space-suspended", ForbiddenError, 403, 10019, "CF-SpaceSuspended"),
        ("start-app__404-unknown", NotFoundError, 404, 10010, "CF-ResourceNotFound"),
        ("start-app__get-not-routed", NotFoundError, 404, 10000, "CF-NotFound"),
        ("root__unknown-root-route", NotFoundError, 404, 10000, "CF-NotFound"),
        ("start-app__422-no-droplet", UnprocessableError, 422, 10008, "CF-UnprocessableEntity"),
        ("rate-limit__429-start", RateLimitedError, 429, 10013, "CF-RateLimitExceeded"),
        ("rate-limit-v2__429", RateLimitedError, 429, 10018, "CF-RateLimitV2APIExceeded"),
        ("diego-down__refused-list-embed", ServerError, 500, 10001, "UnknownError"),
        ("diego-down__bbs-error-start", ServerError, 500, 170016, "CF-RunnerError"),
        ("diego-down__bbs-invalid-start", ServerError, 500, 170014, "CF-RunnerInvalidRequest"),
        ("diego-down__refused-start", ServerError, 503, 170015, "CF-RunnerUnavailable"),
    ],
)
def test_recorded_errors_are_parsed(
    name: str, cls: type[ResponseError], status: int, code: int, title: str
) -> None:
    answer = recording(name).response
    with pytest.raises(ResponseError) as caught:
        START.parse(request(), answer)
    error = caught.value

    assert type(error) is cls
    assert (error.status, error.code, error.title) == (status, code, title)
    assert error.detail
    assert error.detail in answer.body.decode().replace('\\"', '"')
    assert error.request_id == answer.headers["x-vcap-request-id"]
    assert (error.method, error.url, error.body) == ("POST", answer.url, answer.body)
    assert str(error).startswith(f"start app {GUID}: {status} {title}: ")
    assert str(error).endswith(f"(request id {error.request_id})")
    assert "\n" not in str(error)


ALL = sorted(path.stem for path in RECORDINGS.glob("*.json"))


def test_every_recorded_answer_is_a_result_or_a_typed_error_of_one_line() -> None:
    anything: Operation[object] = Operation(
        "try", "GET", "/", object, replay=Replay.SAFE, source="-"
    )
    seen: set[int] = set()
    for name in ALL:
        answer = recording(name).response
        seen.add(answer.status)
        if answer.status < 300 and answer.body[:1] in (b"{", b"["):
            anything.parse(anything.build(), answer)
            continue
        # Among them no body at all, the health check's text, a manifest, and a package.
        with pytest.raises(ResponseError) as caught:
            anything.parse(anything.build(), answer)
        assert isinstance(caught.value, DecodeError) == (answer.status < 300)
        assert caught.value.status == answer.status
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500
    assert {200, 201, 202, 400, 401, 403, 404, 422, 429, 500, 503} <= seen


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html><head><title>502 Bad\n Gateway</title></head></html>", "'502 Bad Gateway'"),
        ("<!DOCTYPE html><p>down", "with an HTML page"),
        ("upstream   connect\n error\n", "upstream connect error"),
        ("", "with an empty body"),
        ("  \n", "with an empty body"),
        ("null", "null"),
        ("[]", "[]"),
        ('{"errors":[]}', '{"errors":[]}'),
        ('{"errors":"no"}', '{"errors":"no"}'),
        ('{"description":"no code","error_code":"CF-X"}', "no code"),
        (b"\xff\xfe\x00binary", "binary"),
        ("x" * 10_000, "xxx..."),
    ],
)
def test_bodies_that_are_not_json_of_the_api_still_give_an_error(
    body: str | bytes, said: str
) -> None:
    error = response_error(request(), response(502, body))

    assert type(error) is ServerError
    assert (error.code, error.title, error.detail, error.errors) == (None, None, None, ())
    assert said in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 500


def test_the_older_form_of_errors_is_read() -> None:
    body = {"code": 10000, "error_code": "CF-NotFound", "description": "Unknown request"}
    error = response_error(request(), response(404, body))

    assert (error.code, error.title, error.detail) == (10000, "CF-NotFound", "Unknown request")


def test_the_text_contains_all_errors_of_the_server() -> None:
    body = {
        "errors": [
            {"code": 1, "title": "CF-A", "detail": "first"},
            {"code": 2, "title": "CF-B", "detail": "second"},
        ]
    }
    error = response_error(request(), response(422, body))

    assert [one.title for one in error.errors] == ["CF-A", "CF-B"]
    assert "CF-A: first; CF-B: second" in str(error)


def test_the_content_type_is_not_trusted() -> None:
    headers = {"Content-Type": "text/html"}

    assert response_error(request(), failure(422, "CF-X", headers)).title == "CF-X"
    answer = app()
    answer.headers["Content-Type"] = "text/plain"  # type: ignore[index]
    assert START.parse(request(), answer).guid == GUID


def test_the_routers_own_errors_are_in_the_text() -> None:
    headers = {"X-Cf-RouterError": "unknown_route"}
    error = response_error(request(), response(404, "404 Not Found: Requested route", headers))

    assert "from the router (unknown_route): 404 Not Found" in str(error)
    assert error.headers["X-Cf-RouterError"] == "unknown_route"


def test_a_redirect_names_its_location() -> None:
    headers = {"Location": "https://api.other.example.org/"}
    error = response_error(request(), response(301, "", headers))

    assert type(error) is RedirectedError
    assert "redirects to https://api.other.example.org/" in str(error)


@pytest.mark.parametrize("body", ["", "{", "null", "[]", "{}", '{"guid": 7}', "<html>", b"\xff"])
def test_a_success_that_cannot_be_read_says_that_it_was_accepted(body: str | bytes) -> None:
    with pytest.raises(DecodeError, match="an answer that cannot be read") as caught:
        START.parse(request(), response(200, body, {"X-Vcap-Request-Id": "r-1"}))

    assert caught.value.status == 200
    assert caught.value.request_id == "r-1"
    assert "\n" not in str(caught.value)


def test_only_known_headers_are_kept() -> None:
    kept = {
        "Content-Type": "text/html",
        "Location": "/elsewhere",
        "Retry-After": "1",
        "X-Cf-RouterError": "no_endpoints",
        "X-RateLimit-Limit": "20",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "9",
        "X-Vcap-Request-Id": "r",
    }
    dropped = {"Set-Cookie": "geheim", "Authorization": "geheim", "X-Auth-Token": "geheim"}
    lower = {name.lower(): value for name, value in (kept | dropped).items()}

    error = response_error(request(), response(503, "", lower))

    assert error.headers == kept
    assert "geheim" not in repr(vars(error))


def test_warnings_are_decoded() -> None:
    error_of = recording("cli-warning__outdated-cli").response

    (warning,) = error_of.warnings

    assert warning.startswith("🚨 [WARNING] Outdated CF CLI version - please upgrade: https://")
    assert response(200).warnings == ()
    several = response(200, "", {"X-Cf-Warnings": "a+b%2C+c, d%0A,,"})
    assert several.warnings == ("a b, c", "d")


def test_warnings_may_come_in_several_headers() -> None:
    answer = response(422, "", [("x-cf-warnings", "one"), ("X-Cf-Warnings", "two,three")])

    assert answer.warnings == ("one", "two", "three")
    assert response_error(request(), answer).warnings == ("one", "two", "three")


NOW = 1_795_424_600.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "24"}, 24.0),
        ({"retry-after": "24"}, 24.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": email.utils.formatdate(NOW + 90, usegmt=True)}, 90.0),
        ({"Retry-After": email.utils.formatdate(NOW - 90, usegmt=True)}, 0.0),
        ({"X-RateLimit-Reset": str(int(NOW + 31))}, 31.0),
        ({"X-RateLimit-Reset": str(int(NOW - 31))}, 0.0),
        ({"Retry-After": "5", "X-RateLimit-Reset": str(int(NOW + 31))}, 5.0),
        ({"Retry-After": "soon", "X-RateLimit-Reset": str(int(NOW + 31))}, 31.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan", "X-RateLimit-Reset": "inf"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "Fri, 99 Foo 2026 25:00:00 GMT"}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(CIMultiDict(headers), NOW) == seconds


@pytest.mark.parametrize("ours", [-3600, 0, 3600])
def test_a_retry_after_date_is_compared_with_the_servers_clock(ours: int) -> None:
    now = time.time() + ours
    headers = {"Date": email.utils.formatdate(now, usegmt=True)}
    later = email.utils.formatdate(now + 40, usegmt=True)
    assert retry_after(CIMultiDict(headers | {"Retry-After": later})) == 40
    error = response_error(request(), response(503, b"", headers | {"Retry-After": later}))
    assert retry_after(error.headers) == 40


def test_retry_after_counts_from_now() -> None:
    headers = CIMultiDict({"X-RateLimit-Reset": str(time.time() + 100)})

    assert 90 < (retry_after(headers) or 0) <= 100


def test_the_reset_time_of_a_recorded_429_is_read() -> None:
    error = response_error(request(), recording("rate-limit__429-start").response)

    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 26.0
    assert response_error(request(), failure(429)).retry_after is None  # type: ignore[attr-defined]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["errors", "code", "title", "detail", "error_code", "description"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode())
BODIES = st.binary(max_size=200) | JSON | st.text(max_size=100).map(lambda t: t.encode())
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "X-RateLimit-Reset", "X-Cf-Warnings", "Location"]),
    st.text(st.characters(codec="latin-1"), max_size=30),
)


@given(st.integers(100, 999), BODIES, HEADERS)
def test_any_answer_gives_a_result_or_one_of_our_errors(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    answer = Response(status=status, headers=CIMultiDict(headers), body=body)
    try:
        result: object = GET.parse(request(GET), answer)
    except AppsApiError as error:
        result = error
    assert isinstance(result, App | ResponseError)
    if isinstance(result, ResponseError):
        assert result.status == status
        assert isinstance(result, DecodeError) == (200 <= status < 300)
        assert len(str(result).splitlines()) == 1
        assert classify(result)
    else:
        assert 200 <= status < 300


@given(st.text(max_size=40))
def test_any_header_gives_a_sane_wait_or_none(text: str) -> None:
    seconds = retry_after(CIMultiDict({"Retry-After": text, "X-RateLimit-Reset": text}), NOW)

    assert seconds is None or 0 <= seconds < float("inf")


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"errors":' * 100_000, b'{"a":' * 100_000])
def test_a_body_that_is_nested_too_deep_is_just_unreadable(status: int, body: bytes) -> None:
    with pytest.raises(ResponseError) as caught:
        GET.parse(request(GET), response(status, body))

    assert caught.value.status == status
    assert caught.value.code is None


def test_unknown_fields_and_values_of_newer_servers_are_no_error() -> None:
    newer = response(200, {"guid": GUID, "state": "HIBERNATED", "colour": {"of": "the wind"}})

    assert GET.parse(request(GET), newer).state == "HIBERNATED"


def test_a_request_stays_as_it_was_built() -> None:
    with pytest.raises(AttributeError):
        START.build(GUID).path = "/"  # type: ignore[misc]


@pytest.mark.parametrize("args", [(), (GUID, GUID)])
def test_an_operation_takes_exactly_the_arguments_of_its_path(args: tuple[str, ...]) -> None:
    with pytest.raises(TypeError, match=r"start app: .* takes 1 values"):
        START.build(*args)


def test_a_type_has_one_decoder() -> None:
    assert START._decoder is RESTART._decoder


def another(request: Request, value: object) -> str | None:
    return "it names another app"


def test_a_success_that_does_not_fit_its_request_proves_nothing() -> None:
    checked = Operation("x", "POST", "/{}", App, replay=Replay.ONCE, source="-", check=another)
    answer = recording("start-app__stopped-app").response
    with pytest.raises(DecodeError, match=r"200 with an answer that proves nothing: it names"):
        checked.parse(checked.build(GUID), answer)


@pytest.mark.parametrize(
    ("operation", "fields", "reason"),
    [
        ("start", {"state": "STOPPED"}, "it shows the state STOPPED"),
        ("stop", {"state": "STARTED"}, "it shows the state STARTED"),
        ("restart", {"state": "STOPPED"}, "it shows the state STOPPED"),
        ("start", {"guid": "other"}, "it names another app, other"),
    ],
)
async def test_an_action_whose_answer_shows_something_else_is_no_success(
    operation: str, fields: dict[str, str], reason: str
) -> None:
    state = "STOPPED" if operation == "stop" else "STARTED"

    async def answer(seen: Seen) -> Answer:
        return reply(app_json("app-1") | {"state": state} | fields)

    async with Server(answer) as server, server.client(retry=AT_ONCE) as client:
        with pytest.raises(DecodeError, match=reason):
            await getattr(client.apps, operation)("app-1")
    assert len(server.seen) == 1


def test_an_error_keeps_little_of_a_large_body() -> None:
    detail = "x" * 1_000_000
    body = msgspec.json.encode({"errors": [{"code": 1, "title": "CF-X", "detail": detail}] * 50})
    error = response_error(request(), response(500, body))
    assert (len(error.body), len(error.errors)) == (4096, 20)
    assert len(error.detail or "") < 5000
    assert error.title == "CF-X"


@pytest.mark.parametrize(
    "path",
    [
        "/v3/apps/a/environment_variables/",
        "/v3/apps/a/environment%5Fvariables",
        "/v3/apps/a/env//",
        "/v3/environment_variable_groups/running/",
    ],
)
def test_other_spellings_of_a_secret_path_are_masked_too(path: str) -> None:
    assert free_request("PATCH", path, json={"var": {"KEY": "geheim"}}).sensitive


def test_the_variables_of_a_new_app_are_masked_and_its_name_stays() -> None:
    sent = {"name": "web-shop", "environment_variables": {"KEY": "geheim", "PORT": "8080"}}
    text = "web-shop: KEY=geheim, PORT=8080 are wrong, value '[1]'"
    answer = failure(422, "CF-UnprocessableEntity", detail=text)
    error = response_error(free_request("POST", "/v3/apps", json=sent), answer)
    assert error.detail == "web-shop: KEY=..., PORT=... are wrong, value '...'"
    assert "web-shop: KEY=..., PORT=... are wrong" in str(error)
    assert error.body == b""

    html = response(502, "geheim")
    error = response_error(free_request("POST", "/v3/apps", json=sent), html)
    assert "geheim" not in f"{error} {error.body!r}"


@pytest.mark.parametrize("absurd", ["1" + "0" * 400, "1" + "0" * 5000, "-1", "0", "nan", "1e3", ""])
def test_an_absurd_rate_limit_is_none(absurd: str) -> None:
    headers = {"X-RateLimit-Limit": absurd, "X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "99"}
    assert response(200, b"", headers).rate_limit is None


@pytest.mark.parametrize("absurd", ["1" + "0" * 400, "-1" + "0" * 400, "nan"])
def test_an_absurd_number_of_remaining_requests_is_none(absurd: str) -> None:
    headers = {"X-RateLimit-Limit": "9", "X-RateLimit-Remaining": absurd, "X-RateLimit-Reset": "99"}
    assert response(200, b"", headers).rate_limit is None
