"""Domains and routes. Source: https://v3-apidocs.cloudfoundry.org/#routes and #domains."""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from aioappsapi.models.base import Link, Metadata, Ref, Relationship, Resource, Struct
from aioappsapi.models.environment import Json


class ToMany(Struct, frozen=True, kw_only=True, gc=False):
    """A relation to any number of resources."""

    data: list[Ref] = []


class DomainRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """Whose a domain is, if it is anybody's, and with whom it is shared."""

    organization: Relationship | None = None
    shared_organizations: ToMany = ToMany()


class Domain(Resource, frozen=True, kw_only=True, gc=False):
    """A domain that routes are made on."""

    name: str = ""
    internal: bool | None = None
    router_group: Ref | None = None
    supported_protocols: list[str] = []
    relationships: DomainRelationships = DomainRelationships()
    metadata: Metadata = field(default_factory=Metadata)
    links: dict[str, Link] = {}


class DestinationProcess(Struct, frozen=True, kw_only=True, gc=False):
    """The type of process that a destination leads to."""

    type: str = ""


class DestinationApp(Struct, frozen=True, kw_only=True, gc=False):
    """The app that a destination leads to."""

    guid: str | None = None
    process: DestinationProcess | None = None


class Destination(Struct, frozen=True, kw_only=True, gc=False):
    """Where a route leads."""

    guid: str | None = None
    app: DestinationApp | None = None
    weight: int | None = None
    port: int | None = None
    protocol: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class RouteRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """Where a route belongs."""

    space: Relationship = Relationship()
    domain: Relationship = Relationship()


class Route(Resource, frozen=True, kw_only=True, gc=False):
    """An address, and the apps that it leads to."""

    protocol: str | None = None
    host: str | None = None
    path: str | None = None
    port: int | None = None
    url: str = ""
    destinations: list[Destination] = []
    options: dict[str, Json] | None = None
    relationships: RouteRelationships = RouteRelationships()
    metadata: Metadata = field(default_factory=Metadata)
    links: dict[str, Link] = {}
