"""Quotas and their usage.

Source: https://v3-apidocs.cloudfoundry.org/#organization-quotas and #space-quotas
"""

from __future__ import annotations

from aioappsapi.models.base import Link, Ref, Resource, Struct


class AppQuota(Struct, frozen=True, kw_only=True, gc=False):
    """The limits for started apps. None means no limit."""

    total_memory_in_mb: int | None = None
    per_process_memory_in_mb: int | None = None
    total_instances: int | None = None
    per_app_tasks: int | None = None
    log_rate_limit_in_bytes_per_second: int | None = None


class Relationships(Struct, frozen=True, kw_only=True, gc=False):
    """The organizations or spaces that a quota applies to."""

    data: list[Ref] = []


class QuotaRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """The organizations, or the spaces of one organization, that a quota applies to."""

    organizations: Relationships = Relationships()
    spaces: Relationships = Relationships()


class Quota(Resource, frozen=True, kw_only=True, gc=False):
    """A quota. It applies to each of its organizations or spaces separately."""

    name: str = ""
    apps: AppQuota = AppQuota()
    services: dict[str, object] = {}
    routes: dict[str, object] = {}
    domains: dict[str, object] = {}
    relationships: QuotaRelationships = QuotaRelationships()
    links: dict[str, Link] = {}


class QuotaUsage(Struct, frozen=True, kw_only=True, gc=False):
    """The present usage of an organization or a space."""

    started_instances: int = 0
    memory_in_mb: int = 0
    routes: int = 0
    service_instances: int = 0
    reserved_ports: int = 0
    domains: int = 0
    per_app_tasks: int = 0
    service_keys: int = 0
