"""Spaces. Source: https://v3-apidocs.cloudfoundry.org/#spaces."""

from __future__ import annotations

from msgspec import field

from aioappsapi.models.base import Link, Metadata, Relationship, Resource, Struct


class SpaceRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """The organization of a space, and its quota if it has one."""

    organization: Relationship = Relationship()
    quota: Relationship | None = None


class SpaceLinks(Struct, frozen=True, kw_only=True, gc=False):
    """The links of a space."""

    self: Link | None = None
    organization: Link | None = None
    features: Link | None = None
    quota: Link | None = None
    apply_manifest: Link | None = None


class Space(Resource, frozen=True, kw_only=True, gc=False):
    """A space of an organization, in which apps live."""

    name: str = ""
    suspended: bool | None = None
    relationships: SpaceRelationships = SpaceRelationships()
    metadata: Metadata = field(default_factory=Metadata)
    links: SpaceLinks = SpaceLinks()
