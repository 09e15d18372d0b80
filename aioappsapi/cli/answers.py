"""Output of a single operation: for people, or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from rich.table import Table
from rich.text import Text

from aioappsapi import App
from aioappsapi.bulk.reports.text import printable
from aioappsapi.cli.console import out, print_lines, print_out, write_out

# Included resources are printed by the names that the library has for them.
_INCLUDED: Final = {"included_space": "space", "included_organization": "organization"}


def plain(value: object) -> object:
    """Return a value of the API as builtin types for JSON."""
    made = msgspec.to_builtins(value)
    if isinstance(value, App):
        made.pop("included", None)  # its parts are printed separately
        return {_INCLUDED.get(name, name): part for name, part in made.items()}
    return made


def print_json(value: object) -> None:
    """Print a document on a line of its own. Raises StdoutError."""
    write_out(msgspec.json.encode(plain(value)).decode() + "\n")


def print_card(fields: Mapping[str, object]) -> None:
    """Print one resource, a line for each field. Raises StdoutError."""
    width = max(map(len, fields), default=0)
    print_lines(f"{name:<{width}}  {_text(value)}".rstrip() for name, value in fields.items())


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on a terminal, and bare lines with tabs for programs. Raises StdoutError."""
    if not out.is_terminal:
        for row in rows:
            write_out("\t".join(map(printable, row)) + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=name == "guid", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    print_out(table)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, datetime) else msgspec.json.encode(value).decode()
