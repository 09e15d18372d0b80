"""Checks of new roles, with the error texts of the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi.sandbox.api import ruby, validation
from aioappsapi.sandbox.api.relationships import (
    labelled,
    required_problems,
    shape_problems,
    to_one_problems,
)
from aioappsapi.sandbox.world.json_types import Json, JsonValue

TYPES: Final = (
    "organization_auditor",
    "organization_manager",
    "organization_billing_manager",
    "organization_user",
    "space_auditor",
    "space_manager",
    "space_developer",
    "space_supporter",
)
_NOT_WITH_GUID: Final = "cannot be specified when identifying user by guid"


def new_role_problems(fields: Json) -> list[str]:
    """Return the problems of the body of a new role."""
    links, kind = fields.get("relationships"), fields.get("type")
    problems = validation.unknown_fields(fields, ("type", "relationships"))
    problems += shape_problems(links)
    if isinstance(links, dict) and links:
        problems += labelled(_relation_problems(kind, links))
    if kind not in TYPES:
        problems.append(f"Type must be one of the allowed types {_quoted(TYPES)}")
    return problems


def _relation_problems(kind: JsonValue, links: Json) -> list[str]:
    problems = validation.unknown_fields(links, ("space", "user", "organization"))
    user = _data(links, "user")
    problems += ["User can't be blank"] if ruby.blank(links.get("user")) else []
    wrong_user = _user_problems(user if isinstance(user, dict) else {})
    wrong_place = _place_problems(kind, links)
    problems += wrong_user + wrong_place
    if not wrong_place and links.get("organization") is None:
        problems += required_problems("space", links.get("space"))
    if not wrong_place and links.get("space") is None:
        problems += required_problems("organization", links.get("organization"))
    if isinstance(user, dict) and not wrong_user:
        problems += _identity_problems(links["user"], user)
    return problems


def _user_problems(user: Json) -> list[str]:
    problems = []
    if "guid" in user and "username" in user:
        problems.append(f"Username {_NOT_WITH_GUID}")
    if "guid" in user and "origin" in user:
        problems.append(f"User origin {_NOT_WITH_GUID}")
    if "username" not in user and "origin" in user:
        problems.append("User origin cannot be specified without specifying the username")
    if "username" not in user and "guid" not in user:
        problems.append("User must have a username or guid specified")
    return problems


def _identity_problems(relation: JsonValue, user: Json) -> list[str]:
    problems = to_one_problems("user", relation) if "guid" in user else []
    if "username" in user and not isinstance(user["username"], str):
        problems.append("Username must be a string")
    elif not isinstance(user.get("origin"), str | None):
        problems.append("User origin must be a string")
    return problems


def _place_problems(kind: JsonValue, links: Json) -> list[str]:
    space, organization = (
        validation.given(_data(links, name)) for name in ("space", "organization")
    )
    problems = []
    if _data(links, "space") is None and _data(links, "organization") is None:
        problems.append("must specify either a space or an organization.")
    if space and kind in TYPES[:4]:
        problems.append(f"Space cannot be provided with the organization role type: '{kind}'.")
    if organization and kind in TYPES[4:]:
        problems.append(f"Organization cannot be provided with the space role type: '{kind}'.")
    if space and organization:
        problems.append("cannot specify both an organization and a space.")
    return problems


def _data(links: Json, name: str) -> JsonValue:
    relation = links.get(name)
    return relation.get("data") if isinstance(relation, dict) else None


def _quoted(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
