"""Audit events. Source: https://v3-apidocs.cloudfoundry.org/#audit-events."""

from __future__ import annotations

from aioappsapi.models.base import Link, Ref, Resource, Struct
from aioappsapi.models.environment import Json


class EventParty(Struct, frozen=True, kw_only=True, gc=False):
    """Who did it, or what it was done to, e.g. a ``user``, an ``app`` or a ``process``."""

    guid: str | None = None
    type: str = ""
    name: str | None = None


class AuditEvent(Resource, frozen=True, kw_only=True, gc=False):
    """Something that happened; what `data` holds depends on the `type`."""

    type: str = ""
    actor: EventParty = EventParty()
    target: EventParty = EventParty()
    data: dict[str, Json] | None = None
    space: Ref | None = None
    organization: Ref | None = None
    links: dict[str, Link] = {}
