"""Apps. Source: https://v3-apidocs.cloudfoundry.org/#apps."""

from __future__ import annotations

from msgspec import UNSET, UnsetType, field

from aioappsapi.errors import NotIncludedError
from aioappsapi.models.base import Link, Metadata, Relationship, Resource, Struct
from aioappsapi.models.organization import Organization
from aioappsapi.models.space import Space


class LifecycleData(Struct, frozen=True, kw_only=True, gc=False):
    """What an app is built with: empty for docker.

    `credentials` never carries a secret: the server answers with stars.
    """

    buildpacks: list[str] | None = None
    stack: str | None = None
    credentials: str | dict[str, object] | None = None

    def __repr__(self) -> str:
        # Without the credentials, which are real ones on the way to the server.
        return f"<LifecycleData buildpacks={self.buildpacks} stack={self.stack!r}>"


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
    instances. `space` and `organization` are there on apps that were asked for with
    ``include=["space"]`` or ``include=["space.organization"]``.
    """

    name: str = ""
    state: str = ""
    lifecycle: Lifecycle = Lifecycle(type="")
    relationships: AppRelationships = AppRelationships()
    metadata: Metadata = field(default_factory=Metadata)
    links: AppLinks = AppLinks()
    # Set once by the join of a page with what it includes; never on the wire of a single app.
    included_space: Space | UnsetType = UNSET
    included_organization: Organization | UnsetType = UNSET

    @property
    def space(self) -> Space:
        """The space, if it was included. Raises NotIncludedError otherwise."""
        if isinstance(self.included_space, UnsetType):
            raise NotIncludedError("space", ask_for="space")
        return self.included_space

    @property
    def organization(self) -> Organization:
        """The organization, if it was included. Raises NotIncludedError otherwise."""
        if isinstance(self.included_organization, UnsetType):
            raise NotIncludedError("organization", ask_for="space.organization")
        return self.included_organization
