"""Users and roles. Source: https://v3-apidocs.cloudfoundry.org/#users and #roles."""

from __future__ import annotations

from msgspec import field

from aioappsapi.models.base import Link, Metadata, Relationship, Resource, Struct


class User(Resource, frozen=True, kw_only=True, gc=False):
    """Somebody, or a client of the UAA, which has no `username`."""

    username: str | None = None
    presentation_name: str | None = None
    origin: str | None = None
    metadata: Metadata = field(default_factory=Metadata)
    links: dict[str, Link] = {}


class RoleRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """Whose a role is, and where: in an organization or in a space."""

    user: Relationship = Relationship()
    space: Relationship | None = None
    organization: Relationship | None = None


class Role(Resource, frozen=True, kw_only=True, gc=False):
    """What a user may do where, e.g. ``space_developer``."""

    type: str = ""
    relationships: RoleRelationships = RoleRelationships()
    links: dict[str, Link] = {}
