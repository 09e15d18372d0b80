"""Organizations. Source: https://v3-apidocs.cloudfoundry.org/#organizations."""

from __future__ import annotations

from msgspec import field

from aioappsapi.models.base import Link, Metadata, Relationship, Resource, Struct


class OrganizationRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """The quota of an organization."""

    quota: Relationship | None = None


class OrganizationLinks(Struct, frozen=True, kw_only=True, gc=False):
    """The links of an organization."""

    self: Link | None = None
    domains: Link | None = None
    default_domain: Link | None = None
    quota: Link | None = None


class Organization(Resource, frozen=True, kw_only=True, gc=False):
    """An organization, which owns spaces and quotas."""

    name: str = ""
    suspended: bool | None = None
    relationships: OrganizationRelationships = OrganizationRelationships()
    metadata: Metadata = field(default_factory=Metadata)
    links: OrganizationLinks = OrganizationLinks()
