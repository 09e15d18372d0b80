"""Checks of changes to processes, with the error texts of the server."""

from __future__ import annotations

from typing import Final

from aioappsapi.sandbox.api import validation
from aioappsapi.sandbox.api.apps.scaling import MOST
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.outages import UnknownError
from aioappsapi.sandbox.world.json_types import Json, JsonValue

_UPDATED: Final = ("command", "user", "health_check", "readiness_health_check", "metadata")
_CHECKS: Final = (
    ("health_check", "Health check", ("timeout", "invocation_timeout", "interval")),
    ("readiness_health_check", "Readiness health check", ("invocation_timeout", "interval")),
)
_KINDS: Final = ("port", "process", "http")
_USERS: Final = ("vcap", "ContainerUser", "TestUser")
_LONGEST: Final = 4096
_LONGEST_USER: Final = 255
_MOST_SECONDS: Final = 180


def update_problems(fields: Json) -> list[str]:
    """Return the problems of the body that changes a process."""
    problems = metadata_problems(fields) + validation.unknown_fields(fields, _UPDATED)
    problems += validation.text_problems("Command", fields.get("command"), _LONGEST)
    problems += validation.text_problems("User", fields.get("user"), _LONGEST_USER)
    for name, label, numbers in _CHECKS:
        if fields.get(name) is not None:
            problems += _check_problems(label, fields[name], numbers)
    return problems


def _check_problems(label: str, check: JsonValue, numbers: tuple[str, ...]) -> list[str]:
    if not isinstance(check, dict):
        raise UnknownError
    problems = []
    if "type" in check and check["type"] not in _KINDS:
        problems.append(f'{label} type must be "port", "process", or "http"')
    data = check.get("data")
    if data is not None and not isinstance(data, dict):
        raise UnknownError
    for name in numbers:
        value = (data or {}).get(name)
        problems += validation.number_problems(f"{label} {name}", value, 1, MOST)
    endpoint = (data or {}).get("endpoint")
    if endpoint is not None:
        problems += _endpoint_problems(f"{label} endpoint", str(endpoint))
    return problems


def _endpoint_problems(label: str, endpoint: str) -> list[str]:
    problems = []
    if len(endpoint) > 255:
        problems.append(f"{label} is too long (maximum is 255 characters)")
    if not validation.URI_PATH.fullmatch(endpoint):
        problems.append(f"{label} must be a valid URI path")
    return problems


def saved_check_problems(health: Json | None, readiness: Json | None) -> list[str]:
    """Return the problems of both health checks as they would be kept."""
    timeout = ((health or {}).get("data") or {}).get("timeout")
    problems = []
    if timeout is not None and int(timeout) > _MOST_SECONDS:
        problems.append(f"health_check_timeout Maximum exceeded: max {_MOST_SECONDS}s")
    for kept, name, label in (
        (health, "health_check", "health check"),
        (readiness, "readiness_health_check", "readiness health check"),
    ):
        endpoint = ((kept or {}).get("data") or {}).get("endpoint")
        of_http = (kept or {}).get("type") == "http"
        if of_http and not validation.URI_PATH.fullmatch(endpoint or ""):
            problems.append(
                f"{name}_http_endpoint HTTP {label} endpoint is not a valid URI path: "
                f"{endpoint or ''}"
            )
    return problems


def saved_user_problems(user: str | None) -> list[str]:
    """Return the problem of a user that processes and tasks must not run as."""
    if not user or not user.strip() or user.lower() in map(str.lower, _USERS):
        return []
    allowed = ", ".join(f"'{name}'" for name in _USERS)
    return [f"user invalid (requested user '{user}' not allowed, permitted users are: {allowed})"]
