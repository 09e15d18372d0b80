"""Facts about the resources of a server from its recordings, in all recorded versions."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox_recordings import Recording, walk

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OWN_LINK = re.compile(r"/v3/(\w+)/")
Row = dict[str, Any]
Path = tuple[Any, ...]


def kind_of(row: Row) -> str | None:
    """The kind of a resource, which its link to itself tells; None for what is no resource."""
    if "guid" not in row or "created_at" not in row:
        return None
    links = row.get("links")
    own = links.get("self") if isinstance(links, dict) else None
    found = _OWN_LINK.search(own["href"]) if isinstance(own, dict) else None
    if found is not None:
        return found[1]
    return "sidecars" if "process_types" in row and "origin" in row else None


@dataclass
class Evidence:
    """All rows of one server, by kind and GUID, with the recording that shows each."""

    rows: dict[str, dict[str, list[tuple[Recording, Row]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    answers: dict[str, list[Recording]] = field(default_factory=lambda: defaultdict(list))
    made: set[str] = field(default_factory=set)
    _ranked: dict[tuple[str, str], dict[str, list[tuple[Recording, Row]]]] = field(
        default_factory=dict
    )
    _shown: dict[tuple[str, Path], dict[str, set[str]]] = field(default_factory=dict)

    def take_in(self, recordings: Iterable[Recording]) -> None:
        for recording in recordings:
            if recording.method == "GET" and recording.status == 200:
                self.answers[recording.target].append(recording)
            if recording.method == "POST" and recording.status == 201:
                self.made.add(str((recording.json or {}).get("guid")))
            for row in walk(recording.json):
                kind = kind_of(row)
                if kind is not None:
                    self.rows[kind][row["guid"]].append((recording, row))

    def ranked(self, kind: str, category: str) -> dict[str, list[tuple[Recording, Row]]]:
        """The versions of each resource: those of recordings of this category last."""

        def rank(pair: tuple[Recording, Row]) -> tuple[bool, bool, str]:
            recording, row = pair
            same = recording.category == category
            return same, recording.method == "GET", str(row.get("updated_at"))

        if (kind, category) not in self._ranked:
            rows = self.rows.get(kind, {})
            self._ranked[kind, category] = {
                guid: sorted(pairs, key=rank) for guid, pairs in rows.items()
            }
        return self._ranked[kind, category]

    def shown(self, kind: str, path: Path) -> dict[str, set[str]]:
        """Every value at this place of any resource of the kind, and which recordings show it."""
        if (kind, path) not in self._shown:
            found = self._shown[kind, path] = defaultdict(set)
            for pairs in self.rows.get(kind, {}).values():
                for recording, row in pairs:
                    found[json.dumps(at(row, path))].add(recording.name)
        return self._shown[kind, path]

    def without(self, *hidden: Recording) -> Known:
        """What all recordings but these tell."""
        return Known(self, frozenset(one.name for one in hidden), hidden[0])


class Known:
    """What may be known before a request is asked: what the other recordings show."""

    def __init__(self, evidence: Evidence, hidden: frozenset[str], question: Recording) -> None:
        self._evidence = evidence
        self._hidden = hidden
        self._question = question

    def versions(self, kind: str, guid: str) -> list[Row]:
        """The versions of a resource: those of the same operation last, then the latest."""
        ranked = self._evidence.ranked(kind, self._question.category).get(guid, [])
        return [row for recording, row in ranked if recording.name not in self._hidden]

    def rows(self, kind: str) -> list[Row]:
        """The best known version of each resource of a kind, in the order of creation.

        What some recorded request made is there only if the question names it.
        """
        asked = self._question.target + str(self._question.request["body"])
        guids = self._evidence.rows.get(kind, {})
        there = [guid for guid in guids if guid not in self._evidence.made or guid in asked]
        found = [self.versions(kind, guid) for guid in there]
        best = [rows[-1] for rows in found if rows]
        return sorted(best, key=lambda row: str(row["created_at"]))

    def answer(self, path: str, member: str) -> Any:
        """What another recording shows as a member of the answer to a GET; None if none does."""
        for recording in self._evidence.answers.get(path, ()):
            if recording.name not in self._hidden and member in (recording.json or {}):
                return recording.json[member]
        return None

    def shown(self, kind: str, path: Path) -> set[str]:
        """All values that the other recordings show at this place of any resource of the kind."""
        values = self._evidence.shown(kind, path)
        return {value for value, names in values.items() if names - self._hidden}


def at(row: Any, path: Path) -> Any:
    """What is at this place, `<none>` if there is nothing."""
    for key in path:
        try:
            row = row[key]
        except (KeyError, IndexError, TypeError):
            return "<none>"
    return row
