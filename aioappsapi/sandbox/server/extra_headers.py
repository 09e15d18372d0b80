"""Headers beyond the usual: for browsers, for tracing and for outdated command lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote_plus

from ..api.answer import Answer

_CLI: Final = re.compile(r"cf\d*/(\d+)\.(\d+)")
_OLDEST_CLI: Final = (6, 22)
_WARNING: Final = quote_plus(
    "\N{POLICE CARS REVOLVING LIGHT} [WARNING] Outdated CF CLI version - please upgrade: "
    "https://github.com/cloudfoundry/cli/releases/latest "
    "\N{POLICE CARS REVOLVING LIGHT}\n"
)
# What every command line asks for when it logs in or changes its target.
_WARNED_AT: Final = frozenset(
    f"/{version}/{kind}" for version in ("v2", "v3") for kind in ("spaces", "organizations")
)
_TRACING: Final = ("X-B3-TraceId", "X-B3-SpanId")
_EXPOSED: Final = "x-cf-warnings,x-app-staging-log,x-vcap-request-id,location,range"


def add_asked_headers(path: str, asked: Mapping[str, str], headers: dict[str, str]) -> None:
    """Add the headers that the request's own headers call for."""
    agent = asked.get("User-Agent", "")
    if agent.startswith("cf") and path in _WARNED_AT:
        version = _CLI.match(agent)
        if version is not None and (int(version[1]), int(version[2])) < _OLDEST_CLI:
            headers["x-cf-warnings"] = _WARNING
    for name in _TRACING:
        if name in asked:
            headers[name.lower()] = asked[name]


def preflight(asked: Mapping[str, str]) -> Answer | None:
    """Answer a browser's question whether it may ask; None if it is no such question."""
    if "Origin" not in asked or "Access-Control-Request-Method" not in asked:
        return None
    wanted = asked.get("Access-Control-Request-Headers", "").lower()
    headers = {
        "access-control-allow-origin": asked["Origin"],
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": _EXPOSED,
        "vary": "Origin",
        "access-control-allow-methods": "GET,PUT,POST,DELETE",
        "access-control-max-age": "900",
        "access-control-allow-headers": f"origin,content-type,{wanted}",
    }
    return Answer(200, "", "text/plain", framed=False, headers=headers)
