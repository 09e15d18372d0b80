"""Options as arguments, for commands that this program runs or suggests."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, get_type_hints

from cyclopts import Parameter

from aioappsapi.cli.wording import in_words

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def command(*words: object) -> str:
    """Write a command of this program so that it can be pasted into a shell."""
    return shlex.join(["aioappsapi", *map(str, words)])


def option_words(flags: DataclassInstance) -> Iterator[str]:
    """Yield the options of a group that differ from their defaults."""
    hints = get_type_hints(type(flags), include_extras=True)
    for field in fields(flags):
        value = getattr(flags, field.name)
        if value == field.default:
            continue
        name, unit = _name_and_unit(field.name, hints[field.name])
        if value is True:
            yield name
            continue
        for one in value if isinstance(value, tuple) else (value,):
            yield from (name, in_words(one) if unit == "TIME" else str(one))


def _name_and_unit(field: str, hint: object) -> tuple[str, object]:
    parameters = [one for one in getattr(hint, "__metadata__", ()) if isinstance(one, Parameter)]
    names = [name for one in parameters for name in one.name or ()]
    units = [one.metavar for one in parameters if one.metavar is not None]
    return names[0] if names else f"--{field.replace('_', '-')}", units[-1] if units else None
