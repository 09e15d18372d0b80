"""What the server sends back: one answer, and the errors that end a request early."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

JSON: Final = "application/json; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"


def json_text(value: object) -> str:
    """A value as the server writes JSON: compact, UTF-8, and safe to paste into HTML."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if "&" in text or "<" in text or ">" in text:
        text = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return text


@dataclass(slots=True)
class Answer:
    """A response before it meets the wire: `framed` ones carry the v3 API's usual headers."""

    status: int
    body: str
    content_type: str = JSON
    framed: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    close: bool = False


class ApiError(Exception):
    """A refusal in the v3 API's own words; code and title are the documented pair."""

    def __init__(self, status: int, code: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail

    def answer(self) -> Answer:
        """The refusal as a response."""
        return Answer(self.status, self.body())

    def body(self) -> str:
        """The JSON of the refusal, which a 429 sends as plain text."""
        error = {"detail": self.detail, "title": self.title, "code": self.code}
        return json_text({"errors": [error]})


def not_authenticated() -> ApiError:
    """No token came with the request."""
    return ApiError(401, 10002, "CF-NotAuthenticated", "Authentication error")


def invalid_token() -> ApiError:
    """A token came, and it is expired, revoked or not ours."""
    return ApiError(401, 1000, "CF-InvalidAuthToken", "Invalid Auth Token")


def not_authorized() -> ApiError:
    """The user is known and may not do this."""
    detail = "You are not authorized to perform the requested action"
    return ApiError(403, 10003, "CF-NotAuthorized", detail)


def org_suspended() -> ApiError:
    """Nobody but an admin changes apps of a suspended organization."""
    return ApiError(403, 10017, "CF-OrgSuspended", "The organization is suspended")


def space_suspended() -> ApiError:
    """Nobody but an admin changes apps of a suspended space."""
    return ApiError(403, 10019, "CF-SpaceSuspended", "The space is suspended")


def not_found(kind: str) -> ApiError:
    """The resource does not exist, or the user may not know that it does."""
    return ApiError(404, 10010, "CF-ResourceNotFound", f"{kind} not found")


def unknown_request() -> ApiError:
    """No such route, or a method that it does not take: the server knows no 405."""
    return ApiError(404, 10000, "CF-NotFound", "Unknown request")


def unprocessable(detail: str) -> ApiError:
    """The request is understood and cannot be done in this state."""
    return ApiError(422, 10008, "CF-UnprocessableEntity", detail)


def bad_query(problems: list[str]) -> ApiError:
    """Query parameters that the server refuses, all of them in one sentence."""
    detail = "The query parameter is invalid: " + ", ".join(problems)
    return ApiError(400, 10005, "CF-BadQueryParameter", detail)


def parse_error() -> ApiError:
    """A body that claims to be JSON and is not."""
    detail = "Request invalid due to parse error: invalid request body"
    return ApiError(400, 1001, "CF-MessageParseError", detail)


def runner_unavailable(process_guid: str) -> ApiError:
    """Diego did not take the order, though the desired state is already written down."""
    detail = (
        f"Runner is unavailable: Process Guid: {process_guid}: "
        "failed with status: 503, body: bbs is down"
    )
    return ApiError(503, 170015, "CF-RunnerUnavailable", detail)


def rate_limit_exceeded() -> ApiError:
    """This user has spent the window's requests."""
    return ApiError(429, 10013, "CF-RateLimitExceeded", "Rate Limit Exceeded")


def address_limit_exceeded() -> ApiError:
    """This address has spent its requests without a valid token."""
    detail = (
        "Rate Limit Exceeded: Unauthenticated requests from this IP address have exceeded "
        "the limit. Please log in."
    )
    return ApiError(429, 10014, "CF-IPBasedRateLimitExceeded", detail)


def outside_api() -> Answer:
    """The older error shape, for every path outside /v3."""
    body = '{"description":"Unknown request","error_code":"CF-NotFound","code":10000}'
    headers = {"x-cascade": "pass", "x-content-type-options": "nosniff"}
    return Answer(404, body, "application/json;charset=utf-8", framed=False, headers=headers)


def crashed() -> Answer:
    """The web server's own 500, for a query that does not even decode."""
    body = (
        "500 Internal Server Error\n"
        "If you are the administrator of this website, then please read this web "
        "application's log file and/or the web server's log file to find out what went wrong."
    )
    return Answer(500, body, TEXT, framed=False)


def query_too_long(length: int) -> Answer:
    """The web server's refusal of a query string above 10,240 bytes, before any routing."""
    body = (
        "Puma caught this error: HTTP element QUERY_STRING is longer than the (1024 * 10) "
        f"allowed length (was {length}) (Puma::HttpParserError)\n"
    )
    return Answer(400, body, TEXT, framed=False, close=True)
