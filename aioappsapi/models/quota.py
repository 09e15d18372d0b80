"""Quotas, and what is used of them.

Source: https://v3-apidocs.cloudfoundry.org/#organization-quotas and #space-quotas
"""

from __future__ import annotations

from aioappsapi.models.base import Link, Ref, Resource, Struct


class AppQuota(Struct, frozen=True, kw_only=True, gc=False):
    """What the started apps may take; None is no limit."""

    total_memory_in_mb: int | None = None
    per_process_memory_in_mb: int | None = None
    total_instances: int | None = None
    per_app_tasks: int | None = None
    log_rate_limit_in_bytes_per_second: int | None = None


class Relationships(Struct, frozen=True, kw_only=True, gc=False):
    """Those that a quota is for."""

    data: list[Ref] = []


class QuotaRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """Whose a quota is: of organizations, or of spaces within one."""

    organizations: Relationships = Relationships()
    spaces: Relationships = Relationships()


class Quota(Resource, frozen=True, kw_only=True, gc=False):
    """What organizations or spaces may use, each of them for itself."""

    name: str = ""
    apps: AppQuota = AppQuota()
    services: dict[str, object] = {}
    routes: dict[str, object] = {}
    domains: dict[str, object] = {}
    relationships: QuotaRelationships = QuotaRelationships()
    links: dict[str, Link] = {}


class QuotaUsage(Struct, frozen=True, kw_only=True, gc=False):
    """What an organization or a space uses at the moment."""

    started_instances: int = 0
    memory_in_mb: int = 0
    routes: int = 0
    service_instances: int = 0
    reserved_ports: int = 0
    domains: int = 0
    per_app_tasks: int = 0
    service_keys: int = 0


class UsageSummary(Struct, frozen=True, kw_only=True, gc=False):
    """The answer that holds a usage."""

    usage_summary: QuotaUsage
    links: dict[str, Link] = {}
