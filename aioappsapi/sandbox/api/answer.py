"""What the server sends back: one answer, and the errors that end a request early."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

JSON: Final = "application/json; charset=utf-8"
YAML: Final = "application/x-yaml; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"


def json_text(value: object) -> str:
    """Return a value as the server writes JSON: compact, UTF-8, and safe to paste into HTML."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if "&" in text or "<" in text or ">" in text:
        text = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return text


@dataclass(slots=True)
class Answer:
    """A response before it meets the wire.

    `framed` ones carry the v3 API's usual headers; `in_front` ones come from a router or a load
    balancer, which knows no users. `cut` ones end in the middle; with a `drip` the body comes in
    pieces, every so many seconds.
    """

    status: int
    body: str
    content_type: str = JSON
    framed: bool = True
    in_front: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    close: bool = False
    cut: bool = False
    drip: float = 0.0


class ApiError(Exception):
    """A refusal in the v3 API's own words; code and title are the documented pair."""

    def __init__(self, status: int, code: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail

    def answer(self) -> Answer:
        """Return the refusal as a response."""
        return Answer(self.status, self.body())

    def body(self) -> str:
        """Return the JSON of the refusal, which a 429 sends as plain text."""
        error = {"detail": self.detail, "title": self.title, "code": self.code}
        return json_text({"errors": [error]})

    def old_body(self) -> str:
        """Return the JSON of the refusal in the shape of version 2."""
        fields = {"description": self.detail, "error_code": self.title, "code": self.code}
        return json_text(fields)


def not_authenticated() -> ApiError:
    """Say that no token came with the request."""
    return ApiError(401, 10002, "CF-NotAuthenticated", "Authentication error")


def invalid_token() -> ApiError:
    """Say that the token is expired, revoked or not ours."""
    return ApiError(401, 1000, "CF-InvalidAuthToken", "Invalid Auth Token")


def not_authorized() -> ApiError:
    """Say that the user is known and may not do it."""
    detail = "You are not authorized to perform the requested action"
    return ApiError(403, 10003, "CF-NotAuthorized", detail)


def org_suspended() -> ApiError:
    """Say that only admins change apps of a suspended organization."""
    return ApiError(403, 10017, "CF-OrgSuspended", "The organization is suspended")


def space_suspended() -> ApiError:
    """Say that only admins change apps of a suspended space."""
    return ApiError(403, 10019, "CF-SpaceSuspended", "The space is suspended")


def not_found(kind: str) -> ApiError:
    """Say that it does not exist, or that the user may not know of it."""
    return ApiError(404, 10010, "CF-ResourceNotFound", f"{kind} not found")


def unknown_request() -> ApiError:
    """Say that there is no such route, or not with this method: the server knows no 405."""
    return ApiError(404, 10000, "CF-NotFound", "Unknown request")


def unprocessable(detail: str) -> ApiError:
    """Say that the request is understood and cannot be done in this state."""
    return ApiError(422, 10008, "CF-UnprocessableEntity", detail)


def bad_query(problems: list[str]) -> ApiError:
    """Refuse query parameters, all of them in one sentence."""
    detail = "The query parameter is invalid: " + ", ".join(problems)
    return ApiError(400, 10005, "CF-BadQueryParameter", detail)


def parse_error() -> ApiError:
    """Refuse a body that claims to be JSON and is not."""
    detail = "Request invalid due to parse error: invalid request body"
    return ApiError(400, 1001, "CF-MessageParseError", detail)


def rate_limit_exceeded() -> ApiError:
    """Say that the user has spent the window's requests."""
    return ApiError(429, 10013, "CF-RateLimitExceeded", "Rate Limit Exceeded")


def old_rate_limit_exceeded() -> ApiError:
    """Say that the user has spent the window's requests to version 2."""
    detail = "Rate Limit of V2 API Exceeded. Please consider using the V3 API"
    return ApiError(429, 10018, "CF-RateLimitV2APIExceeded", detail)


def address_limit_exceeded() -> ApiError:
    """Say that the address has spent its requests without a valid token."""
    detail = (
        "Rate Limit Exceeded: Unauthenticated requests from this IP address have exceeded "
        "the limit. Please log in."
    )
    return ApiError(429, 10014, "CF-IPBasedRateLimitExceeded", detail)


def outside_api() -> Answer:
    """Refuse a path outside /v3 in the older error shape."""
    body = '{"description":"Unknown request","error_code":"CF-NotFound","code":10000}'
    headers = {"x-cascade": "pass", "x-content-type-options": "nosniff"}
    return Answer(404, body, "application/json;charset=utf-8", framed=False, headers=headers)


def uniqueness(detail: str) -> ApiError:
    """Say that the name is taken, as a creation is told."""
    return ApiError(422, 10016, "CF-UniquenessError", detail)


def feature_disabled(name: str) -> ApiError:
    """Say that an operator has switched a feature off."""
    return ApiError(403, 330002, "CF-FeatureDisabled", f"Feature Disabled: {name}")


def stats_unavailable() -> ApiError:
    """Say that nobody knows how the instances are."""
    detail = "Stats unavailable: Stats server temporarily unavailable."
    return ApiError(503, 200002, "CF-StatsUnavailable", detail)


def parameters_not_kept(kind: str) -> ApiError:
    """Say that the broker does not tell the parameters of an instance or a binding."""
    detail = f"This service does not support fetching service {kind} parameters."
    if kind == "instance":
        return ApiError(400, 120004, "CF-ServiceFetchInstanceParametersNotSupported", detail)
    return ApiError(502, 90007, "CF-ServiceFetchBindingParametersNotSupported", detail)


def accepted(location: str) -> Answer:
    """Send the caller to the job that does the work."""
    return Answer(202, "", "application/json", headers={"location": location})


def nothing(status: int = 200) -> Answer:
    """Answer without a body."""
    return Answer(status, "", "application/json")


def no_content() -> Answer:
    """Answer with a status alone."""
    return Answer(204, "", "")


def crashed() -> Answer:
    """Fall over a query that does not even decode, as the web server does."""
    body = (
        "500 Internal Server Error\n"
        "If you are the administrator of this website, then please read this web "
        "application's log file and/or the web server's log file to find out what went wrong."
    )
    return Answer(500, body, TEXT, framed=False, headers={"x-runtime": "0.001000"})


def query_too_long(length: int) -> Answer:
    """Refuse a query string above 10,240 bytes as the web server does, before any routing."""
    body = (
        "Puma caught this error: HTTP element QUERY_STRING is longer than the (1024 * 10) "
        f"allowed length (was {length}) (Puma::HttpParserError)\n"
    )
    return Answer(400, body, TEXT, framed=False, close=True)
