"""What belongs to apps and is made by requests: droplets, packages, builds, tasks, jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from .json_types import Json
from .model import App, guid_of, timestamp
from .state import World

PATIENCE: Final = 1.0


@dataclass(slots=True)
class Pending:
    """Work in progress: it ends at `due`, or when somebody asks for it the second time."""

    due: float
    finish: Callable[[], None]
    seen: bool = False


@dataclass(slots=True, kw_only=True)
class Resource:
    """What every resource has."""

    guid: str
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    created_at: str = field(default_factory=timestamp)
    updated_at: str = field(default_factory=timestamp)
    pending: Pending | None = None

    def touch(self) -> None:
        """Note that something changed."""
        self.updated_at = timestamp()


@dataclass(slots=True, kw_only=True)
class Droplet(Resource):
    """An app, staged and ready to run."""

    app: App
    state: str = "STAGED"
    image: str | None = None
    package: str | None = None
    process_types: dict[str, str] = field(default_factory=lambda: {"web": "python app.py"})
    buildpacks: list[str] = field(default_factory=lambda: ["python_buildpack"])


@dataclass(slots=True, kw_only=True)
class Package(Resource):
    """The source of an app, or the name of its image."""

    app: App
    type: str = "bits"
    state: str = "READY"
    image: str | None = None
    username: str | None = None
    password: str | None = None
    uploaded: bool = True


@dataclass(slots=True, kw_only=True)
class Build(Resource):
    """The staging of a package."""

    app: App
    package: str
    state: str = "STAGING"
    droplet: str | None = None
    error: str | None = None
    creator: tuple[str, str, str] = ("", "", "")


@dataclass(slots=True, kw_only=True)
class Deployment(Resource):
    """The exchange of an app's instances for new ones, some at a time.

    There were `original` web instances, and there are to be `wanted` ones of the new `process`.
    """

    app: App
    strategy: str = "rolling"
    value: str = "ACTIVE"
    reason: str = "DEPLOYING"
    droplet: str | None = None
    previous_droplet: str | None = None
    process: str | None = None
    max_in_flight: int = 1
    original: int = 1
    wanted: int = 1
    continued: bool = False
    seen: bool = False
    status_changed_at: str = field(default_factory=timestamp)

    def turn(self, value: str, reason: str) -> None:
        """Enter the next status."""
        self.value, self.reason = value, reason
        self.status_changed_at = timestamp()
        self.touch()


@dataclass(slots=True, kw_only=True)
class Task(Resource):
    """A command that runs once."""

    app: App
    command: str
    name: str
    sequence: int = 1
    state: str = "RUNNING"
    memory_in_mb: int = 1024
    disk_in_mb: int = 1024
    droplet: str | None = None


@dataclass(slots=True, kw_only=True)
class Job(Resource):
    """Work that goes on after the answer; `app` is the GUID of the app it is for."""

    operation: str
    app: str | None = None
    state: str = "PROCESSING"
    errors: list[Json] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Revision(Resource):
    """An app's droplet, variables and commands at a time."""

    app: App
    number: int = 1
    droplet: str | None = None
    description: str = "Initial revision."
    environment: Json | None = None
    sidecars: list[Json] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Sidecar(Resource):
    """A command that runs beside some of an app's processes."""

    app: App
    name: str
    command: str
    process_types: list[str] = field(default_factory=list)
    memory_in_mb: int | None = None


