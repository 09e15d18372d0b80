"""Lifecycles (buildpack, docker, cnb) in the bodies of apps and builds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from aioappsapi.sandbox.api import ruby, validation
from aioappsapi.sandbox.api.outages import UnknownError
from aioappsapi.sandbox.world.json_types import Json, JsonValue
from aioappsapi.sandbox.world.model import STACK, App
from aioappsapi.sandbox.world.state import World

BUILDPACK: Final = "buildpack"
DOCKER: Final = "docker"
CNB: Final = "cnb"
_KINDS: Final = (BUILDPACK, DOCKER, CNB)
_LONGEST: Final = 4096
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_SSH: Final = re.compile(r"(?:ssh://)?git@.+?:.+?\.git")


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The lifecycle in a body; a member that the body does not have is None."""

    kind: str
    buildpacks: list[str] | None = None
    stack: str | None = None
    sets_stack: bool = False
    credentials: Json | None = None

    def data(self, *, masked: bool = True) -> Json:
        """Return the members as resources show them."""
        if self.kind == DOCKER:
            return {}
        names = self.buildpacks or []
        shown = validation.masked(names) if masked else names
        return {"buildpacks": shown, "stack": self.stack}


def lifecycle_of(fields: Json, default: str) -> Lifecycle:
    """Return the lifecycle in a checked body. Raises UnknownError like the server."""
    given = fields.get("lifecycle")
    kind = (given.get("type") if isinstance(given, dict) else None) or default
    data = given.get("data") if isinstance(given, dict) else None
    if not isinstance(data, dict) or kind == DOCKER:
        return Lifecycle(kind)
    buildpacks = data.get("buildpacks")
    if "buildpacks" in data and buildpacks is None:
        buildpacks = []
    if buildpacks is not None and not isinstance(buildpacks, list):
        raise UnknownError
    return Lifecycle(kind, buildpacks, data.get("stack"), "stack" in data, data.get("credentials"))


def check_lifecycle(world: World, wanted: Lifecycle) -> None:
    """Refuse a stack and buildpacks that do not exist."""
    if wanted.kind == DOCKER:
        return
    stack = STACK if wanted.stack is None else wanted.stack
    known = stack in world.stacks
    place = f' for stack "{stack}"' if known else ""
    problems = [
        f'Buildpack "{name}"{place} must be an existing admin buildpack or a valid git URI'
        for name in wanted.buildpacks or ()
        if not _is_buildpack(world, str(name))
    ]
    validation.refuse(problems if known else [*problems, "Stack must be an existing stack"])


def _is_buildpack(world: World, name: str) -> bool:
    return name in world.buildpacks or bool(_URI.fullmatch(name) or _SSH.fullmatch(name))


# Problems of a lifecycle in a body.


def lifecycle_problems(fields: Json, *, needs_type: bool) -> list[str]:
    """Return the problems of the type and the data of a given lifecycle.

    For a new app the data is checked only if there is a type (`needs_type`).
    """
    given = fields.get("lifecycle")
    kind = given.get("type") if isinstance(given, dict) else None
    if "lifecycle" not in fields or (needs_type and ruby.blank(kind)):
        return []
    if validation.given(kind) and kind not in _KINDS:
        return [f"Lifecycle type is not included in the list: {', '.join(_KINDS)}"]
    data = given.get("data") if isinstance(given, dict) else None
    if not isinstance(data, dict):
        return []
    problems = validation.unknown_fields(data, ()) if kind == DOCKER else _data_problems(data)
    return [f"Lifecycle {problem}" for problem in problems]


def lifecycle_shape_problems(fields: Json, *, needs_type: bool = False) -> list[str]:
    """Return the problems of a lifecycle whose type is not a text, or which has no data."""
    if "lifecycle" not in fields:
        return []
    given = fields["lifecycle"]
    kind, data = (given.get(name) if isinstance(given, dict) else None for name in ("type", "data"))
    untyped = not isinstance(kind, str) and (needs_type or not ruby.blank(kind))
    problems = ["Lifecycle type must be a string"] if untyped else []
    return problems if isinstance(data, dict) else [*problems, "Lifecycle data must be an object"]


def _data_problems(data: Json) -> list[str]:
    problems = validation.unknown_fields(data, ("buildpacks", "stack", "credentials"))
    stack, buildpacks, credentials = (
        data.get(name) for name in ("stack", "buildpacks", "credentials")
    )
    if stack is not None:
        problems += _stack_problems(stack)
    if not isinstance(buildpacks, list | None):
        problems.append("Buildpacks must be an array")
    if not isinstance(credentials, dict | None):
        problems.append("Credentials must be an object")
    problems += _name_problems(buildpacks if isinstance(buildpacks, list) else [])
    values = credentials.values() if isinstance(credentials, dict) else ()
    if not all(isinstance(value, dict) for value in values):
        problems.append("Credentials credentials value must be a hash")
    return problems


def _stack_problems(stack: JsonValue) -> list[str]:
    problems = [] if isinstance(stack, str) else ["Stack must be a string"]
    if not 1 <= ruby.length(stack) <= _LONGEST:
        problems.append(f"Stack must be between 1 and {_LONGEST} characters")
    return problems


def _name_problems(names: list[JsonValue]) -> list[str]:
    problems = []
    if not all(isinstance(name, str) for name in names):
        problems.append("Buildpacks can only contain strings")
    if not all(name.strip() and len(name) <= _LONGEST for name in names if isinstance(name, str)):
        problems.append(f"Buildpacks entries must be between 1 and {_LONGEST} characters")
    return problems


def app_lifecycle(app: App) -> Lifecycle:
    """Return the present lifecycle of an app."""
    return Lifecycle(app.lifecycle, app.buildpacks, app.stack)
