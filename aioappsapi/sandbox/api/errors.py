"""The errors of the API: status, code, title and detail."""

from __future__ import annotations

from aioappsapi.sandbox.api.answer import Answer, json_text


class ApiError(Exception):
    """An error of the v3 API, with its documented pair of code and title."""

    def __init__(self, status: int, code: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail

    def answer(self) -> Answer:
        """Return the error as a response."""
        return Answer(self.status, self.body())

    def body(self) -> str:
        """Return the JSON of the error, which a 429 sends as plain text."""
        error = {"detail": self.detail, "title": self.title, "code": self.code}
        return json_text({"errors": [error]})

    def old_body(self) -> str:
        """Return the JSON of the error in the shape of version 2."""
        fields = {"description": self.detail, "error_code": self.title, "code": self.code}
        return json_text(fields)


def not_authenticated() -> ApiError:
    """Return the error of a request without a token."""
    return ApiError(401, 10002, "CF-NotAuthenticated", "Authentication error")


def invalid_token() -> ApiError:
    """Return the error of a token that is expired, revoked or foreign."""
    return ApiError(401, 1000, "CF-InvalidAuthToken", "Invalid Auth Token")


def not_authorized() -> ApiError:
    """Return the error of a user who lacks the rights for this request."""
    detail = "You are not authorized to perform the requested action"
    return ApiError(403, 10003, "CF-NotAuthorized", detail)


def org_suspended() -> ApiError:
    """Return the error of a change in a suspended organization by a user who is no admin."""
    return ApiError(403, 10017, "CF-OrgSuspended", "The organization is suspended")


def space_suspended() -> ApiError:
    """Return the error of a change in a suspended space by a user who is no admin."""
    return ApiError(403, 10019, "CF-SpaceSuspended", "The space is suspended")


def not_found(kind: str) -> ApiError:
    """Return the error of a resource that does not exist or that the user cannot see."""
    return ApiError(404, 10010, "CF-ResourceNotFound", f"{kind} not found")


def unknown_request() -> ApiError:
    """Return the error of an unknown route or method (the API has no 405)."""
    return ApiError(404, 10000, "CF-NotFound", "Unknown request")


def unprocessable(detail: str) -> ApiError:
    """Return the error of a request that cannot be carried out in this state."""
    return ApiError(422, 10008, "CF-UnprocessableEntity", detail)


def bad_query(problems: list[str]) -> ApiError:
    """Return the error of bad query parameters, with all problems in one sentence."""
    detail = "The query parameter is invalid: " + ", ".join(problems)
    return ApiError(400, 10005, "CF-BadQueryParameter", detail)


def parse_error() -> ApiError:
    """Return the error of a body that is declared as JSON but is not JSON."""
    detail = "Request invalid due to parse error: invalid request body"
    return ApiError(400, 1001, "CF-MessageParseError", detail)


def rate_limit_exceeded() -> ApiError:
    """Return the error of a user who has spent the requests of this window."""
    return ApiError(429, 10013, "CF-RateLimitExceeded", "Rate Limit Exceeded")


def old_rate_limit_exceeded() -> ApiError:
    """Return the error of a user who has spent the requests to version 2 of this window."""
    detail = "Rate Limit of V2 API Exceeded. Please consider using the V3 API"
    return ApiError(429, 10018, "CF-RateLimitV2APIExceeded", detail)


def address_limit_exceeded() -> ApiError:
    """Return the error of an address that has spent its requests without a valid token."""
    detail = (
        "Rate Limit Exceeded: Unauthenticated requests from this IP address have exceeded "
        "the limit. Please log in."
    )
    return ApiError(429, 10014, "CF-IPBasedRateLimitExceeded", detail)


def metadata_limit_exceeded(kind: str, count: int, most: int) -> ApiError:
    """Return the refusal: the resource would have too many labels or annotations."""
    code, title = (
        (390020, "CF-LabelLimitExceeded")
        if kind == "label"
        else (390023, "CF-AnnotationLimitExceeded")
    )
    detail = f"Failed to add {count} {kind}s because it would exceed maximum of {most}"
    return ApiError(422, code, title, detail)


def uniqueness(detail: str) -> ApiError:
    """Return the error of a new resource whose name is taken."""
    return ApiError(422, 10016, "CF-UniquenessError", detail)


def feature_disabled(name: str) -> ApiError:
    """Return the error of a feature that an operator has switched off."""
    return ApiError(403, 330002, "CF-FeatureDisabled", f"Feature Disabled: {name}")


def uaa_unavailable() -> ApiError:
    """Return the error of a request that needs the UAA while it is away."""
    detail = "The UAA service is currently unavailable"
    return ApiError(503, 20004, "CF-UaaUnavailable", detail)


def stats_unavailable() -> ApiError:
    """Return the error of a request for statistics while Diego is away."""
    detail = "Stats unavailable: Stats server temporarily unavailable."
    return ApiError(503, 200002, "CF-StatsUnavailable", detail)


def operation_in_progress(kind: str) -> ApiError:
    """Return the refusal: something else happens to the service instance or binding."""
    return unprocessable(f"There is an operation in progress for the service {kind}.")


def parameters_not_kept(kind: str) -> ApiError:
    """Return the error of a broker that returns no parameters of an instance or binding."""
    detail = f"This service does not support fetching service {kind} parameters."
    if kind == "instance":
        return ApiError(400, 120004, "CF-ServiceFetchInstanceParametersNotSupported", detail)
    return ApiError(502, 90007, "CF-ServiceFetchBindingParametersNotSupported", detail)
