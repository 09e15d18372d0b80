"""Checks of new domains, with the error texts of the server."""

from __future__ import annotations

import re
from typing import Final

from aioappsapi.sandbox.api import ruby, validation
from aioappsapi.sandbox.api.labels import DOMAIN, metadata_problems
from aioappsapi.sandbox.api.relationships import (
    labelled,
    shape_problems,
    to_many_problems,
    to_one_problems,
)
from aioappsapi.sandbox.world.json_types import Json, JsonValue

_FIELDS: Final = (
    "name",
    "internal",
    "relationships",
    "router_group",
    "enforce_route_policies",
    "route_policies_scope",
    "metadata",
)
_RELATIONS: Final = ("organization", "shared_organizations")
_LETTERS: Final = re.compile(r"[A-Za-z0-9.-]*")
_SHORTEST: Final = 3
_LONGEST: Final = 253
_LONGEST_PART: Final = 63


def new_domain_problems(fields: Json) -> list[str]:
    """Return the problems of the body of a new domain."""
    problems = metadata_problems(fields) + validation.unknown_fields(fields, _FIELDS)
    if "relationships" in fields:
        problems += _relation_problems(fields["relationships"])
    problems += _name_problems(fields.get("name"))
    problems += _group_problems(fields.get("router_group")) + _exclusions(fields)
    if not isinstance(fields.get("internal"), bool | None):
        problems.append("Internal must be a boolean")
    return problems


def _name_problems(name: JsonValue) -> list[str]:
    text, size = ruby.text(name), ruby.length(name)
    problems = validation.presence_problems("Name", name)
    if size < _SHORTEST and not isinstance(name, bool):
        problems.append(f"Name is too short (minimum is {_SHORTEST} characters)")
    if size > _LONGEST:
        problems.append(f"Name is too long (maximum is {_LONGEST} characters)")
    if not DOMAIN.fullmatch(text):
        problems.append("Name does not comply with RFC 1035 standards")
    if "." not in text:
        problems.append('Name must contain at least one "."')
    if any(len(part) > _LONGEST_PART for part in text.split(".")):
        problems.append(f"Name subdomains must each be at most {_LONGEST_PART} characters")
    if not _LETTERS.fullmatch(text):
        problems.append("Name must consist of alphanumeric characters and hyphens")
    return problems


def _relation_problems(relations: JsonValue) -> list[str]:
    problems = shape_problems(relations)
    if problems or not isinstance(relations, dict):
        return problems
    owner, shared = (relations.get(name) for name in _RELATIONS)
    problems = validation.unknown_fields(relations, _RELATIONS)
    problems += [] if owner is None else to_one_problems("organization", owner)
    problems += [] if shared is None else to_many_problems("shared_organizations", shared)
    if "shared_organizations" in relations and "organization" not in relations:
        problems.append("cannot contain shared_organizations without an owning organization.")
    return labelled(problems)


def _group_problems(group: JsonValue) -> list[str]:
    if group is None:
        return []
    if not isinstance(group, dict):
        return ["Router group must be an object"]
    unknown = "', '".join(name for name in group if name != "guid")
    problems = [f"Router group Unknown field(s): '{unknown}'"] if unknown else []
    if not isinstance(group.get("guid"), str):
        problems.append("Router group guid must be a string")
    return problems


def _exclusions(fields: Json) -> list[str]:
    problems = []
    if fields.get("internal") is True and "relationships" in fields:
        problems.append("Cannot associate an internal domain with an organization")
    if fields.get("internal") is True and "router_group" in fields:
        problems.append("Internal domains cannot be associated to a router group.")
    if "relationships" in fields and "router_group" in fields:
        problems.append("Domains scoped to an organization cannot be associated to a router group.")
    return problems
