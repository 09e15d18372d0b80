"""Checks of routes and destinations, with the error texts of the server."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from aioappsapi.sandbox.api import ruby, validation
from aioappsapi.sandbox.api.answer import json_text
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.relationships import relationship_problems
from aioappsapi.sandbox.world.json_types import Json, JsonValue

_NEW: Final = ("host", "path", "port", "relationships", "options")
_HOST: Final = re.compile(r"([\w-]+|\*)?", re.ASCII)
_LONGEST_HOST: Final = 63
_LONGEST_PATH: Final = 128
_MOST_DESTINATIONS: Final = 100
_MOST_PORTS: Final = 10
_PROTOCOLS: Final = ("http1", "http2", "tcp")
_LONGEST_GUID: Final = 200
_MOST_OPTIONS: Final = 1024
_HASH_OPTIONS: Final = ("hash_header", "hash_balance")
_BALANCING: Final = ("round-robin", "least-connection")


def new_route_problems(fields: Json) -> list[str]:
    """Return the problems of the body of a new route."""
    problems = metadata_problems(fields)
    problems += _host_problems(fields.get("host")) + _path_problems(fields.get("path"))
    port = fields.get("port")
    if port is not None:
        problems += validation.number_problems("Port", port, least=0, most=65_535)
    if ruby.blank(fields.get("relationships")):
        problems.append("Relationships can't be blank")
    problems += validation.unknown_fields(fields, (*_NEW, "metadata"))
    problems += relationship_problems(fields, "space", "domain")
    return problems + option_problems(fields)


def _host_problems(host: JsonValue) -> list[str]:
    if host is None:
        return []
    problems = [] if isinstance(host, str) else ["Host must be a string"]
    text = str(host)
    if len(text) > _LONGEST_HOST:
        problems.append(f"Host is too long (maximum is {_LONGEST_HOST} characters)")
    if not _HOST.fullmatch(text):
        problems.append(
            'Host must be either "*" or contain only alphanumeric characters, "_", or "-"'
        )
    return problems


def _path_problems(path: JsonValue) -> list[str]:
    if path is None:
        return []
    problems = [] if isinstance(path, str) else ["Path must be a string"]
    text = str(path)
    if len(text) > _LONGEST_PATH:
        problems.append(f"Path is too long (maximum is {_LONGEST_PATH} characters)")
    if text and not text.startswith("/"):
        problems.append("Path must begin with /")
    if "?" in text:
        problems.append("Path cannot contain ?")
    if text == "/":
        problems.append("Path cannot be exactly /")
    return problems


def option_problems(fields: Json) -> list[str]:
    """Return the problems of a route's options."""
    if "options" not in fields:
        return []
    options = fields["options"]
    if not isinstance(options, dict):
        return ["Options 'options' is not a valid object"]
    size = len(json_text(options).encode())
    problems = []
    if size > _MOST_OPTIONS:
        problems.append(f"must be smaller than {_MOST_OPTIONS} bytes (actual size is {size} bytes)")
    known = ("loadbalancing", *_HASH_OPTIONS)
    unknown = "', '".join(name for name in options if name not in known)
    problems += [f"Unknown field(s): '{unknown}'"] if unknown else []
    chosen = options.get("loadbalancing")
    if not ruby.blank(chosen) and chosen not in _BALANCING:
        problems.append(f"Loadbalancing must be one of '{', '.join(_BALANCING)}' if present")
    # These exist only while hash-based routing is on, and it is off.
    absent = "', '".join(name for name in _HASH_OPTIONS if not ruby.blank(options.get(name)))
    problems += [f"Unknown field(s): '{absent}'"] if absent else []
    return [f"Options {problem}" for problem in problems]


def destination_problems(fields: Json, *, replace: bool) -> list[str]:
    """Return the problems of a body that adds or replaces destinations."""
    problems = validation.unknown_fields(fields, ("destinations",))
    rows, least = fields.get("destinations"), 0 if replace else 1
    if not isinstance(rows, list) or not least <= len(rows) <= _MOST_DESTINATIONS:
        problems.append(
            f"Destinations must be an array containing between {least} and {_MOST_DESTINATIONS} "
            "destination objects."
        )
        return problems
    for number, row in enumerate(rows):
        found = _destination_problems(row, replace=replace)
        problems += [f"Destinations[{number}]: {problem}" for problem in found]
    ports = Counter(str(row.get("app")) for row in rows if isinstance(row, dict))
    if any(count > _MOST_PORTS for count in ports.values()):
        problems.append(f"Process must have at most {_MOST_PORTS} exposed ports.")
    return problems or _weight_problems(rows)


def _destination_problems(row: JsonValue, *, replace: bool) -> list[str]:
    if not isinstance(row, dict):
        return ["must be an object."]
    if "app" not in row:
        return ['must have an "app".']
    if not set(row) <= {"app", "weight", "port", "protocol"}:
        return ['must have only "app" and optionally "weight", "port" or "protocol".']
    problems = _app_problems(row["app"])
    weight, port, protocol = row.get("weight"), row.get("port"), row.get("protocol")
    if validation.given(weight) and not replace:
        problems.append("weighted destinations can only be used when replacing all destinations.")
    elif validation.given(weight) and not (type(weight) is int and 0 < weight <= 100):
        problems.append("weight must be a positive integer between 1 and 100.")
    if validation.given(port) and not (type(port) is int and 1024 <= port <= 65_535):
        problems.append("port must be a positive integer between 1024 and 65535 inclusive.")
    if validation.given(protocol) and protocol not in _PROTOCOLS:
        problems.append("protocol must be 'http1', 'http2' or 'tcp'.")
    return problems


def _app_problems(app: JsonValue) -> list[str]:
    app_guid = app.get("guid") if isinstance(app, dict) else None
    if not isinstance(app_guid, str) or not 1 <= len(app_guid) < _LONGEST_GUID:
        return ['app must have the structure {"guid": "app_guid"}']
    process = app.get("process")
    kind = process.get("type") if isinstance(process, dict) and len(process) == 1 else None
    if process is not None and not (isinstance(kind, str) and kind):
        return ['process must have the structure {"type": "process_type"}']
    return []


def _weight_problems(rows: list[Json]) -> list[str]:
    weights = [row.get("weight") for row in rows]
    given = [weight for weight in weights if weight is not None]
    if not given:
        return []
    if len(given) < len(weights):
        return ["Destinations cannot contain both weighted and unweighted destinations."]
    return [] if sum(given) == 100 else ["Destinations must have weights that sum to 100."]
