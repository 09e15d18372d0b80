"""Tasks: one-off processes of an app. Source: https://v3-apidocs.cloudfoundry.org/#tasks."""

from __future__ import annotations

from msgspec import field

from aioappsapi.models.base import Link, Metadata, Resource, Struct
from aioappsapi.models.droplet import AppOwned


class TaskResult(Struct, frozen=True, kw_only=True, gc=False):
    """How a task ended."""

    failure_reason: str | None = None


class Task(Resource, frozen=True, kw_only=True, gc=False):
    """A task. In lists `command` is left out."""

    sequence_id: int | None = None
    name: str = ""
    command: str | None = None
    user: str | None = None
    state: str = ""
    memory_in_mb: int | None = None
    disk_in_mb: int | None = None
    log_rate_limit_in_bytes_per_second: int | None = None
    result: TaskResult | None = None
    droplet_guid: str | None = None
    relationships: AppOwned = AppOwned()
    metadata: Metadata = field(default_factory=Metadata)
    links: dict[str, Link] = {}
