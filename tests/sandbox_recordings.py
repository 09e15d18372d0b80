"""The recorded exchanges of two real servers, for the comparison with the sandbox.

The first series lies in a file each, the second one in a compressed file. `unseen.txt` names those
of the second series that nobody looked at while the sandbox's rules were written.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

_HOST = re.compile(r"http://127\.0\.0\.\d(?::\d+)?(?=/|\")|http://127\.0\.0\.\d(?=$)")
HERE = "http://127.0.0.1"
RECORDINGS = Path(__file__).parent / "recordings"


@dataclass(frozen=True)
class Recording:
    """One exchange. Those of a `sequence` were made one after the other, `at` these seconds."""

    name: str
    server: str
    caller: str | None
    request: dict[str, Any]
    status: int
    headers: dict[str, str]
    text: str
    sequence: str | None = None
    at: float = 0.0
    seen: bool = True

    @property
    def method(self) -> str:
        return str(self.request["method"])

    @property
    def target(self) -> str:
        return str(self.request["target"])

    @property
    def parts(self) -> list[str]:
        """The path's parts."""
        return [part for part in self.target.partition("?")[0].split("/") if part]

    @property
    def category(self) -> str:
        return self.name.partition("__")[0]

    @cached_property
    def json(self) -> Any:
        """The answer as JSON, None if it is none."""
        return parsed(self.text)

    @cached_property
    def asked(self) -> Any:
        """What was sent as JSON, None if nothing was."""
        return parsed(str(self.request["body"] or ""))


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every object at any depth."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def made(row: dict[str, Any], server: str, unseen: Iterable[str] = ()) -> Recording:
    response = row["response"]
    return Recording(
        name=row["name"],
        server=server,
        caller=row["as"],
        request=row["request"],
        status=response["status"],
        headers={
            name.lower(): _HOST.sub("http://127.0.0.1", value)
            for name, value in response["headers"]
        },
        text=_HOST.sub(HERE, response["body"] or ""),
        sequence=row.get("sequence"),
        at=row.get("at_s") or 0.0,
        seen=row["name"] not in unseen,
    )


@cache
def recordings() -> list[Recording]:
    """All recordings of both series."""
    first = [json.loads(path.read_text()) for path in sorted(RECORDINGS.glob("*.json"))]
    unseen = frozenset((RECORDINGS / "unseen.txt").read_text().split())
    with lzma.open(RECORDINGS / "later.jsonl.xz", "rt") as lines:
        later = [json.loads(line) for line in lines]
    return [made(row, "first") for row in first] + [made(row, "second", unseen) for row in later]


def recordings_in(folder: Path, server: str) -> list[Recording]:
    """Other recordings, in a file each."""
    rows = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return [made(row, server) for row in rows]
