"""Checks of bodies, with the error texts of the API; all problems are reported at once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from aioappsapi.sandbox.api import errors, ruby
from aioappsapi.sandbox.api.answer import json_text
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.outages import UnknownError
from aioappsapi.sandbox.world.json_types import Json, JsonValue

LEADING_DIGITS: Final = re.compile(r"[+-]?[0-9]+")
URI_PATH: Final = re.compile(r"/(?:[^\s/]\S*)?")
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_NUMBER: Final = re.compile(r"[+-]?[0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?", re.IGNORECASE)
_MOST_METADATA: Final = {"label": 50, "annotation": 200}
_CREDENTIALS: Final = re.compile(r"://[^/@]*@")


def refuse(problems: Iterable[str]) -> None:
    """Raise ApiError 422 with all problems in one sentence, if there are any."""
    detail = ", ".join(problems)
    if detail:
        raise errors.unprocessable(detail)


def given(value: JsonValue) -> bool:
    """Check whether a member is truthy in the server's language, Ruby: neither null nor false."""
    return value is not None and value is not False


def unknown_fields(fields: Json, known: Iterable[str]) -> list[str]:
    """Return the problem of members that the message does not have."""
    unknown = ", ".join(f"'{name}'" for name in fields if name not in set(known))
    return [f"Unknown field(s): {unknown}"] if unknown else []


def app_name_problems(name: str) -> list[str]:
    """Return the problems of an app's name, without the spaces around it."""
    if not name:
        return ["name presence", "name format"]
    return [] if printable(name) else ["name format"]


def printable(text: str) -> bool:
    """Whether a text has no control characters, such as the end of a line."""
    return not any(unicodedata.category(one) in ("Cc", "Zl", "Zp") for one in text)


def environment_problems(variables: Json) -> list[str]:
    """Return the problems of the variable names of a new app."""
    return [
        f'environment_variables {{:message=>"{problem}"}}' for problem in forbidden_names(variables)
    ]


def check_variables(fields: Json) -> None:
    """Refuse a body that does not change environment variables."""
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
    """Return the problems of names of variables."""
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
    """Return the problem of a value that is not a whole number between the bounds.

    The server accepts null and "2" as numbers. `positive` selects its text for a value below 1.
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


def text_problems(label: str, text: JsonValue, longest: int) -> list[str]:
    """Return the problems of a text that may be missing, but not empty or too long."""
    if text is None:
        return []
    problems = [] if isinstance(text, str) else [f"{label} must be a string"]
    if not 1 <= ruby.length(text) <= longest:
        problems.append(f"{label} must be between 1 and {longest} characters")
    return problems


def presence_problems(label: str, text: JsonValue) -> list[str]:
    """Return the problems of a text that must be there and not only spaces."""
    problems = [f"{label} can't be blank"] if ruby.blank(text) else []
    return problems if isinstance(text, str) else [*problems, f"{label} must be a string"]


def guid_problems(label: str, value: JsonValue) -> list[str]:
    """Return the problem of a value that is not a text of 1 to 200 characters."""
    problems = [] if isinstance(value, str) else [f"{label} must be a string"]
    if not isinstance(value, str) or not 1 <= len(value) <= 200:
        problems.append(f"{label} must be between 1 and 200 characters")
    return problems


def check_only_metadata(fields: Json) -> None:
    """Refuse a body that changes more than labels and annotations, or these wrongly."""
    refuse(metadata_problems(fields) + unknown_fields(fields, ("metadata",)))


def merge_metadata(fields: Json, labels: dict[str, str], annotations: dict[str, str]) -> None:
    """Change labels and annotations as in the body; null removes an entry.

    Raises ApiError 422, with nothing changed, where there would be too many of them.
    """
    metadata = fields.get("metadata") or {}
    given = [metadata.get("labels") or {}, metadata.get("annotations") or {}]
    changed = [{**labels}, {**annotations}]
    for index, (kind, most) in enumerate(_MOST_METADATA.items()):
        before = len(changed[index])
        merge(changed[index], {name: stored_text(value) for name, value in given[index].items()})
        if len(changed[index]) > max(before, most):
            raise errors.metadata_limit_exceeded(kind, len(given[index]), most)
    for kept, new in zip((labels, annotations), changed, strict=True):
        kept.clear()
        kept.update(new)


def stored_text(value: JsonValue) -> str | None:
    """Return what a text column keeps of a value. The server fails for lists and objects."""
    if isinstance(value, list | dict):
        raise UnknownError
    return None if value is None else ruby.text(value)


def merge(kept: Json, given: Json) -> None:
    """Return the old members with the given changes; null removes a member."""
    for name, value in given.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value


def masked(buildpacks: Iterable[str]) -> list[str]:
    """Mask the credentials in the addresses of buildpacks."""
    return [_CREDENTIALS.sub("://***:***@", str(name)) for name in buildpacks]


def name_problems(name: JsonValue, *, nullable: bool) -> list[str]:
    """Return the problems of the name of an app."""
    if name is None and nullable:
        return []
    if not isinstance(name, str):
        return ["Name must be a string"]
    return ["Name is too long (maximum is 255 characters)"] if len(name) > 255 else []
