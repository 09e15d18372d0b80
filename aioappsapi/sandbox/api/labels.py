"""Labels and annotations: checks of their names and values, and label selectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from aioappsapi.sandbox.api import ruby
from aioappsapi.sandbox.api.outages import UnknownError
from aioappsapi.sandbox.world.json_types import Json, JsonValue

Predicate = Callable[[dict[str, str]], bool]

NO_SELECTOR: Final = "Invalid label_selector value"
_RESERVED: Final = "cloudfoundry.org"
_LONGEST: Final = 63
_LONGEST_PREFIX: Final = 253
_LONGEST_ANNOTATION: Final = 5000
_MOST_REQUIREMENTS: Final = 50
_CHARACTERS: Final = re.compile(r"[A-Za-z0-9_.-]+")
_ENDS: Final = re.compile(r"[A-Za-z0-9](?:.*[A-Za-z0-9])?")
_PART: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
DOMAIN: Final = re.compile(rf"(?:{_PART}\.)+{_PART}")
_REQUIREMENT: Final = re.compile(r"(?:\(.*?\)|[^,])+")
_KEY: Final = r"([A-Za-z0-9_./-]+)"
_FORMS: Final = (
    (re.compile(r"(.*?) in \((.*)\)"), False),
    (re.compile(r"(.*?) notin \((.*)\)"), True),
    (re.compile(rf"{_KEY}==?(.*)"), False),
    (re.compile(rf"{_KEY}!=(.*)"), True),
)
_EXISTS: Final = re.compile(rf"(!?){_KEY}")


def metadata_problems(fields: Json) -> list[str]:
    """Return the problems of labels and annotations."""
    metadata = fields.get("metadata", {})
    if not isinstance(metadata, dict):
        return ["Metadata must be an object"]
    unknown = " ".join(f"'{name}'" for name in metadata if name not in ("labels", "annotations"))
    problems = [f"has unexpected field(s): {unknown}"] if unknown else []
    for kind, check in (("labels", _label), ("annotations", _annotation)):
        given = metadata.get(kind)
        if isinstance(given, dict):
            problems += [one for pair in given.items() for one in check(*pair)]
        elif given is not None and given is not False:
            problems.append(f"'{kind}' is not an object")
    return [f"Metadata {problem}" for problem in problems]


def selected(selector: str) -> tuple[list[Predicate], list[str]]:
    """Return the conditions of a label selector, and its problems."""
    requirements = _REQUIREMENT.findall(selector)
    if not requirements:
        return [], ["Missing label_selector value"]
    if len(requirements) > _MOST_REQUIREMENTS:
        return [], [f"Too many label_selector requirements (maximum is {_MOST_REQUIREMENTS})"]
    found = list(map(_requirement, requirements))
    return (
        [one for one in found if not isinstance(one, str)],
        [one for one in found if isinstance(one, str)],
    )


def _requirement(text: str) -> Predicate | str:
    for form, negated in _FORMS:
        if match := form.fullmatch(text):
            key, values = match[1], match[2].split(",")
            problem = _key_problem(key) or next(filter(None, map(_value_problem, values)), "")
            return problem or _membership(key, frozenset(values), negated=negated)
    if match := _EXISTS.fullmatch(text):
        absent, key = bool(match[1]), match[2]
        return _key_problem(key) or (lambda labels: (key in labels) is not absent)
    return NO_SELECTOR


def _membership(key: str, values: frozenset[str], *, negated: bool) -> Predicate:
    # As in Kubernetes, "notin" also selects resources without the label.
    return lambda labels: (labels.get(key) in values) is not negated


def _label(key: str, value: JsonValue) -> Iterator[str]:
    if problem := _key_problem(key):
        yield f"label key error: {problem}"
    if problem := _value_problem(ruby.text(value)):
        yield f"label value error: {problem}"


def _annotation(key: str, value: JsonValue) -> Iterator[str]:
    if not ruby.blank(value) and (problem := _key_problem(key)):
        yield f"annotation key error: {problem}"
    if isinstance(value, bool | float):
        # The server falls over a value that has no size.
        raise UnknownError
    if not isinstance(value, int) and ruby.length(value) > _LONGEST_ANNOTATION:
        yield f"annotation value error: {_too_long(ruby.text(value), _LONGEST_ANNOTATION)}"


def _key_problem(key: str) -> str:
    prefix, slash, name = key.partition("/")
    if not key.strip():
        return "key cannot be empty string"
    if "/" in name:
        return "key has more than one '/'"
    if slash and not DOMAIN.fullmatch(prefix):
        return f"prefix '{prefix}' must be in valid dns format"
    if slash and len(prefix) > _LONGEST_PREFIX:
        return f"prefix {_too_long(prefix, _LONGEST_PREFIX)}"
    if prefix.lower() == _RESERVED and slash:
        return f"prefix '{_RESERVED}' is reserved"
    name = name if slash else key
    return _value_problem(name) if name.strip() else "key cannot be empty string"


def _value_problem(value: str) -> str:
    if not value:
        return ""
    if not _CHARACTERS.fullmatch(value):
        return f"'{value}' contains invalid characters"
    if not _ENDS.fullmatch(value):
        return f"'{value}' starts or ends with invalid characters"
    return _too_long(value, _LONGEST) if len(value) > _LONGEST else ""


def _too_long(text: str, longest: int) -> str:
    return f"'{text[:8]}...' is greater than {longest} characters"
