"""The types of JSON in the sandbox. It is checked on arrival and kept as plain dictionaries."""

from __future__ import annotations

from typing import Any, TypeAlias

JsonValue: TypeAlias = Any
Json: TypeAlias = dict[str, JsonValue]
