"""Headers for browsers, for tracing and for outdated command lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote_plus

from aioappsapi.sandbox.api.answer import Answer

_CLI: Final = re.compile(r"[cC][fF][^/]*/(\d+)\.(\d+)\.(\d+)[+\s]")
_OLDEST_CLI: Final = (6, 22, 0)
_WARNING: Final = quote_plus(
    "\N{POLICE CARS REVOLVING LIGHT} [WARNING] Outdated CF CLI version - please upgrade: "
    "https://github.com/cloudfoundry/cli/releases/latest "
    "\N{POLICE CARS REVOLVING LIGHT}\n"
)
# The paths that every command line requests when it logs in or changes its target.
_WARNED_AT: Final = ("/v3/spaces", "/v3/organizations", "/v2/spaces", "/v2/organizations")
_METHODS: Final = ("GET", "PUT", "POST", "DELETE")
_TRACING: Final = ("X-B3-TraceId", "X-B3-SpanId")
_EXPOSED: Final = "x-cf-warnings,x-app-staging-log,x-vcap-request-id,location,range"


def add_extra_headers(
    path: str, request_headers: Mapping[str, str], headers: dict[str, str]
) -> None:
    """Add the headers that depend on the headers of the request."""
    if any(place in path for place in _WARNED_AT):
        version = _CLI.search(request_headers.get("User-Agent", ""))
        if version is not None and tuple(map(int, version.groups())) < _OLDEST_CLI:
            headers["x-cf-warnings"] = _WARNING
    if "Origin" in request_headers:
        headers |= _shared_with(request_headers["Origin"])
        headers["vary"] = ",".join([*filter(None, [headers.get("vary")]), "Origin"])
    for name in _TRACING:
        if name in request_headers:
            headers[name.lower()] = request_headers[name]


def preflight(request_headers: Mapping[str, str]) -> Answer | None:
    """Return the answer to a CORS preflight request, or None for any other request."""
    method = request_headers.get("Access-Control-Request-Method", "")
    if "Origin" not in request_headers or method.upper() not in _METHODS:
        return None
    wanted = request_headers.get("Access-Control-Request-Headers", "").lower().split(",")
    names = ["origin", "content-type", "authorization", *(one.strip() for one in wanted if one)]
    headers = _shared_with(request_headers["Origin"]) | {
        "vary": "Origin",
        "access-control-allow-methods": ",".join(_METHODS),
        "access-control-max-age": "900",
        "access-control-allow-headers": ",".join(dict.fromkeys(names)),
    }
    return Answer(200, "", "text/plain", framed=False, headers=headers)


def _shared_with(origin: str) -> dict[str, str]:
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": _EXPOSED,
    }
