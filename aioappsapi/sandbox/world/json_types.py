"""JSON as the sandbox holds it: checked where it comes in, and plain dictionaries from there on."""

from __future__ import annotations

from typing import Any, TypeAlias

JsonValue: TypeAlias = Any
Json: TypeAlias = dict[str, JsonValue]
