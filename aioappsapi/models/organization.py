"""Organizations. Source: https://v3-apidocs.cloudfoundry.org/#organizations."""

from __future__ import annotations

from msgspec import field

from aioappsapi.models.base import Link, Metadata, Relationship, Resource, Struct


class OrganizationRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """An organization's quota."""

    quota: Relationship | None = None


class OrganizationLinks(Struct, frozen=True, kw_only=True, gc=False):
    """What belongs to an organization."""

    self: Link | None = None
    domains: Link | None = None
    default_domain: Link | None = None
    quota: Link | None = None


class Organization(Resource, frozen=True, kw_only=True, gc=False):
    """An organization: the owner of spaces and quotas."""

    name: str = ""
    suspended: bool | None = None
    relationships: OrganizationRelationships = OrganizationRelationships()
    metadata: Metadata = field(default_factory=Metadata)
    links: OrganizationLinks = OrganizationLinks()
