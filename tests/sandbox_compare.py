"""Compares an answer of the sandbox with the recorded one.

Compared are the status, the errors, the keys at every level and their order, the order of what
both lists have, the headers that mean something, and the values but for GUIDs and moments. Where
the other recordings show a resource with several values, or do not show it, the value is open.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.sandbox_evidence import GUID, Known, at, kind_of
from tests.sandbox_recordings import Recording, parsed

# Their members are named by users, not by the API.
NAMED_BY_USERS = {"labels", "annotations", "var", "environment_variables", "processes", "commands"}
MOMENTS = {"created_at", "updated_at", "since", "time", "uptime", "last_successful_healthcheck"}
TOTALS = {"total_results", "total_pages"}
# What an instance uses, and where it runs.
MEASURED = {
    "mem",
    "cpu",
    "cpu_entitlement",
    "disk",
    "log_rate",
    "external",
    "host",
    "instance_guid",
    "instance_internal_ip",
    "instance_ports",
    "usage_summary",
    "checksum",
    "totals",
}
# What an operator names.
NAMED_BY_OPERATORS = {
    "support",
    "login",
    "credhub",
    "logging",
    "log_cache",
    "log_stream",
    "routing",
    "uaa",
    "description",
    "custom",
    "name",
    "build",
    "authorization_endpoint",
    "token_endpoint",
    "app_ssh_endpoint",
    "doppler_logging_endpoint",
    "osbapi_version",
    "routing_endpoint",
}
OPEN = MOMENTS | {"guid", "last_status_change", "status_change"}
INTERESTING = ("location", "x-cf-warnings", "content-type", "vary", "x-content-type-options")
PRESENT = ("retry-after", "x-ratelimit-reset")
FAMILIES = ("x-ratelimit-limit", "access-control-")


def differences(ours: Any, theirs: Any, openly: Callable[[tuple[Any, ...]], bool]) -> Iterator[str]:
    """Where two JSON values differ; `openly` tells of a path whether its value may."""
    yield from _compare(ours, theirs, (), openly)


def _compare(
    ours: Any, theirs: Any, path: tuple[Any, ...], openly: Callable[[tuple[Any, ...]], bool]
) -> Iterator[str]:
    name = path[-1] if path else ""
    where = ".".join(map(str, path)) or "answer"
    if isinstance(theirs, dict) and isinstance(ours, dict):
        yield from _compare_objects(ours, theirs, path, openly)
    elif isinstance(theirs, list) and isinstance(ours, list):
        yield from _compare_lists(ours, theirs, path, openly)
    elif name in OPEN or openly(path):
        if (ours is None) != (theirs is None) and name in OPEN and not openly(path):
            yield f"{where}: {ours!r} instead of {theirs!r}"
    elif name in TOTALS:
        if bool(ours) != bool(theirs) and "pagination" in path:
            yield f"{where}: {ours!r} instead of {theirs!r}"
    elif _plain(ours) != _plain(theirs):
        yield f"{where}: {ours!r} instead of {theirs!r}"


def _compare_objects(
    ours: dict[str, Any],
    theirs: dict[str, Any],
    path: tuple[Any, ...],
    openly: Callable[[tuple[Any, ...]], bool],
) -> Iterator[str]:
    where = ".".join(map(str, path)) or "answer"
    free = bool(path) and path[-1] in NAMED_BY_USERS | NAMED_BY_OPERATORS
    if "*" in path and path[-1] in ("data", "relationships", "links"):
        # They depend on the kind of event or role, and there is none to compare with.
        return
    if free and openly(path):
        return
    same = sorted(ours) == sorted(theirs) if free else list(ours) == list(theirs)
    if not same:
        yield f"{where}: keys {list(ours)} instead of {list(theirs)}"
        return
    for key, value in theirs.items():
        if path[-1:] == ("pagination",) and key in ("last", "next"):
            continue
        yield from _compare(ours[key], value, (*path, key), openly)


def _compare_lists(
    ours: list[Any],
    theirs: list[Any],
    path: tuple[Any, ...],
    openly: Callable[[tuple[Any, ...]], bool],
) -> Iterator[str]:
    where = ".".join(map(str, path)) or "answer"
    if path[-2:] == ("organizations", "data") or path[-2:] == ("spaces", "data"):
        return
    if not all(isinstance(row, dict) for row in [*ours, *theirs]):
        if _plain(ours) != _plain(theirs) and not openly(path):
            yield f"{where}: {ours!r:.80} instead of {theirs!r:.80}"
        return
    if not ours or not theirs:
        if len(ours) != len(theirs) and not openly(path):
            yield f"{where}: {len(ours)} elements instead of {len(theirs)}"
        return
    if all("guid" in row for row in [*ours, *theirs]):
        common = {row["guid"] for row in ours} & {row["guid"] for row in theirs}
        placed = {row["guid"] for row in theirs if row["guid"] in common and _knows(openly, row)}
        orders = [[row["guid"] for row in rows if row["guid"] in placed] for rows in (ours, theirs)]
        moments = [_moments(rows, placed) for rows in (ours, theirs)]
        if orders[0] != orders[1] and (moments[0] != moments[1] or None in moments[0]):
            yield f"{where}: another order: {_first_odd(*orders)}"
            return
        mine = {row["guid"]: row for row in ours}
        pairs = [(mine[row["guid"]], row) for row in theirs if row["guid"] in common]
        if not pairs:
            # Nothing is known of these but their shape.
            yield from _compare(ours[0], theirs[0], (*path, "*"), lambda _: True)
    else:
        counted = not all("metadata" in row for row in theirs)
        if len(ours) != len(theirs) and counted and not openly(path):
            yield f"{where}: {len(ours)} elements instead of {len(theirs)}"
            return
        pairs = list(zip(ours, theirs, strict=False))
    for number, (one, other) in enumerate(pairs):
        key = other.get("guid", number) if path[-1:] == ("resources",) else number
        yield from _compare(one, other, (*path, key), openly)


def _knows(openly: Callable[[tuple[Any, ...]], bool], row: dict[str, Any]) -> bool:
    """Whether another recording tells when the resource was made."""
    return not isinstance(openly, Openness) or openly.knows(row)


def _first_odd(ours: list[str], theirs: list[str]) -> str:
    odd = next(pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1])
    return f"{odd[0]} instead of {odd[1]}"


def _moments(rows: list[dict[str, Any]], common: set[str]) -> list[str | None]:
    """When they were made: of those of one second, nothing tells which is first."""
    return [row.get("created_at") for row in rows if row["guid"] in common]


def _plain(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # The sandbox makes up the addresses of people without one.
    return GUID.sub("<guid>", value).replace("@sandbox.example", "@example.com")


def headers_of_interest(headers: dict[str, str]) -> dict[str, str]:
    """The headers that are compared; of some only that they are there."""
    kept = {}
    for name, value in headers.items():
        if name in PRESENT or (name == "x-ratelimit-remaining"):
            kept[name] = "some" if value != "0" or name in PRESENT else "0"
        elif name in INTERESTING or name.startswith(FAMILIES):
            kept[name] = GUID.sub("<guid>", value).replace("http://127.0.0.1", "")
    return kept


class Openness:
    """Which values of an answer nobody could know without it."""

    def __init__(self, recording: Recording, known: Known) -> None:
        self._recording = recording
        self._known = known
        self._rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._find(recording.json, ())
        self._cache: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def _find(self, value: Any, path: tuple[Any, ...]) -> None:
        if isinstance(value, dict):
            if kind_of(value):
                self._rows[path] = value
            for key, item in value.items():
                self._find(item, (*path, key))
        elif isinstance(value, list):
            for number, item in enumerate(value):
                key = number
                if path[-1:] == ("resources",) and isinstance(item, dict):
                    key = item.get("guid", number)
                self._find(item, (*path, key))

    def __call__(self, path: tuple[Any, ...]) -> bool:
        for length in range(len(path), -1, -1):
            row = self._rows.get(path[:length])
            if row is not None:
                return self._open_in(row, path[length:])
        return any(name in MEASURED for name in path) or self._is_operators(path)

    def knows(self, row: dict[str, Any]) -> bool:
        """Whether another recording shows the resource."""
        kind = kind_of(row)
        return kind is None or bool(self._known.versions(kind, row["guid"]))

    def _is_operators(self, path: tuple[Any, ...]) -> bool:
        about = self._recording.parts[-1:] in ([], ["info"], ["v3"], ["v2"])
        return about and any(name in NAMED_BY_OPERATORS for name in path)

    def _open_in(self, row: dict[str, Any], path: tuple[Any, ...]) -> bool:
        if any(name in MEASURED for name in path):
            return True
        kind = str(kind_of(row))
        key = (kind, row["guid"])
        if key not in self._cache:
            self._cache[key] = self._known.versions(kind, row["guid"])
        versions = self._cache[key]
        if self._is_made_now(row):
            return False
        if self._names(path):
            return False
        if versions:
            shown = {json.dumps(at(version, path)) for version in versions}
            return len(shown) > 1 or shown == {'"<none>"'}
        others = self._known.shown(kind, path)
        return len(others) != 1

    def _is_made_now(self, row: dict[str, Any]) -> bool:
        recording = self._recording
        return recording.method == "POST" and recording.json is row and recording.status == 201

    def _names(self, path: tuple[Any, ...]) -> bool:
        """Whether the request says what this member is to become."""
        recording = self._recording
        if recording.method == "GET" or not isinstance(recording.asked, dict):
            return False
        return bool(path) and path[0] in recording.asked


def disagreement(
    recording: Recording, known: Known, status: int, text: str, headers: dict[str, str]
) -> str:
    """The first thing in which an answer differs from the recorded one; empty if nothing does."""
    if status != recording.status:
        return f"{status} instead of {recording.status}: {text[:300]} | {recording.text[:300]}"
    ours, theirs = headers_of_interest(headers), headers_of_interest(recording.headers)
    if ours != theirs:
        odd = sorted({name for name, _ in ours.items() ^ theirs.items()})
        return "; ".join(f"{n}: {ours.get(n)!r} instead of {theirs.get(n)!r}" for n in odd)
    truth, value = recording.json, parsed(text)
    if truth is None or value is None:
        return _other_text(text, recording.text)
    if isinstance(truth, dict) and "errors" in truth and "guid" not in truth:
        plain = [GUID.sub("<guid>", json.dumps(v)) for v in (value, truth)]
        return "" if plain[0] == plain[1] else f"{plain[0]} instead of {plain[1]}"
    return next(differences(value, truth, Openness(recording, known)), "")


def _other_text(ours: str, theirs: str) -> str:
    if theirs.startswith("PK"):
        return "" if ours.startswith("PK") else "no archive"
    # A crash shows where the real server's files lie; a manifest is compared as a whole.
    length = None if theirs.startswith("---") else 60
    same = ours[:length] == theirs[:length]
    return "" if same else f"{ours[:length]!r} instead of {theirs[:length]!r}"
