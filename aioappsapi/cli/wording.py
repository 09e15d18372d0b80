"""Typed options as those of the library, and its refusals in the words that were typed."""

from __future__ import annotations

import re
from typing import Final

from aioappsapi.bulk.options import Options
from aioappsapi.cli.options import Course, Waiting

# What the library calls in another way than the command line, or what only some commands have.
_CALLED: Final = {"lifecycle_type": "lifecycle", "include": "include", "force": "force"}
_TYPED: Final = {name: name.replace("_", "-") for name in Options.__struct_fields__} | _CALLED
# Only where the library speaks of an argument, never in what it quotes.
_ARGUMENT: Final = re.compile(rf"(^|give )({'|'.join(_TYPED)})=('?)([^\s',:]+)\3")


def run_options(waiting: Waiting, course: Course) -> Options:
    """Make the options of a run. Raises InvalidInputError for what does not go together."""
    return Options(
        wait=waiting.wait,
        startup_timeout=waiting.startup_timeout,
        crash_grace=waiting.crash_grace,
        max_starting=waiting.max_starting,
        max_starting_mb=waiting.max_starting_mb,
        concurrency=course.concurrency,
        deadline=course.deadline,
        max_failures=_count_or_share(course.max_failures),
        skip_unchanged=not course.no_skip_unchanged,
    )


def _count_or_share(value: float | None) -> int | float | None:
    return int(value) if value is not None and value.is_integer() else value


def as_typed(message: str) -> str:
    """Say ``--wait all`` where the library says ``wait='all'``."""
    return _ARGUMENT.sub(_typed, message)


def _typed(found: re.Match[str]) -> str:
    before, name, _, value = found.groups()
    return f"{before}--{_TYPED[name]}" + ("" if value == "True" else f" {value}")
