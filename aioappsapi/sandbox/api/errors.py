"""The errors of the API: status, code, title and detail."""

from __future__ import annotations

from aioappsapi.sandbox.api.answer import Answer, json_text


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
    """Return the refusal: no token came with the request."""
    return ApiError(401, 10002, "CF-NotAuthenticated", "Authentication error")


def invalid_token() -> ApiError:
    """Return the refusal: the token is expired, revoked or not ours."""
    return ApiError(401, 1000, "CF-InvalidAuthToken", "Invalid Auth Token")


def not_authorized() -> ApiError:
    """Return the refusal: the user is known and may not do it."""
    detail = "You are not authorized to perform the requested action"
    return ApiError(403, 10003, "CF-NotAuthorized", detail)


def org_suspended() -> ApiError:
    """Return the refusal: only admins change apps of a suspended organization."""
    return ApiError(403, 10017, "CF-OrgSuspended", "The organization is suspended")


def space_suspended() -> ApiError:
    """Return the refusal: only admins change apps of a suspended space."""
    return ApiError(403, 10019, "CF-SpaceSuspended", "The space is suspended")


def not_found(kind: str) -> ApiError:
    """Return the refusal: it does not exist, or that the user may not know of it."""
    return ApiError(404, 10010, "CF-ResourceNotFound", f"{kind} not found")


def unknown_request() -> ApiError:
    """Return the refusal: there is no such route, or not with this method (there is no 405)."""
    return ApiError(404, 10000, "CF-NotFound", "Unknown request")


def unprocessable(detail: str) -> ApiError:
    """Return the refusal: the request is understood and cannot be done in this state."""
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
    """Return the refusal: the user has spent the window's requests."""
    return ApiError(429, 10013, "CF-RateLimitExceeded", "Rate Limit Exceeded")


def old_rate_limit_exceeded() -> ApiError:
    """Return the refusal: the user has spent the window's requests to version 2."""
    detail = "Rate Limit of V2 API Exceeded. Please consider using the V3 API"
    return ApiError(429, 10018, "CF-RateLimitV2APIExceeded", detail)


def address_limit_exceeded() -> ApiError:
    """Return the refusal: the address has spent its requests without a valid token."""
    detail = (
        "Rate Limit Exceeded: Unauthenticated requests from this IP address have exceeded "
        "the limit. Please log in."
    )
    return ApiError(429, 10014, "CF-IPBasedRateLimitExceeded", detail)


def uniqueness(detail: str) -> ApiError:
    """Return the refusal: the name is taken, as a creation is told."""
    return ApiError(422, 10016, "CF-UniquenessError", detail)


def feature_disabled(name: str) -> ApiError:
    """Return the refusal: an operator has switched a feature off."""
    return ApiError(403, 330002, "CF-FeatureDisabled", f"Feature Disabled: {name}")


def uaa_unavailable() -> ApiError:
    """Return the refusal: nobody knows the names of people."""
    detail = "The UAA service is currently unavailable"
    return ApiError(503, 20004, "CF-UaaUnavailable", detail)


def stats_unavailable() -> ApiError:
    """Return the refusal: nobody knows how the instances are."""
    detail = "Stats unavailable: Stats server temporarily unavailable."
    return ApiError(503, 200002, "CF-StatsUnavailable", detail)


def parameters_not_kept(kind: str) -> ApiError:
    """Return the refusal: the broker does not tell the parameters of an instance or a binding."""
    detail = f"This service does not support fetching service {kind} parameters."
    if kind == "instance":
        return ApiError(400, 120004, "CF-ServiceFetchInstanceParametersNotSupported", detail)
    return ApiError(502, 90007, "CF-ServiceFetchBindingParametersNotSupported", detail)
