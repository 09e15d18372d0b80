"""JSON schemas (draft 2020-12) of the files that this library writes.

They are generated from the Structs that write the files, and stored in the package, under
``aioappsapi/schemas``, for programs that are not written in Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import msgspec

from aioappsapi.bulk.reports.report_json import ReportRecord
from aioappsapi.bulk.windows.snapshot import Snapshot

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"

# The files by name, and the Struct of each.
DOCUMENTS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "report": ReportRecord,
    "snapshot": Snapshot,
}


def generate_schema(name: str) -> str:
    """Return the schema of a file as the Structs of this version have it."""
    (body,), definitions = msgspec.json.schema_components(
        [DOCUMENTS[name]], schema_hook=_any_value, ref_template="#/$defs/{name}"
    )
    schema = {"$schema": _DRAFT, "title": name} | body | {"$defs": definitions}
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def _any_value(cls: type) -> dict[str, object]:
    """Return the schema of the values of options, which can be anything."""
    del cls
    return {"description": "any JSON value"}


def stored_schema(name: str) -> str:
    """Return the schema of a file as it is stored in the package."""
    path = files("aioappsapi").joinpath("schemas", f"{name}.json")
    return path.read_text(encoding="utf-8")
