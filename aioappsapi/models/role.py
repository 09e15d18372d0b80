"""Roles. Source: https://v3-apidocs.cloudfoundry.org/#roles."""

from __future__ import annotations

from aioappsapi.models.base import Link, Relationship, Resource, Struct


class RoleRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """The user of a role, and the organization or space that it applies to."""

    user: Relationship = Relationship()
    space: Relationship | None = None
    organization: Relationship | None = None


class Role(Resource, frozen=True, kw_only=True, gc=False):
    """A role of a user. `type` is for example ``space_developer``."""

    type: str = ""
    relationships: RoleRelationships = RoleRelationships()
    links: dict[str, Link] = {}
