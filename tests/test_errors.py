from __future__ import annotations

import copy
import inspect
import pickle
from datetime import UTC, datetime

import pytest

import aioappsapi
from aioappsapi import errors
from aioappsapi.bulk.run.conclude import RunAbortedError
from aioappsapi.errors import (
    AbandonedError,
    AppsApiError,
    AuthError,
    BadRequestError,
    BuildFailedError,
    ConflictError,
    DeadlineError,
    DeploymentFailedError,
    DeploymentInProgressError,
    ForbiddenError,
    InvalidInputError,
    JobFailedError,
    NotAttemptedError,
    NotFoundError,
    NotIncludedError,
    NotRunningError,
    RateLimitedError,
    RedirectedError,
    ResponseError,
    ServerError,
    TargetError,
    TaskLostError,
    TransportError,
    UnauthorizedError,
    UnprocessableError,
    UnverifiedError,
    error_class,
)
from aioappsapi.models import ApiError

API_ERRORS = (ApiError(code=10008, title="CF-UnprocessableEntity", detail="quota"),)


def report() -> aioappsapi.Report[object]:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return aioappsapi.Report([], action="start", target="-", started_at=now, finished_at=now)


def example(cls: type[BaseException]) -> BaseException:
    """Make one with everything that its class can carry."""
    if issubclass(cls, ResponseError):
        error = cls(
            "start app: 422 no",
            status=422,
            method="POST",
            url="https://api.example.org/v3",
            errors=API_ERRORS,
            request_id="r-1",
            headers={"Retry-After": "7"},
            warnings=("old",),
            body=b"{}",
        )
        if isinstance(error, RateLimitedError):
            error.retry_after = 7.0
        return error
    if issubclass(cls, TransportError):
        return cls("GET https://x: no", method="GET", url="https://x")
    if cls is NotIncludedError:
        return NotIncludedError("space", ask_for="space")
    if cls is AuthError:
        return AuthError("no", refused=False, error="unauthorized", status=401)
    if cls is BuildFailedError:
        return BuildFailedError("no", guid="g")
    if cls is DeploymentFailedError:
        return DeploymentFailedError("no", guid="g", reason="CANCELED")
    if cls is DeploymentInProgressError:
        return DeploymentInProgressError("no", guid="g")
    if cls is JobFailedError:
        return JobFailedError("no", guid="g", errors=API_ERRORS)
    if issubclass(cls, NotRunningError):
        return cls("crashed", states=("CRASHED",), details="Exited with status 1")
    if cls is DeadlineError:
        return DeadlineError("late", last=BadRequestError("no", status=400))
    if cls is RunAbortedError:
        return cls("over", report=report())
    assert cls in {
        AppsApiError,
        InvalidInputError,
        TargetError,
        AbandonedError,
        TaskLostError,
        NotAttemptedError,
        UnverifiedError,
    }, f"{cls.__name__} is new: say here how it is made"
    return cls("text")


CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, BaseException) and cls.__module__ == errors.__name__
] + [RunAbortedError]


def comparable(value: object) -> object:
    if isinstance(value, AppsApiError):
        return type(value), str(value), comparable(vars(value))
    if isinstance(value, aioappsapi.Report):
        return value.action, list(value)
    if isinstance(value, dict):
        return {key: comparable(inner) for key, inner in value.items()}
    return value


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("way", ["pickle", "copy"])
def test_every_error_survives_a_copy_with_all_its_attributes(
    cls: type[BaseException], way: str
) -> None:
    error = example(cls)
    twin = pickle.loads(pickle.dumps(error)) if way == "pickle" else copy.copy(error)

    assert type(twin) is cls
    assert twin is not error
    assert str(twin) == str(error)
    assert twin.args == error.args
    assert comparable(vars(twin)) == comparable(vars(error))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_is_exported(cls: type[BaseException]) -> None:
    assert getattr(aioappsapi, cls.__name__) is cls


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (301, RedirectedError),
        (304, RedirectedError),
        (400, BadRequestError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (418, ResponseError),
        (422, UnprocessableError),
        (429, RateLimitedError),
        (500, ServerError),
        (503, ServerError),
        (526, ServerError),
        (999, ServerError),
        (199, ResponseError),
    ],
)
def test_each_status_has_its_error_class(status: int, cls: type[ResponseError]) -> None:
    assert error_class(status) is cls


def test_code_title_and_detail_are_those_of_the_servers_first_error() -> None:
    second = ApiError(code=1, title="CF-Other", detail="other")
    error = UnprocessableError("no", status=422, errors=(*API_ERRORS, second))

    assert (error.code, error.title, error.detail) == (10008, "CF-UnprocessableEntity", "quota")


def test_an_error_without_json_has_no_code_title_or_detail() -> None:
    error = ServerError("no", status=502)

    assert (error.code, error.title, error.detail) == (None, None, None)


def test_detached_drops_the_traceback_and_the_chain() -> None:
    def fail() -> None:
        try:
            raise ValueError("inner")
        except ValueError as cause:
            raise AuthError("outer", error="e") from cause

    with pytest.raises(AuthError) as caught:
        fail()
    error = caught.value
    assert error.__cause__ is not None

    assert error.detached() is error
    assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)
    assert (str(error), error.error) == ("outer", "e")


def test_errors_are_subclasses_of_builtin_errors() -> None:
    assert issubclass(InvalidInputError, ValueError)
    assert issubclass(NotIncludedError, AttributeError)
    assert str(NotIncludedError("space", ask_for="space")) == (
        "The space was not included: ask for it with include=['space']."
    )


@pytest.mark.parametrize(
    ("name", "delivered"),
    [
        ("TransportError", True),
        ("ConnectError", False),
        ("TlsError", False),
        ("CertificateError", False),
        ("ReadTimeout", True),
        ("DisconnectedError", True),
        ("ClosedError", False),
    ],
)
def test_whether_a_request_can_have_been_delivered(name: str, delivered: bool) -> None:
    assert getattr(errors, name)("no").delivered is delivered
