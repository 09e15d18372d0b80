"""JSON values in the server's language, Ruby: as text, their length, and blank or not."""

from __future__ import annotations

import re
from typing import Final

from aioappsapi.sandbox.api.answer import json_text
from aioappsapi.sandbox.world.json_types import JsonValue

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*[?!]?")
_WORDS: Final = {None: "nil", True: "true", False: "false"}


def text(value: JsonValue) -> str:
    """Return a value as it stands in a message; null is nothing, and a text has no quotes."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _inspected(value)


def length(value: JsonValue) -> int:
    """Return the length that limits are compared with: a list's and an object's are their own."""
    return len(value if isinstance(value, (list, dict)) else text(value))


def blank(value: JsonValue) -> bool:
    """Whether a value counts as missing: 0 does not, and a text of spaces does."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value is False or value == [] or value == {}


def _inspected(value: JsonValue) -> str:
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, str):
        return json_text(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_inspected, value))}]"
    if isinstance(value, dict):
        pairs = (f"{_symbol(key)}=>{_inspected(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    return str(value)


def _symbol(key: str) -> str:
    return f":{key}" if _PLAIN_KEY.fullmatch(key) else f":{json_text(key)}"
