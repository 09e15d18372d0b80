"""Processes and their instances. Source: https://v3-apidocs.cloudfoundry.org/#processes."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, UnsetType, field

from aioappsapi.models.base import Link, Metadata, Relationship, Resource, Struct


class HealthCheckData(Struct, frozen=True, kw_only=True, gc=False):
    """The settings of a health check; seconds, None for the platform's own."""

    timeout: int | None = None
    invocation_timeout: int | None = None
    interval: int | None = None
    endpoint: str | None = None


class HealthCheck(Struct, frozen=True, kw_only=True, gc=False):
    """How it is found out whether an instance is well: ``port``, ``process`` or ``http``."""

    type: str = ""
    data: HealthCheckData = HealthCheckData()


class ProcessInstance(Struct, frozen=True, kw_only=True, gc=False):
    """An instance as ``embed=process_instances`` tells it; `since` is how many seconds ago.

    `state` is ``RUNNING``, ``STARTING``, ``CRASHED``, ``DOWN`` or ``STOPPING``.
    """

    index: int
    state: str = ""
    since: int | None = None


class ProcessRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """Whose a process is."""

    app: Relationship = Relationship()
    revision: Relationship | None = None


class ProcessLinks(Struct, frozen=True, kw_only=True, gc=False):
    """What belongs to a process."""

    self: Link | None = None
    scale: Link | None = None
    app: Link | None = None
    space: Link | None = None
    stats: Link | None = None
    process_instances: Link | None = None


class Process(Resource, frozen=True, kw_only=True, gc=False):
    """One type of process of an app, such as ``web``; `instances` is how many it should have.

    `instances` is None where the server does not say. `process_instances` is set only where it was
    embedded. In lists `command` is redacted.
    """

    version: str | None = None
    type: str = ""
    command: str | None = None
    user: str | None = None
    instances: int | None = None
    memory_in_mb: int | None = None
    disk_in_mb: int | None = None
    log_rate_limit_in_bytes_per_second: int | None = None
    health_check: HealthCheck | None = None
    readiness_health_check: HealthCheck | None = None
    process_instances: list[ProcessInstance] | UnsetType = UNSET
    relationships: ProcessRelationships = ProcessRelationships()
    metadata: Metadata = field(default_factory=Metadata)
    links: ProcessLinks = ProcessLinks()


class InstancePort(Struct, frozen=True, kw_only=True, gc=False):
    """How a port of an instance is reached."""

    external: int | None = None
    internal: int | None = None
    external_tls_proxy_port: int | None = None
    internal_tls_proxy_port: int | None = None


class Usage(Struct, frozen=True, kw_only=True, gc=False):
    """What an instance uses: a share of CPU, bytes, bytes per second; empty without log-cache."""

    time: datetime | None = None
    cpu: float | None = None
    cpu_entitlement: float | None = None
    mem: int | None = None
    disk: int | None = None
    log_rate: int | None = None


class InstanceStats(Struct, frozen=True, kw_only=True, gc=False):
    """An instance in full. `details` says why it is DOWN or CRASHED, where that is known."""

    type: str = ""
    index: int
    instance_guid: str | None = None
    state: str = ""
    routable: bool | None = None
    host: str | None = None
    instance_internal_ip: str | None = None
    uptime: int | None = None
    mem_quota: int | None = None
    disk_quota: int | None = None
    log_rate_limit: int | None = None
    fds_quota: int | None = None
    isolation_segment: str | None = None
    details: str | None = None
    instance_ports: list[InstancePort] = []
    usage: Usage | None = None


class ProcessStats(Struct, frozen=True, kw_only=True, gc=False):
    """The instances of a process."""

    resources: list[InstanceStats]
