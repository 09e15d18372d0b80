"""Bodies of apps, checked in the API's own words; every complaint comes at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from . import answer as say
from .answer import json_text
from .labels import metadata_problems
from .state import World

_LIFECYCLES: Final = ("buildpack", "docker", "cnb")
_CREATE: Final = ("name", "relationships", "lifecycle", "environment_variables", "metadata")
_UPDATE: Final = ("name", "lifecycle", "metadata")
_CREDENTIALS: Final = re.compile(r"://[^/@]*@")


def refuse(problems: Iterable[str]) -> None:
    """Raise ApiError 422 with all the complaints in one sentence, if there are any."""
    detail = ", ".join(problems)
    if detail:
        raise say.unprocessable(detail)


def unknown_fields(fields: dict[str, Any], known: Iterable[str]) -> list[str]:
    """Complain about members that the message does not have."""
    unknown = ", ".join(f"'{name}'" for name in fields if name not in set(known))
    return [f"Unknown field(s): {unknown}"] if unknown else []


def check_creation(fields: dict[str, Any]) -> None:
    """Refuse a body that is no new app."""
    problems = metadata_problems(fields) + unknown_fields(fields, _CREATE)
    problems += _relationships(fields.get("relationships"))
    problems += _lifecycle_type(fields)
    problems += _name(fields.get("name"), nullable=False)
    if not isinstance(fields.get("environment_variables", {}), dict | None):
        problems.append("Environment variables must be an object")
    refuse(problems + _lifecycle_data(fields))


def check_update(fields: dict[str, Any]) -> None:
    """Refuse a body that is no change of an app."""
    problems = metadata_problems(fields) + unknown_fields(fields, _UPDATE)
    problems += _lifecycle_type(fields)
    if "name" in fields:
        problems += _name(fields["name"], nullable=True)
    refuse(problems + _lifecycle_data(fields))


def check_name_given(name: object) -> None:
    """Refuse an app without a name."""
    if not name:
        raise say.unprocessable("name presence, name format")


def check_lifecycle(world: World, fields: dict[str, Any]) -> None:
    """Refuse a stack and buildpacks that do not exist."""
    data = (fields.get("lifecycle") or {}).get("data") or {}
    stack = data.get("stack")
    if stack is not None and stack not in world.stacks:
        raise say.unprocessable("Stack must be an existing stack")
    for name in data.get("buildpacks") or []:
        if name not in world.buildpacks and "://" not in str(name):
            shown = stack or "cflinuxfs4"
            raise say.unprocessable(
                f'Buildpack "{name}" for stack "{shown}" must be an existing admin buildpack '
                "or a valid git URI"
            )


def check_environment(variables: dict[str, Any]) -> None:
    """Refuse names of variables that the platform sets itself, as a creation is told."""
    for problem in forbidden_names(variables):
        raise say.unprocessable(f'environment_variables {{:message=>"{problem}"}}')


def check_variables(fields: dict[str, Any]) -> None:
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


def forbidden_names(variables: dict[str, Any]) -> list[str]:
    """Complain about names of variables."""
    problems = []
    if "" in variables:
        problems.append("key must be a minimum length of 1")
    if any(name.upper().startswith("VCAP_") for name in variables):
        problems.append("cannot start with VCAP_")
    if any(name.upper() == "PORT" for name in variables):
        problems.append("cannot set PORT")
    return problems


def merge_metadata(
    fields: dict[str, Any], labels: dict[str, str], annotations: dict[str, str]
) -> None:
    """Change labels and annotations as the body says; null takes one away."""
    metadata = fields.get("metadata") or {}
    for kept, given in (
        (labels, metadata.get("labels")),
        (annotations, metadata.get("annotations")),
    ):
        merge(kept, given or {})


def merge(kept: dict[str, Any], given: dict[str, Any]) -> None:
    """Add the members given; null takes one away."""
    for name, value in given.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value


def masked(buildpacks: Iterable[str]) -> list[str]:
    """Hide the credentials in the addresses of buildpacks."""
    return [_CREDENTIALS.sub("://***:***@", str(name)) for name in buildpacks]


def _relationships(given: object) -> list[str]:
    if not isinstance(given, dict):
        return ["Relationships 'relationships' is not an object"]
    if not given:
        return ["Relationships 'relationships' must include one or more valid relationships"]
    return [f"Relationships {problem}" for problem in unknown_fields(given, ("space",))]


def _lifecycle_type(fields: dict[str, Any]) -> list[str]:
    lifecycle = fields.get("lifecycle")
    if isinstance(lifecycle, dict) and lifecycle.get("type") not in (None, *_LIFECYCLES):
        kinds = ", ".join(_LIFECYCLES)
        return [f"Lifecycle type is not included in the list: {kinds}"]
    return []


def _lifecycle_data(fields: dict[str, Any]) -> list[str]:
    lifecycle = fields.get("lifecycle")
    if lifecycle is None:
        return []
    data = lifecycle.get("data") if isinstance(lifecycle, dict) else None
    if not isinstance(data, dict):
        return ["Lifecycle data must be an object"]
    known = () if lifecycle.get("type") == "docker" else ("buildpacks", "stack", "credentials")
    problems = unknown_fields(data, known)
    if not isinstance(data.get("buildpacks"), list | None):
        problems.append("Buildpacks must be an array")
    if not isinstance(data.get("stack"), str | None):
        problems.append("Stack must be a string")
    return [f"Lifecycle {problem}" for problem in problems]


def _name(name: object, *, nullable: bool) -> list[str]:
    if name is None and nullable:
        return []
    if not isinstance(name, str):
        return ["Name must be a string"]
    return ["Name is too long (maximum is 255 characters)"] if len(name) > 255 else []
