"""Checks of relationships in bodies, with the error texts of the server."""

from __future__ import annotations

from aioappsapi.sandbox.api import ruby
from aioappsapi.sandbox.api.outages import UnknownError
from aioappsapi.sandbox.api.validation import guid_problems, unknown_fields
from aioappsapi.sandbox.world.json_types import Json, JsonValue


def relationship_problems(fields: Json, *names: str) -> list[str]:
    """Return the problems of the relationships that a new resource needs: these and no others."""
    given = fields.get("relationships")
    problems = shape_problems(given)
    if problems or not isinstance(given, dict):
        return problems
    problems = unknown_fields(given, names)
    problems += [one for name in names for one in required_problems(name, given.get(name))]
    return labelled(problems)


def labelled(problems: list[str]) -> list[str]:
    """Return the problems of relationships as a body has them."""
    return [f"Relationships {problem}" for problem in problems]


def shape_problems(given: JsonValue) -> list[str]:
    """Return the problem of relationships that are not an object, or an empty one."""
    if not isinstance(given, dict):
        return ["Relationships 'relationships' is not an object"]
    if not given:
        return ["Relationships 'relationships' must include one or more valid relationships"]
    return []


def required_problems(name: str, given: JsonValue) -> list[str]:
    """Return the problems of a relationship to one resource that must be there."""
    problems = [f"{label(name)} can't be blank"] if ruby.blank(given) else []
    return problems + to_one_problems(name, given)


def to_one_problems(name: str, given: JsonValue) -> list[str]:
    """Return the problems of a relationship to one resource."""
    data = given.get("data") if isinstance(given, dict) and [*given] == ["data"] else ""
    if data is None:
        return []
    if not isinstance(data, dict) or [*data] != ["guid"]:
        shape = f'{name}: {{"data": {{"guid": "valid-guid"}}}}'
        return [f'{label(name)} must be structured like this: "{shape}"']
    return guid_problems(f"{label(name)} guid", data["guid"])


def to_many_problems(name: str, given: JsonValue) -> list[str]:
    """Return the problems of a relationship to several resources.

    The server falls over a list of anything but objects.
    """
    data = given.get("data") if isinstance(given, dict) else None
    if isinstance(data, list) and not all(isinstance(one, dict) for one in data):
        raise UnknownError
    if not isinstance(data, list) or not all([*one] == ["guid"] for one in data):
        shape = f'{name}: {{"data": [{{"guid": "valid-guid"}},{{"guid": "valid-guid"}}]}}'
        return [f'{label(name)} must be structured like this: "{shape}"']
    singular = f"{label(name).removesuffix('s')} guids"
    return [problem for one in data for problem in guid_problems(singular, one["guid"])]


def label(name: str) -> str:
    """Return a member's name as messages begin with it."""
    return name.capitalize().replace("_", " ")
