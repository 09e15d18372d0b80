"""Builds and packages, from which droplets are made.

Source: https://v3-apidocs.cloudfoundry.org/#builds and #packages
"""

from __future__ import annotations

from msgspec import field

from aioappsapi.models.app import Lifecycle
from aioappsapi.models.base import Link, Metadata, Ref, Resource, Struct
from aioappsapi.models.droplet import AppOwned, Checksum


class Creator(Struct, frozen=True, kw_only=True, gc=False):
    """The user or client that began a build."""

    guid: str | None = None
    name: str | None = None
    email: str | None = None


class Build(Resource, frozen=True, kw_only=True, gc=False):
    """A build, which makes a droplet from a package.

    `state` is ``STAGING``, ``STAGED`` or ``FAILED``; `error` says why it failed.
    """

    state: str = ""
    staging_memory_in_mb: int | None = None
    staging_disk_in_mb: int | None = None
    staging_log_rate_limit_bytes_per_second: int | None = None
    error: str | None = None
    lifecycle: Lifecycle = Lifecycle(type="")
    package: Ref | None = None
    droplet: Ref | None = None
    created_by: Creator | None = None
    relationships: AppOwned = AppOwned()
    metadata: Metadata = field(default_factory=Metadata)
    links: dict[str, Link] = {}


class PackageData(Struct, frozen=True, kw_only=True, gc=False):
    """The checksum of a package's bits, or its docker image.

    `password` holds stars, never the password.
    """

    error: str | None = None
    checksum: Checksum | None = None
    image: str | None = None
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"<PackageData image={self.image!r}>"


class Package(Resource, frozen=True, kw_only=True, gc=False):
    """An app's code, as ``bits`` or as a ``docker`` image."""

    type: str = ""
    data: PackageData = PackageData()
    state: str = ""
    relationships: AppOwned = AppOwned()
    metadata: Metadata = field(default_factory=Metadata)
    links: dict[str, Link] = {}
