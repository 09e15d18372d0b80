"""Answers of the API while Diego or the database is away, as they were recorded."""

from __future__ import annotations

from typing import Final

from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.errors import ApiError, stats_unavailable
from aioappsapi.sandbox.world.model import Process, process_version

UP: Final = "up"
DNS: Final = "dns"
DIEGO_MODES: Final = frozenset({UP, "refused", "bbs-503", "bbs-error", "bbs-invalid", DNS})
DATABASE_MODES: Final = frozenset({UP, "down"})
_REFUSED: Final = 'Connection refused - connect(2) for "127.0.0.1" port 8889 (127.0.0.1:8889)'
_503: Final = "failed with status: 503, body: bbs is down"
_NO_NAME: Final = "getaddrinfo: Name or service not known"
# The modes in which Diego answers, but with an error.
_ANSWERING: Final = ("bbs-error", "bbs-invalid")
_NO_CONTACT: Final = "Unable to communicate with Diego"


class UnknownError(ApiError):
    """An internal error of the server; only this error has its members in this order."""

    def __init__(self) -> None:
        super().__init__(500, 10001, "UnknownError", "An unknown error occurred.")

    def body(self) -> str:
        error = {"title": self.title, "detail": self.detail, "code": self.code}
        return json_text({"errors": [error]})


def runner_error(mode: str, process: Process, text: str, *, fresh: bool = False) -> ApiError:
    """Return the error of an order to Diego in this mode; `text` is Diego's own message.

    `fresh` means that Diego does not know the process yet.
    """
    full = f"{process.guid}-{process_version(process)}"
    if mode == "bbs-invalid":
        detail = "Runner invalid request: invalid LRP: memory"
        return ApiError(500, 170014, "CF-RunnerInvalidRequest", detail)
    if mode == "bbs-error":
        named = process.guid if fresh else full
        detail = f"Runner error: Process Guid: {named}: {text}"
        return ApiError(500, 170016, "CF-RunnerError", detail)
    if mode == DNS:
        return ApiError(
            503, 170015, "CF-RunnerUnavailable", f"Runner is unavailable: {_NO_CONTACT}"
        )
    detail = f"Runner is unavailable: Process Guid: {full}: {_reason(mode)}"
    return ApiError(503, 170015, "CF-RunnerUnavailable", detail)


def stager_error(mode: str, text: str) -> ApiError:
    """Return the error of staging while Diego is in this mode; `text` is its message."""
    if mode in _ANSWERING:
        detail = f"Stager error: bbs stager client staging failed: {text}"
        return ApiError(500, 170011, "CF-StagerError", detail)
    return ApiError(503, 170010, "CF-StagerUnavailable", f"Stager is unavailable: {_reason(mode)}")


def task_error(mode: str, text: str) -> ApiError:
    """Return the error of running a task while Diego is in this mode."""
    if mode in _ANSWERING:
        return ApiError(500, 170019, "CF-TaskError", f"Task failed: {text}")
    detail = f"Task workers are unavailable: {_reason(mode)}"
    return ApiError(503, 170020, "CF-TaskWorkersUnavailable", detail)


def _reason(mode: str) -> str:
    return _503 if mode == "bbs-503" else _NO_NAME if mode == DNS else _REFUSED


def check_stats(mode: str) -> None:
    """Raise ApiError 503 if Diego does not answer requests for the states of instances."""
    if mode != UP:
        raise stats_unavailable()


def database_down() -> Answer:
    """Answer as the web server does when its database is away: text without a content type."""
    body = (
        "Puma caught this error: PG::ConnectionBad: PQconsumeInput() server closed the "
        "connection unexpectedly\n\tThis probably means the server terminated abnormally\n"
        "\tbefore or while processing the request.\n (Sequel::DatabaseDisconnectError)\n"
        "/cc/gems/sequel/lib/sequel/adapters/postgres.rb:171:in `exec'\n"
    )
    return Answer(500, body, "", framed=False)
