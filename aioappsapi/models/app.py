"""Apps. Source: https://v3-apidocs.cloudfoundry.org/#apps."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from aioappsapi.models.base import Link, Metadata, Pagination, Relationship, Resource, Struct
from aioappsapi.models.organization import Organization
from aioappsapi.models.space import Space


class LifecycleData(Struct, frozen=True, kw_only=True, gc=False):
    """What an app is built with: empty for docker.

    `credentials` never carries a secret: the server answers with stars.
    """

    buildpacks: list[str] | None = None
    stack: str | None = None
    credentials: str | dict[str, str] | None = None


class Lifecycle(Struct, frozen=True, kw_only=True, gc=False):
    """How an app becomes a droplet: ``buildpack``, ``cnb`` or ``docker``."""

    type: str
    data: LifecycleData = LifecycleData()


class AppRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """Where an app lives and what it would run; the droplet's GUID is None where it has none."""

    space: Relationship = Relationship()
    current_droplet: Relationship | None = None


class AppLinks(Struct, frozen=True, kw_only=True, gc=False):
    """What belongs to an app. There is no link for restart."""

    self: Link | None = None
    environment_variables: Link | None = None
    space: Link | None = None
    processes: Link | None = None
    packages: Link | None = None
    current_droplet: Link | None = None
    droplets: Link | None = None
    tasks: Link | None = None
    start: Link | None = None
    stop: Link | None = None
    clear_buildpack_cache: Link | None = None
    revisions: Link | None = None
    deployed_revisions: Link | None = None
    features: Link | None = None


class App(Resource, frozen=True, kw_only=True, gc=False):
    """An app as the server knows it.

    `state` is what is *asked for*, ``STARTED`` or ``STOPPED``; it says nothing of running
    instances.
    """

    name: str = ""
    state: str = ""
    lifecycle: Lifecycle = Lifecycle(type="")
    relationships: AppRelationships = AppRelationships()
    metadata: Metadata = Metadata()
    links: AppLinks = AppLinks()


class Included(Struct, frozen=True, kw_only=True, gc=False):
    """The related resources that `include` asked for, each once."""

    spaces: list[Space] = []
    organizations: list[Organization] = []


class AppPage(Struct, frozen=True, kw_only=True, gc=False):
    """One page of a list of apps, as the wire has it."""

    pagination: Pagination
    resources: list[App]
    included: Included | UnsetType = UNSET


__all__ = [
    "App",
    "AppLinks",
    "AppPage",
    "AppRelationships",
    "Included",
    "Lifecycle",
    "LifecycleData",
]
