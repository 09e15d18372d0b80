"""A request as the routes see it, with its decoded body."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from aioappsapi.sandbox.api import errors
from aioappsapi.sandbox.api.list_query import UndecodableQueryError
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.api.views import Views
from aioappsapi.sandbox.world.json_types import Json, JsonValue

ACTIONS: Final = frozenset({"start", "stop", "restart"})
READERS: Final = frozenset(
    {
        "cloud_controller.admin",
        "cloud_controller.admin_read_only",
        "cloud_controller.global_auditor",
        "cloud_controller.read",
    }
)
WRITERS: Final = frozenset({"cloud_controller.admin", "cloud_controller.write"})


@dataclass(slots=True)
class Call:
    """A request as the routes see it. `token` returns the caller's token, or raises its error.

    `diego`, if set, is the mode of Diego during this request only.
    """

    method: str
    parts: list[str]
    query: str
    views: Views
    token: Callable[[], Token]
    body: bytes = b""
    content_type: str = ""
    accept: str | None = None
    diego: str | None = None

    @property
    def action(self) -> str | None:
        """The GUID of the app that this request starts, stops or restarts."""
        parts = self.parts
        acts = len(parts) == 5 and parts[3] == "actions" and parts[4] in ACTIONS
        return parts[2] if acts and self.method == "POST" and parts[1] == "apps" else None

    @property
    def answer_type(self) -> str:
        """The media type of an answer without a body: the first type accepted, or HTML."""
        accepted = self.accept
        if not accepted or "*/*" in accepted:
            return "text/html"
        return re.split("[,;]", accepted, maxsplit=1)[0].strip()

    @property
    def runner_down(self) -> bool:
        """Whether Diego takes no orders during this request."""
        return self.diego is not None

    @property
    def path(self) -> str:
        """The path as paging links repeat it."""
        return "/" + "/".join(self.parts)

    def reader(self) -> Token:
        """Return the token if it may read anything. Raises ApiError 401 or 403."""
        return self._token_with(READERS)

    def writer(self) -> Token:
        """Return the token if it may change anything. Raises ApiError 401 or 403."""
        return self._token_with(WRITERS)

    def fields(self) -> Json:
        """Return the members of the body; a body of another type counts as empty.

        Raises ApiError 400 for broken JSON, and UndecodableQueryError for broken UTF-8.
        """
        if "json" in self.content_type:
            value = self._json()
            return value if isinstance(value, dict) else {"_json": value}
        if "x-www-form-urlencoded" in self.content_type:
            return dict(parse_qsl(self.body.decode("utf-8", "replace")))
        return {}

    def related_app(self, fields: Json) -> str:
        """Return the GUID of the app in the body's relationships, or an empty text."""
        return text_at(fields, "relationships", "app", "data", "guid")

    def _json(self) -> JsonValue:
        if not self.body:
            return {}
        try:
            value = json.loads(self.body.decode(), parse_constant=_refuse)
            if b"\\u" in self.body:
                # A lone surrogate cannot be encoded, so it could not be sent back.
                json.dumps(value, ensure_ascii=False).encode()
            return value
        except UnicodeError as error:
            raise UndecodableQueryError from error
        except ValueError as error:
            raise errors.parse_error() from error

    def _token_with(self, scopes: frozenset[str]) -> Token:
        token = self.token()
        if not token.scopes & scopes:
            raise errors.not_authorized()
        return token


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def text_at(fields: JsonValue, *names: str) -> str:
    """Return the text at the end of a path of members, or an empty text if the path has a gap."""
    found = value_at(fields, *names)
    return "" if found is None else str(found)


def value_at(fields: JsonValue, *names: str) -> JsonValue:
    """Return the value at the end of a path of members, or None if the path has a gap."""
    for name in names:
        if not isinstance(fields, dict):
            return None
        fields = fields.get(name)
    return fields
