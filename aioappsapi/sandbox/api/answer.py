"""An answer of the server: a status, headers and a body."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

JSON: Final = "application/json; charset=utf-8"
YAML: Final = "application/x-yaml; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"


def json_text(value: object) -> str:
    """Return a value as the server writes JSON: compact, UTF-8, and safe to paste into HTML."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if "&" in text or "<" in text or ">" in text:
        text = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return text


@dataclass(slots=True)
class Answer:
    """A response before it goes over the wire.

    `framed`: it has the v3 API's usual headers. `in_gate`: it comes from a router or a load
    balancer, which knows no users. `cut`: it ends in the middle. `drip`: seconds between two pieces
    of the body.
    """

    status: int
    body: str
    content_type: str = JSON
    framed: bool = True
    in_gate: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    close: bool = False
    cut: bool = False
    drip: float = 0.0


def outside_api() -> Answer:
    """Refuse a path outside /v3 in the older error shape."""
    body = '{"description":"Unknown request","error_code":"CF-NotFound","code":10000}'
    headers = {"x-cascade": "pass", "x-content-type-options": "nosniff"}
    return Answer(404, body, "application/json;charset=utf-8", framed=False, headers=headers)


def accepted(location: str, content_type: str) -> Answer:
    """Answer 202 with the location of the job that does the work."""
    return Answer(202, "", content_type, headers={"location": location})


def empty(content_type: str) -> Answer:
    """Answer 200 without a body."""
    return Answer(200, "", content_type)


def no_content() -> Answer:
    """Answer 204, which has no body."""
    return Answer(204, "", "")


def undecodable() -> Answer:
    """Answer 500 to a query that cannot be decoded, as the web server does."""
    body = (
        "500 Internal Server Error\n"
        "If you are the administrator of this website, then please read this web "
        "application's log file and/or the web server's log file to find out what went wrong."
    )
    return Answer(500, body, TEXT, framed=False, headers={"x-runtime": "0.001000"})


def query_too_long(length: int) -> Answer:
    """Refuse a query string above 10,240 bytes before any routing, as the web server does."""
    body = (
        "Puma caught this error: HTTP element QUERY_STRING is longer than the (1024 * 10) "
        f"allowed length (was {length}) (Puma::HttpParserError)\n"
    )
    return Answer(400, body, "", framed=False, close=True)
