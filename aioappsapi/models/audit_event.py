"""Audit events. Source: https://v3-apidocs.cloudfoundry.org/#audit-events."""

from __future__ import annotations

from aioappsapi.models.base import Link, Ref, Resource, Struct
from aioappsapi.models.environment import Json


class EventParty(Struct, frozen=True, kw_only=True, gc=False):
    """The actor or the target of an event, e.g. a ``user``, an ``app`` or a ``process``."""

    guid: str | None = None
    type: str = ""
    name: str | None = None


class AuditEvent(Resource, frozen=True, kw_only=True, gc=False):
    """An audit event; the contents of `data` depend on the `type`."""

    type: str = ""
    actor: EventParty = EventParty()
    target: EventParty = EventParty()
    data: dict[str, Json] | None = None
    space: Ref | None = None
    organization: Ref | None = None
    links: dict[str, Link] = {}
