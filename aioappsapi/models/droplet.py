"""Droplets, which apps run. Source: https://v3-apidocs.cloudfoundry.org/#droplets."""

from __future__ import annotations

from msgspec import field

from aioappsapi.models.app import Lifecycle
from aioappsapi.models.base import Link, Metadata, Ref, Relationship, Resource, Struct


class Checksum(Struct, frozen=True, kw_only=True, gc=False):
    """The checksum of some bits. `value` is None before they are uploaded."""

    type: str = ""
    value: str | None = None


class DropletBuildpack(Struct, frozen=True, kw_only=True, gc=False):
    """A buildpack that took part in making a droplet."""

    name: str = ""
    detect_output: str | None = None
    buildpack_name: str | None = None
    version: str | None = None


class AppOwned(Struct, frozen=True, kw_only=True, gc=False):
    """The app that a resource belongs to."""

    app: Relationship = Relationship()


class Droplet(Resource, frozen=True, kw_only=True, gc=False):
    """A droplet. `image` is set for docker only; lists redact the commands in `process_types`."""

    state: str = ""
    error: str | None = None
    lifecycle: Lifecycle = Lifecycle(type="")
    execution_metadata: str | None = None
    process_types: dict[str, str] | None = None
    checksum: Checksum | None = None
    buildpacks: list[DropletBuildpack] | None = None
    stack: str | None = None
    image: str | None = None
    relationships: AppOwned = AppOwned()
    metadata: Metadata = field(default_factory=Metadata)
    links: dict[str, Link] = {}


class DropletAssociation(Struct, frozen=True, kw_only=True, gc=False):
    """The GUID of an app's current droplet."""

    data: Ref | None = None
    links: dict[str, Link] = {}
