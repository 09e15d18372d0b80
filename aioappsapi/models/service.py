"""Service offerings and instances, as far as they come along in `included`.

Source: https://v3-apidocs.cloudfoundry.org/#service-instances and #service-offerings
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from msgspec import field

from aioappsapi.models.base import Link, Metadata, Relationship, Resource, Struct
from aioappsapi.models.environment import Json


class LastOperation(Struct, frozen=True, kw_only=True, gc=False):
    """What a broker did last, and whether it is done."""

    type: str = ""
    state: str = ""
    description: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class MaintenanceInfo(Struct, frozen=True, kw_only=True, gc=False):
    """The version of what runs behind a service instance."""

    version: str | None = None
    description: str | None = None


class ServiceInstanceRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """Where a service instance lives, and its plan if it is managed."""

    space: Relationship = Relationship()
    service_plan: Relationship | None = None


class _ServiceInstance(Resource, frozen=True, kw_only=True, gc=False, tag_field="type"):
    name: str = ""
    tags: list[str] | None = None
    last_operation: LastOperation | None = None
    relationships: ServiceInstanceRelationships = ServiceInstanceRelationships()
    metadata: Metadata = field(default_factory=Metadata)
    links: dict[str, Link] = {}


class ManagedServiceInstance(_ServiceInstance, frozen=True, kw_only=True, gc=False, tag="managed"):
    """A service instance that a broker looks after."""

    maintenance_info: MaintenanceInfo | None = None
    upgrade_available: bool | None = None
    dashboard_url: str | None = None


class UserProvidedServiceInstance(
    _ServiceInstance, frozen=True, kw_only=True, gc=False, tag="user-provided"
):
    """A service instance that somebody described by hand."""

    syslog_drain_url: str | None = None
    route_service_url: str | None = None

    def __repr__(self) -> str:
        # Its addresses may hold credentials.
        return f"<UserProvidedServiceInstance {self.name!r} {self.guid}>"


ServiceInstance: TypeAlias = ManagedServiceInstance | UserProvidedServiceInstance


class BrokerFeatures(Struct, frozen=True, kw_only=True, gc=False):
    """What a broker can do for an offering."""

    plan_updateable: bool | None = None
    bindable: bool | None = None
    instances_retrievable: bool | None = None
    bindings_retrievable: bool | None = None
    allow_context_updates: bool | None = None


class BrokerCatalog(Struct, frozen=True, kw_only=True, gc=False):
    """What a broker says of an offering."""

    id: str = ""
    metadata: dict[str, Json] | None = None
    features: BrokerFeatures = BrokerFeatures()


class ServiceOfferingRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """The broker behind an offering."""

    service_broker: Relationship = Relationship()


class ServiceOffering(Resource, frozen=True, kw_only=True, gc=False):
    """A kind of service that can be had."""

    name: str = ""
    description: str | None = None
    available: bool | None = None
    tags: list[str] = []
    requires: list[str] = []
    shareable: bool | None = None
    documentation_url: str | None = None
    broker_catalog: BrokerCatalog | None = None
    relationships: ServiceOfferingRelationships = ServiceOfferingRelationships()
    metadata: Metadata = field(default_factory=Metadata)
    links: dict[str, Link] = {}
