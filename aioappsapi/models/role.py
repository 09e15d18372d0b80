"""Roles. Source: https://v3-apidocs.cloudfoundry.org/#roles."""

from __future__ import annotations

from aioappsapi.models.base import Link, Relationship, Resource, Struct


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