class Shelf:
    """Everything made for apps, in dictionaries by GUID in the order of creation.

    `staging_error` makes the next builds fail with these words.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.droplets: dict[str, Droplet] = {}
        self.packages: dict[str, Package] = {}
        self.builds: dict[str, Build] = {}
        self.deployments: dict[str, Deployment] = {}
        self.tasks: dict[str, Task] = {}
        self.jobs: dict[str, Job] = {}
        self.revisions: dict[str, Revision] = {}
        self.sidecars: dict[str, Sidecar] = {}
        self.staging_error: str | None = None
        self._pending: list[Resource] = []

    def begin(self, resource: Resource, finish: Callable[[], None]) -> None:
        """Let the resource be in progress for a moment; then `finish` is called once."""
        resource.pending = Pending(self._world.clock() + PATIENCE, finish)
        self._pending.append(resource)

    def look_at(self, resource: Resource) -> None:
        """Note that somebody asks for the resource, which ends its work at the second time."""
        pending = resource.pending
        if pending is None:
            return
        if pending.seen:
            self._finish(resource, pending)
        pending.seen = True

    def abandon(self, resource: Resource) -> None:
        """End the work on a resource without its result."""
        resource.pending = None

    def settle(self) -> None:
        """End all work whose time is over."""
        if not self._pending:
            return
        now = self._world.clock()
        for resource in self._pending:
            if resource.pending is not None and resource.pending.due <= now:
                self._finish(resource, resource.pending)
        self._pending = [r for r in self._pending if r.pending is not None]

    def current_droplet(self, app: App) -> Droplet | None:
        """Return the app's current droplet; one that was set as a bare GUID is made up."""
        if app.droplet is None:
            return None
        found = self.droplets.get(app.droplet)
        return found or self.add_droplet(app, app.droplet)

    def add_droplet(self, app: App, droplet_guid: str) -> Droplet:
        """Put a staged droplet of the app on the shelf, with the package it came from."""
        docker = app.lifecycle == "docker"
        package = Package(guid=guid_of("package", droplet_guid), app=app)
        if docker:
            package.type, package.image = "docker", "registry.example.com/team/app:1.2"
        droplet = Droplet(guid=droplet_guid, app=app, package=package.guid, image=package.image)
        self.packages[package.guid] = package
        self.droplets[droplet_guid] = droplet
        return droplet

    def droplet(self, droplet_guid: str) -> Droplet | None:
        """Return the droplet with this GUID, on the shelf or current somewhere."""
        found = self.droplets.get(droplet_guid)
        if found is not None:
            return found
        apps = self._world.apps.values()
        app = next((app for app in apps if app.droplet == droplet_guid), None)
        return self.current_droplet(app) if app is not None else None

    def forget_droplet(self, droplet_guid: str) -> None:
        """Take a droplet off the shelf."""
        self.droplets.pop(droplet_guid, None)

    def forget_app(self, app: App) -> None:
        """Take everything of a deleted app off the shelf."""
        shelves: tuple[Json, ...] = (
            self.droplets,
            self.packages,
            self.builds,
            self.deployments,
            self.tasks,
            self.revisions,
            self.sidecars,
        )
        for shelf in shelves:
            for guid in [guid for guid, row in shelf.items() if row.app is app]:
                self.abandon(shelf.pop(guid))

    def running_deployment(self, app: App) -> Deployment | None:
        """Return the deployment that is not over yet."""
        rows = self.deployments.values()
        return next((d for d in rows if d.app is app and d.value == "ACTIVE"), None)

    def current_revision(self, app: App) -> Revision | None:
        """Return what runs of the app now, in the form of a revision."""
        if app.droplet is None:
            return None
        for revision in self.revisions_of(app):
            if revision.droplet == app.droplet:
                return revision
        number = 1 + sum(1 for _ in self.revisions_of(app))
        first = Revision(guid=guid_of("revision", app.guid, number), app=app, number=number)
        first.droplet, first.environment = app.droplet, dict(app.environment or {})
        if number > 1:
            first.description = "New droplet deployed."
        self.revisions[first.guid] = first
        return first

    def revisions_of(self, app: App) -> Iterator[Revision]:
        """Iterate over the app's revisions, the oldest first."""
        return (revision for revision in self.revisions.values() if revision.app is app)

    def _finish(self, resource: Resource, pending: Pending) -> None:
        resource.pending = None
        pending.finish()
        resource.touch()
