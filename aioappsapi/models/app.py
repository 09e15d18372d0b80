"""Apps. Source: https://v3-apidocs.cloudfoundry.org/#apps."""

from __future__ import annotations

from msgspec import UNSET, UnsetType, field

from aioappsapi.errors import NotIncludedError
from aioappsapi.models.base import Link, Metadata, Relationship, Resource, Struct
from aioappsapi.models.organization import Organization
from aioappsapi.models.space import Space


class LifecycleData(Struct, frozen=True, kw_only=True, gc=False):
    """The buildpacks and the stack that an app is built with; empty for docker.

    `credentials` in an answer holds no secret: the server sends stars instead. The repr leaves it
    out, because in a request it does hold one.
    """

    buildpacks: list[str] | None = None
    stack: str | None = None
    credentials: str | dict[str, object] | None = None

    def __repr__(self) -> str:
        return f"<LifecycleData buildpacks={self.buildpacks} stack={self.stack!r}>"


class Lifecycle(Struct, frozen=True, kw_only=True, gc=False):
    """The way an app is built. `type` is ``buildpack``, ``cnb`` or ``docker``."""

    type: str
    data: LifecycleData = LifecycleData()


class AppRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """The space of an app and its current droplet, whose GUID is None if the app has none."""

    space: Relationship = Relationship()
    current_droplet: Relationship | None = None


class AppLinks(Struct, frozen=True, kw_only=True, gc=False):
    """The links of an app. The API has none for restart."""

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
    """An app.

    `state` is the *requested* state, ``STARTED`` or ``STOPPED``; it says nothing about running
    instances. `space` and `organization` exist only on apps that were read with
    ``include=["space"]`` or ``include=["space.organization"]``.
    """

    name: str = ""
    state: str = ""
    lifecycle: Lifecycle = Lifecycle(type="")
    relationships: AppRelationships = AppRelationships()
    metadata: Metadata = field(default_factory=Metadata)
    links: AppLinks = AppLinks()
    # Set once, from the `included` part of the answer; the API never sends them in an app.
    included_space: Space | UnsetType = UNSET
    included_organization: Organization | UnsetType = UNSET

    @property
    def space(self) -> Space:
        """The space of the app. Raises NotIncludedError if it was not included."""
        if isinstance(self.included_space, UnsetType):
            raise NotIncludedError("space", ask_for="space")
        return self.included_space

    @property
    def organization(self) -> Organization:
        """The organization of the app. Raises NotIncludedError if it was not included."""
        if isinstance(self.included_organization, UnsetType):
            raise NotIncludedError("organization", ask_for="space.organization")
        return self.included_organization
