"""Bodies of apps, checked in the API's own words; every complaint comes at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ..world.json_types import Json
from ..world.state import World
from . import errors
from .answer import json_text
from .labels import metadata_problems

_LIFECYCLES: Final = ("buildpack", "docker", "cnb")
_CREATE: Final = ("name", "relationships", "lifecycle", "environment_variables", "metadata")
_UPDATE: Final = ("name", "lifecycle", "metadata")
_LONGEST: Final = 4096
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_NUMBER: Final = re.compile(r"[+-]?[0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?", re.IGNORECASE)
_CREDENTIALS: Final = re.compile(r"://[^/@]*@")


def refuse(problems: Iterable[str]) -> None:
    """Raise ApiError 422 with all the complaints in one sentence, if there are any."""
    detail = ", ".join(problems)
    if detail:
        raise errors.unprocessable(detail)


def unknown_fields(fields: Json, known: Iterable[str]) -> list[str]:
    """Complain about members that the message does not have."""
    unknown = ", ".join(f"'{name}'" for name in fields if name not in set(known))
    return [f"Unknown field(s): {unknown}"] if unknown else []


def check_creation(fields: Json) -> None:
    """Refuse a body that is no new app."""
    problems = metadata_problems(fields) + unknown_fields(fields, _CREATE)
    problems += relationship_problems(fields, "space")
    problems += _lifecycle(fields)
    problems += _name(fields.get("name"), nullable=False)
    if not isinstance(fields.get("environment_variables", {}), dict | None):
        problems.append("Environment variables must be an object")
    refuse(problems + _lifecycle_given(fields))


def check_update(fields: Json) -> None:
    """Refuse a body that is no change of an app."""
    problems = metadata_problems(fields) + unknown_fields(fields, _UPDATE)
    problems += _lifecycle(fields)
    if "name" in fields:
        problems += _name(fields["name"], nullable=True)
    refuse(problems + _lifecycle_given(fields))


def check_name_given(name: object) -> None:
    """Refuse an app without a name."""
    if not name:
        raise errors.unprocessable("name presence, name format")


def check_lifecycle(world: World, fields: Json) -> None:
    """Refuse a stack and buildpacks that do not exist."""
    data = (fields.get("lifecycle") or {}).get("data") or {}
    stack = data.get("stack")
    if stack is not None and stack not in world.stacks:
        raise errors.unprocessable("Stack must be an existing stack")
    for name in data.get("buildpacks") or []:
        if name not in world.buildpacks and "://" not in str(name):
            shown = stack or "cflinuxfs4"
            raise errors.unprocessable(
                f'Buildpack "{name}" for stack "{shown}" must be an existing admin buildpack '
                "or a valid git URI"
            )


def check_environment(variables: Json) -> None:
    """Refuse names of variables that the platform sets itself, as a creation is told."""
    for problem in forbidden_names(variables):
        raise errors.unprocessable(f'environment_variables {{:message=>"{problem}"}}')


def check_variables(fields: Json) -> None:
    """Refuse a body that is no change of environment variables."""
    problems = unknown_fields(fields, ("var",))
    variables = fields.get("var")
    if not isinstance(variables, dict):
        refuse([*problems, "Var must be an object"])
        return
    problems += [f"Var {problem}" for problem in forbidden_names(variables)]
    for name, value in variables.items():
        if value is not None and not isinstance(value, str):
            shown = json_text(value)
            problems.append(
                f"Non-string value in environment variable for key '{name}', value '{shown}'"
            )
    refuse(problems)


def forbidden_names(variables: Json) -> list[str]:
    """Complain about names of variables."""
    problems = []
    for name in map(str.upper, variables):
        if not name:
            problems.append("key must be a minimum length of 1")
        elif name.startswith("VCAP_"):
            problems.append("cannot start with VCAP_")
        elif name.startswith("VMC"):
            problems.append("cannot start with VMC_")
        elif name == "PORT":
            problems.append("cannot set PORT")
    return problems


def number_problems(
    name: str, value: object, least: int, most: int | None = None, *, positive: bool = False
) -> list[str]:
    """Complain about what is no whole number between the bounds; null is one, and so is "2".

    `positive` says it as the server does where 0 is too little.
    """
    label = name.replace("_", " ").capitalize()
    text = "" if isinstance(value, bool) else str(value)
    if value is None:
        return []
    if not _WHOLE.fullmatch(text):
        number = _NUMBER.fullmatch(text) is not None
        return [f"{label} must be an integer" if number else f"{label} is not a number"]
    if int(text) < least:
        bound = "greater than 0" if positive else f"greater than or equal to {least}"
        return [f"{label} must be {bound}"]
    if most is not None and int(text) > most:
        return [f"{label} must be less than or equal to {most}"]
    return []


def relationship_problems(fields: Json, name: str) -> list[str]:
    """Complain about the relationship that a new resource has to have."""
    given = fields.get("relationships")
    if not isinstance(given, dict):
        return ["Relationships 'relationships' is not an object"]
    if not given:
        return ["Relationships 'relationships' must include one or more valid relationships"]
    problems = unknown_fields(given, (name,)) + _to_one(name, given.get(name))
    return [f"Relationships {problem}" for problem in problems]


def _to_one(name: str, given: object) -> list[str]:
    label = name.capitalize()
    problems = [] if given else [f"{label} can't be blank"]
    data = given.get("data") if isinstance(given, dict) and [*given] == ["data"] else ""
    if data is None:
        return problems
    if not isinstance(data, dict) or [*data] != ["guid"]:
        shape = f'{name}: {{"data": {{"guid": "valid-guid"}}}}'
        return [*problems, f'{label} must be structured like this: "{shape}"']
    if not isinstance(data["guid"], str):
        problems.append(f"{label} guid must be a string")
    if not isinstance(data["guid"], str) or not 1 <= len(data["guid"]) <= 200:
        problems.append(f"{label} guid must be between 1 and 200 characters")
    return problems


def merge_metadata(fields: Json, labels: dict[str, str], annotations: dict[str, str]) -> None:
    """Change labels and annotations as the body says; null takes one away."""
    metadata = fields.get("metadata") or {}
    for kept, given in (
        (labels, metadata.get("labels")),
        (annotations, metadata.get("annotations")),
    ):
        merge(kept, given or {})


def merge(kept: Json, given: Json) -> None:
    """Add the members given; null takes one away."""
    for name, value in given.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value


def masked(buildpacks: Iterable[str]) -> list[str]:
    """Hide the credentials in the addresses of buildpacks."""
    return [_CREDENTIALS.sub("://***:***@", str(name)) for name in buildpacks]


def _lifecycle(fields: Json) -> list[str]:
    lifecycle = fields.get("lifecycle")
    if not isinstance(lifecycle, dict):
        return []
    kind = lifecycle.get("type")
    if kind not in (None, *_LIFECYCLES):
        kinds = ", ".join(_LIFECYCLES)
        return [f"Lifecycle type is not included in the list: {kinds}"]
    data = lifecycle.get("data")
    if not isinstance(data, dict):
        return []
    if kind == "docker":
        return [f"Lifecycle {problem}" for problem in unknown_fields(data, ())]
    return [f"Lifecycle {problem}" for problem in _lifecycle_data(data)]


def _lifecycle_data(data: Json) -> list[str]:
    problems = unknown_fields(data, ("buildpacks", "stack", "credentials"))
    stack, buildpacks = data.get("stack"), data.get("buildpacks")
    if not isinstance(stack, str | None):
        problems.append("Stack must be a string")
    elif stack is not None and not 1 <= len(stack) <= _LONGEST:
        problems.append(f"Stack must be between 1 and {_LONGEST} characters")
    if not isinstance(buildpacks, list | None):
        problems.append("Buildpacks must be an array")
    if not isinstance(data.get("credentials"), dict | None):
        problems.append("Credentials must be an object")
    names = buildpacks if isinstance(buildpacks, list) else []
    if not all(isinstance(name, str) for name in names):
        problems.append("Buildpacks can only contain strings")
    if not all(name.strip() and len(name) <= _LONGEST for name in names if isinstance(name, str)):
        problems.append(f"Buildpacks entries must be between 1 and {_LONGEST} characters")
    return problems


def _lifecycle_given(fields: Json) -> list[str]:
    lifecycle = fields.get("lifecycle", {"data": {}})
    data = lifecycle.get("data") if isinstance(lifecycle, dict) else None
    return [] if isinstance(data, dict) else ["Lifecycle data must be an object"]


def _name(name: object, *, nullable: bool) -> list[str]:
    if name is None and nullable:
        return []
    if not isinstance(name, str):
        return ["Name must be a string"]
    return ["Name is too long (maximum is 255 characters)"] if len(name) > 255 else []
