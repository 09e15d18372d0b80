"""Revisions: what an app was at a time. Source: https://v3-apidocs.cloudfoundry.org/#revisions."""

from __future__ import annotations

from msgspec import field

from aioappsapi.models.base import Link, Metadata, Ref, Resource, Struct
from aioappsapi.models.droplet import AppOwned


class RevisionProcess(Struct, frozen=True, kw_only=True, gc=False):
    """The command of a process at the time; None for the droplet's own."""

    command: str | None = None


class RevisionSidecar(Struct, frozen=True, kw_only=True, gc=False):
    """A sidecar of an app at the time."""

    name: str = ""
    command: str | None = None
    memory_in_mb: int | None = None
    process_types: list[str] = []


class Revision(Resource, frozen=True, kw_only=True, gc=False):
    """A revision of an app; `deployable` tells whether its droplet is still there."""

    version: int | None = None
    droplet: Ref | None = None
    processes: dict[str, RevisionProcess] = {}
    sidecars: list[RevisionSidecar] = []
    description: str | None = None
    deployable: bool | None = None
    relationships: AppOwned = AppOwned()
    metadata: Metadata = field(default_factory=Metadata)
    links: dict[str, Link] = {}
