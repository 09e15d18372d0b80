"""Checks of new service instances and bindings, with the error texts of the server.

The server checks a body twice: first what all kinds have in common, then what its kind adds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from aioappsapi.sandbox.api import ruby, validation
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.relationships import labelled, required_problems, shape_problems
from aioappsapi.sandbox.world.json_types import Json, JsonValue

_INSTANCE: Final = ("type", "relationships", "name", "tags", "metadata")
_MANAGED: Final = (*_INSTANCE, "parameters")
_USER_PROVIDED: Final = (*_INSTANCE, "credentials", "syslog_drain_url", "route_service_url")
_BINDING: Final = ("type", "strategy", "name", "relationships", "parameters", "metadata")
_OF_KEY: Final = ("service_instance",)
_KINDS: Final = ("managed", "user-provided")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")


def new_instance_problems(fields: Json) -> Iterator[list[str]]:
    """Yield the problems of the body of a new service instance, check by check."""
    yield _instance_problems(fields, ("space",))
    if fields["type"] == "managed":
        yield _managed_problems(fields)
    else:
        yield _user_provided_problems(fields)


def _instance_problems(
    fields: Json, needed: tuple[str, ...], known: tuple[str, ...] | None = None
) -> list[str]:
    problems = metadata_problems(fields) + _relation_problems(fields, needed, known)
    if fields.get("type") not in _KINDS:
        problems.append("Type must be one of 'managed', 'user-provided'")
    name = fields.get("name")
    problems += [] if isinstance(name, str) else ["Name must be a string"]
    problems += ["Name can't be blank"] if ruby.blank(name) else []
    tags = fields.get("tags")
    if not ruby.blank(tags) and not isinstance(tags, list):
        problems.append("Tags must be an array")
    elif isinstance(tags, list) and not all(isinstance(tag, str) for tag in tags):
        problems.append("Tags must be a list of strings")
    return problems


def _managed_problems(fields: Json) -> list[str]:
    needed = ("space", "service_plan")
    problems = _instance_problems(fields, needed, needed)
    problems += validation.unknown_fields(fields, _MANAGED)
    return problems + _parameter_problems(fields)


def _user_provided_problems(fields: Json) -> list[str]:
    needed = ("space",)
    problems = _instance_problems(fields, needed, needed)
    problems += validation.unknown_fields(fields, _USER_PROVIDED)
    # This kind has its relationships checked once more.
    problems += _relation_problems(fields, needed, needed)
    credentials, route = fields.get("credentials"), fields.get("route_service_url")
    if not ruby.blank(credentials) and not isinstance(credentials, dict):
        problems.append("Credentials must be an object")
    for name in ("syslog_drain_url", "route_service_url"):
        address = fields.get(name)
        if not ruby.blank(address) and not _is_uri(address):
            label = name.capitalize().replace("_", " ")
            problems.append(f"{label} must be a valid URI")
    if isinstance(route, str) and route.strip() and not route.startswith("https:"):
        problems.append("Route service url must be https")
    return problems


def new_binding_problems(fields: Json) -> Iterator[list[str]]:
    """Yield the problems of the body of a new service credential binding, check by check."""
    yield _binding_problems(fields, _OF_KEY)
    if fields["type"] == "app":
        needed = ("service_instance", "app")
        strategy = fields.get("strategy")
        wrong = strategy is not None and strategy not in ("single", "multiple")
        problems = ["Strategy must be 'single' or 'multiple'"] if wrong else []
        yield _binding_problems(fields, needed, needed) + problems
    else:
        name = fields.get("name")
        problems = [] if isinstance(name, str) else ["Name must be a string"]
        problems += ["Name can't be blank"] if ruby.blank(name) else []
        yield _binding_problems(fields, _OF_KEY, _OF_KEY) + problems


def _binding_problems(
    fields: Json, needed: tuple[str, ...], known: tuple[str, ...] | None = None
) -> list[str]:
    problems = metadata_problems(fields) + validation.unknown_fields(fields, _BINDING)
    problems += _relation_problems(fields, needed, known) + _parameter_problems(fields)
    if fields.get("type") not in ("app", "key"):
        problems.append("Type must be 'app' or 'key'")
    return problems


def _relation_problems(
    fields: Json, needed: tuple[str, ...], known: tuple[str, ...] | None
) -> list[str]:
    links = fields.get("relationships")
    problems = shape_problems(links)
    if problems or not isinstance(links, dict):
        return problems
    first, *rest = needed
    problems = required_problems(first, links.get(first))
    problems += validation.unknown_fields(links, known) if known is not None else []
    return labelled(
        problems + [one for name in rest for one in required_problems(name, links.get(name))]
    )


def _parameter_problems(fields: Json) -> list[str]:
    fine = isinstance(fields.get("parameters"), dict | None)
    return [] if fine else ["Parameters must be an object"]


def _is_uri(value: JsonValue) -> bool:
    return isinstance(value, str) and _URI.fullmatch(value) is not None
