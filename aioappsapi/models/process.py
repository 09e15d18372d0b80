"""Processes and their instances. Source: https://v3-apidocs.cloudfoundry.org/#processes."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, UnsetType, field

from aioappsapi.models.base import Link, Metadata, Relationship, Resource, Struct


class HealthCheckData(Struct, frozen=True, kw_only=True, gc=False):
    """The settings of a health check. Times are in seconds; None is the platform's default."""

    timeout: int | None = None
    invocation_timeout: int | None = None
    interval: int | None = None
    endpoint: str | None = None


class HealthCheck(Struct, frozen=True, kw_only=True, gc=False):
    """The check of an instance by the platform. `type` is ``port``, ``process`` or ``http``."""

    type: str = ""
    data: HealthCheckData = HealthCheckData()


class ProcessInstance(Struct, frozen=True, kw_only=True, gc=False):
    """An instance of a process, as embedded in its process.

    `state` is ``RUNNING``, ``STARTING``, ``CRASHED``, ``DOWN`` or ``STOPPING``. `since` is the
    number of seconds in that state.
    """

    index: int
    state: str = ""
    since: int | None = None


class ProcessRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """The app and the revision of a process."""

    app: Relationship = Relationship()
    revision: Relationship | None = None


class ProcessLinks(Struct, frozen=True, kw_only=True, gc=False):
    """The links of a process."""

    self: Link | None = None
    scale: Link | None = None
    app: Link | None = None
    space: Link | None = None
    stats: Link | None = None
    process_instances: Link | None = None


class Process(Resource, frozen=True, kw_only=True, gc=False):
    """A process of an app, such as ``web``. `instances` is the requested number of instances.

    `instances` is None if the server does not say. `process_instances` is UNSET unless it was
    embedded. Lists redact `command`.
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
    """The numbers of a port, inside and outside of its instance."""

    external: int | None = None
    internal: int | None = None
    external_tls_proxy_port: int | None = None
    internal_tls_proxy_port: int | None = None


class Usage(Struct, frozen=True, kw_only=True, gc=False):
    """The resources that an instance uses.

    `cpu` is a share (1.0 is one core), `mem` and `disk` are in bytes, `log_rate` in bytes a second.
    All are None if the platform's log-cache does not answer.
    """

    time: datetime | None = None
    cpu: float | None = None
    cpu_entitlement: float | None = None
    mem: int | None = None
    disk: int | None = None
    log_rate: int | None = None


class InstanceStats(Struct, frozen=True, kw_only=True, gc=False):
    """An instance with its usage and limits.

    `details` is the reason why no cell takes it (DOWN); for a crash it is usually None.
    `uptime` is in seconds, quotas are in bytes.
    """

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
    """The instances of a process, one entry for each."""

    resources: list[InstanceStats]
