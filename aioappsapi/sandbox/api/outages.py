"""What the API answers while Diego or the database is away, in the recorded words."""

from __future__ import annotations

from typing import Final

from .answer import Answer, json_text
from .errors import ApiError, stats_unavailable

UP: Final = "up"
DNS: Final = "dns"
DIEGO_MODES: Final = frozenset({UP, "refused", "bbs-503", "bbs-error", "bbs-invalid", DNS})
DATABASE_MODES: Final = frozenset({UP, "down"})
_REFUSED: Final = 'Connection refused - connect(2) for "127.0.0.1" port 8889 (127.0.0.1:8889)'
_503: Final = "failed with status: 503, body: bbs is down"
_NO_CONTACT: Final = "Unable to communicate with Diego"


class UnknownError(ApiError):
    """The server's own crash, with the members in the order that only this error has."""

    def __init__(self) -> None:
        super().__init__(500, 10001, "UnknownError", "An unknown error occurred.")

    def body(self) -> str:
        error = {"title": self.title, "detail": self.detail, "code": self.code}
        return json_text({"errors": [error]})


def runner_error(mode: str, process_guid: str, version: str, *, fresh: bool = False) -> ApiError:
    """Return what an order to Diego ends in; `fresh` ones are for a process Diego never knew."""
    full = f"{process_guid}-{version}"
    if mode == "bbs-invalid":
        detail = "Runner invalid request: invalid LRP: memory"
        return ApiError(500, 170014, "CF-RunnerInvalidRequest", detail)
    if mode == "bbs-error":
        named = process_guid if fresh else full
        detail = f"Runner error: Process Guid: {named}: the database is gone"
        return ApiError(500, 170016, "CF-RunnerError", detail)
    if mode == DNS:
        return ApiError(
            503, 170015, "CF-RunnerUnavailable", f"Runner is unavailable: {_NO_CONTACT}"
        )
    reason = _REFUSED if mode == "refused" else _503
    detail = f"Runner is unavailable: Process Guid: {full}: {reason}"
    return ApiError(503, 170015, "CF-RunnerUnavailable", detail)


def stager_unavailable() -> ApiError:
    """Say that nobody can stage the package now."""
    detail = f"Stager is unavailable: {_REFUSED}"
    return ApiError(503, 170010, "CF-StagerUnavailable", detail)


def task_workers_unavailable() -> ApiError:
    """Say that nobody can run the task now."""
    detail = f"Task workers are unavailable: {_REFUSED}"
    return ApiError(503, 170020, "CF-TaskWorkersUnavailable", detail)


def check_stats(mode: str) -> None:
    """Raise ApiError 503 if Diego cannot tell how instances are."""
    if mode != UP:
        raise stats_unavailable()


def database_gone() -> Answer:
    """Crash as the web server does when its database goes away: text, and no content type."""
    body = (
        "Puma caught this error: PG::ConnectionBad: PQconsumeInput() server closed the "
        "connection unexpectedly\n\tThis probably means the server terminated abnormally\n"
        "\tbefore or while processing the request.\n (Sequel::DatabaseDisconnectError)\n"
        "/cc/gems/sequel/lib/sequel/adapters/postgres.rb:171:in `exec'\n"
    )
    return Answer(500, body, "", framed=False)
