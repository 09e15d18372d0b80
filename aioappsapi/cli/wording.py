"""Errors of the library about its arguments, with the options as they were typed."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Final

from aioappsapi.cli.flags import JournalFlags, RunFlags, Selection, WaitFlags

_FLAGS: Final = [
    field.name for kind in (Selection, WaitFlags, RunFlags, JournalFlags) for field in fields(kind)
]
# Names that differ between the library and the command line, or that only some commands have.
_CALLED: Final = {"lifecycle_type": "lifecycle", "include": "include"}
_TYPED: Final = {name: name.replace("_", "-") for name in _FLAGS} | _CALLED
# Only in texts of the library about an argument, not in quoted values.
_ARGUMENT: Final = re.compile(rf"(^|give |and )({'|'.join(_TYPED)})=('?)([^\s',:]+)\3")
_QUOTED: Final = re.compile(rf"`({'|'.join(_TYPED)})`")


def as_typed(message: str) -> str:
    """Replace ``wait='all'`` of the library with ``--wait all``, and `wait` with ``--wait``."""
    return _QUOTED.sub(lambda found: f"--{_TYPED[found[1]]}", _ARGUMENT.sub(_typed, message))


def _typed(found: re.Match[str]) -> str:
    before, name, _, value = found.groups()
    return f"{before}--{_TYPED[name]}" + ("" if value == "True" else f" {value}")


def in_words(seconds: float) -> str:
    """Write a duration as it could be typed: ``90s`` as ``1m30s``, ``0.5`` as ``0.5s``."""
    if seconds < 60:
        return f"{seconds:.3g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)
