"""JSON schemas (draft 2020-12) of the files that this library writes.

They are generated from the Structs that write the files, and stored in the package, under
``aioappsapi/schemas``, for programs that are not written in Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final, get_args

import msgspec

from aioappsapi.bulk.reports.report_json import ReportRecord
from aioappsapi.bulk.run.journal import Head
from aioappsapi.bulk.run.lines import Line
from aioappsapi.bulk.windows.snapshot import Snapshot

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"

# The files by name, and the Structs of each. A journal has a document on each line.
DOCUMENTS: Final[Mapping[str, Sequence[type[msgspec.Struct]]]] = {
    "report": (ReportRecord,),
    "snapshot": (Snapshot,),
    "journal": (Head, *get_args(Line)),
}


def generate_schema(name: str) -> str:
    """Return the schema of a file, generated from the Structs of this version."""
    bodies, definitions = msgspec.json.schema_components(
        DOCUMENTS[name], schema_hook=_any_value, ref_template="#/$defs/{name}"
    )
    for kind in DOCUMENTS[name]:
        if kind.__struct_config__.array_like:
            _name_items(definitions[kind.__name__], kind)
    body = bodies[0] if len(bodies) == 1 else {"anyOf": [*bodies]}
    schema = {"$schema": _DRAFT, "title": name} | body | {"$defs": definitions}
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def _name_items(schema: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    """Name the items of an array: without that, only their order says what they are."""
    for item, name in zip(schema["prefixItems"], ("event", *kind.__struct_fields__), strict=True):
        item["title"] = name


def _any_value(cls: type) -> dict[str, object]:
    """Return the schema of the values of options, which allows any value."""
    del cls
    return {"description": "any JSON value"}


def stored_schema(name: str) -> str:
    """Return the stored schema of a file from the package."""
    path = files("aioappsapi").joinpath("schemas", f"{name}.json")
    return path.read_text(encoding="utf-8")
