"""How the answer to a single operation is printed: for people, or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from aioappsapi.bulk.reports.text import printable
from aioappsapi.cli.summary import print_line
from aioappsapi.models.app import App

# What a join brought along is printed by the names that the library has for it.
_JOINED: Final = {"included_space": "space", "included_organization": "organization"}


def plain(value: object) -> object:
    """Give a value of the API as what JSON is made of."""
    made = msgspec.to_builtins(value)
    if isinstance(value, App):
        made.pop("included", None)  # is at its places already
        return {_JOINED.get(name, name): part for name, part in made.items()}
    return made


def print_json(console: Console, value: object) -> None:
    """Print a document on a line of its own."""
    console.file.write(msgspec.json.encode(plain(value)).decode() + "\n")


def print_card(console: Console, fields: Mapping[str, object]) -> None:
    """Print what is known of one thing, a line for each field."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        print_line(console, f"{name:<{width}}  {_text(value)}".rstrip())


def print_rows(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on a terminal, and bare lines with tabs for whatever else reads them."""
    if not console.is_terminal:
        for row in rows:
            console.file.write("\t".join(map(printable, row)) + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=name == "guid", overflow="fold")
    for row in rows:
        table.add_row(*map(_escaped, row))
    console.print(table, soft_wrap=False)


def _escaped(cell: str) -> str:
    return printable(cell).replace("[", r"\[")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, datetime) else msgspec.json.encode(value).decode()
