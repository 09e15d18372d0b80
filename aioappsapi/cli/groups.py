"""Groups of options that several commands share.

Typer makes options out of the parameters of one function, so commands with the same options would
repeat them all. Here a group is a Struct, a command takes whole groups, and typer sees the fields.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import TypeVar, get_type_hints

import msgspec

R = TypeVar("R")


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Options that belong together; the fields are annotated as typer's parameters are."""


def spread(command: Callable[..., R]) -> Callable[..., R]:
    """Let a command that takes groups be one that takes the fields of all of them."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if _is_group(kind)}

    def spread_out(**typed: object) -> R:
        made = {
            name: group(**{field: typed.pop(field) for field in group.__struct_fields__})
            for name, group in groups.items()
        }
        return command(**typed, **made)

    parameters = list(_parameters(command, hints))
    spread_out.__name__, spread_out.__doc__ = command.__name__, command.__doc__
    spread_out.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    spread_out.__annotations__ = {one.name: one.annotation for one in parameters}
    return spread_out


def _is_group(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Group)


def _parameters(
    command: Callable[..., object], hints: dict[str, type]
) -> Iterator[inspect.Parameter]:
    for name, parameter in inspect.signature(command).parameters.items():
        kind = hints[name]
        if not _is_group(kind):
            yield _parameter(name, parameter.default, kind)
            continue
        for field in msgspec.structs.fields(kind):
            plain = field.default_factory is msgspec.NODEFAULT
            yield _parameter(field.name, field.default if plain else [], field.type)


def _parameter(name: str, default: object, annotation: object) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )
