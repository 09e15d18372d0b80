"""The shelf: the resources that belong to apps, and how they are created, found and removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import STARTED, App, guid_of, timestamp
from aioappsapi.sandbox.world.resources import (
    Build,
    Deployment,
    Droplet,
    Job,
    Package,
    Pending,
    Resource,
    Revision,
    Sidecar,
    Task,
)
from aioappsapi.sandbox.world.state import World

PATIENCE: Final = 1.0
DEFAULT_TYPES: Final[Mapping[str, str]] = {"web": "python app.py"}
_FIRST_REVISION: Final = "Initial revision."


class Shelf:
    """The resources of apps, in dictionaries by GUID in the order of creation.

    `staging_error` makes the next builds fail with this text.
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
        self._revisions_of: dict[str, list[Revision]] = {}
        self.sidecars: dict[str, Sidecar] = {}
        self.staging_error: str | None = None
        self._pending: list[Resource] = []

    def begin(self, resource: Resource, finish: Callable[[], None]) -> None:
        """Put the resource in progress for a moment, and call `finish` once after that."""
        resource.pending = Pending(self._world.clock() + PATIENCE, finish)
        self._pending.append(resource)

    def count_read(self, resource: Resource) -> None:
        """Count a read of the resource; the second read ends its work."""
        pending = resource.pending
        if pending is None:
            return
        if pending.seen:
            self._finish(resource, pending)
        pending.seen = True

    def cancel(self, resource: Resource) -> None:
        """End the work on a resource without its result."""
        resource.pending = None

    def run_due(self) -> None:
        """End all work that is due."""
        if not self._pending:
            return
        now = self._world.clock()
        for resource in self._pending:
            if resource.pending is not None and resource.pending.due <= now:
                self._finish(resource, resource.pending)
        self._pending = [r for r in self._pending if r.pending is not None]

    def current_droplet(self, app: App) -> Droplet | None:
        """Return the app's current droplet; it is created if only its GUID was set."""
        if app.droplet is None:
            return None
        found = self.droplets.get(app.droplet)
        return found or self.add_droplet(app, app.droplet)

    def add_droplet(self, app: App, droplet_guid: str) -> Droplet:
        """Add a staged droplet of the app, with its package."""
        docker = app.lifecycle == "docker"
        package = Package(guid=guid_of("package", droplet_guid), app=app)
        if docker:
            package.type, package.image = "docker", "registry.example.com/team/app:1.2"
        droplet = Droplet(guid=droplet_guid, app=app, package=package.guid, image=package.image)
        droplet.lifecycle, droplet.stack = app.lifecycle, None if docker else app.stack
        droplet.buildpacks = app.buildpacks or droplet.buildpacks
        self.packages[package.guid] = package
        self.droplets[droplet_guid] = droplet
        return droplet

    def start_command(self, app: App, kind: str) -> str:
        """Return the command of the current droplet for a type of process."""
        if app.droplet is None:
            return ""
        droplet = self.droplets.get(app.droplet)
        types = DEFAULT_TYPES if droplet is None else droplet.process_types
        return (types or {}).get(kind, "")

    def droplet(self, droplet_guid: str) -> Droplet | None:
        """Return the droplet with this GUID, from the shelf or as the current droplet of an app."""
        found = self.droplets.get(droplet_guid)
        if found is not None:
            return found
        apps = self._world.apps.values()
        app = next((app for app in apps if app.droplet == droplet_guid), None)
        return self.current_droplet(app) if app is not None else None

    def forget_droplet(self, droplet_guid: str) -> None:
        """Remove a droplet."""
        self.droplets.pop(droplet_guid, None)

    def forget_package(self, package_guid: str) -> None:
        """Remove a package."""
        self.packages.pop(package_guid, None)

    def forget_app(self, app: App) -> None:
        """Remove all resources of a deleted app."""
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
                self.cancel(shelf.pop(guid))
        self._revisions_of.pop(app.guid, None)

    def running_deployment(self, app: App) -> Deployment | None:
        """Return the active deployment of an app, or None."""
        rows = self.deployments.values()
        return next((d for d in rows if d.app is app and d.phase.active), None)

    def latest_revision(self, app: App) -> Revision | None:
        """Return the app's latest revision; an app that was started has at least one.

        The first revision is created when it is read, or before the app changes.
        """
        rows = self._revisions_of.get(app.guid)
        if rows:
            return rows[-1]
        started = app.launches or app.state == STARTED
        return self._add_revision(app, _FIRST_REVISION) if started and _can_revise(app) else None

    def resolve_revision(self, app: App) -> Revision | None:
        """Return the revision to start now: the latest, or a new revision after a change."""
        if not _can_revise(app):
            return None
        latest = self.latest_revision(app)
        if latest is None:
            return self._add_revision(app, _FIRST_REVISION)
        reasons = changes(latest, self.snapshot(app))
        return self._add_revision(app, " ".join(reasons)) if reasons else latest

    def revision(self, wanted: str) -> Revision | None:
        """Return the revision with this GUID; the first revision of an app may be created now."""
        found = self.revisions.get(wanted)
        if found is None:
            for app in self._world.apps.values():
                if revision_guid(app, 1) == wanted:
                    return self.latest_revision(app)
        return found

    def roll_back(self, app: App, target: Revision) -> Revision | None:
        """Return a new revision equal to an earlier one, or None if the latest is equal to it."""
        latest = self.latest_revision(app)
        reasons = [] if latest is None else changes(latest, target)
        if not reasons:
            return None
        text = " ".join([*reasons, f"Rolled back to revision {target.number}."])
        return self._add_revision(app, text, target)

    def snapshot(self, app: App) -> Revision:
        """Return the present app as a revision that is not stored yet."""
        beside = [one for one in self.sidecars.values() if one.app is app]
        return Revision(
            guid="",
            app=app,
            droplet=app.droplet,
            environment=dict(app.environment or {}),
            commands={process.type: process.command for process in app.processes},
            sidecars=[_sidecar(one) for one in beside],
        )

    def sidecar_memory(self, app: App, kind: str, but: Sidecar | None = None) -> int:
        """Return the memory in MB that the sidecars of one type of process need, except for one."""
        return sum(
            one.memory_in_mb or 0
            for one in self.sidecars.values()
            if one.app is app and kind in one.process_types and one is not but
        )

    def revisions_of(self, app: App) -> list[Revision]:
        """Return the app's revisions, the oldest first."""
        self.latest_revision(app)
        return self._revisions_of.get(app.guid, [])

    def _add_revision(self, app: App, text: str, like: Revision | None = None) -> Revision:
        rows = self._revisions_of.setdefault(app.guid, [])
        source = like or self.snapshot(app)
        number = rows[-1].number + 1 if rows else 1
        made = replace(
            source, guid=revision_guid(app, number), number=number, description=text, labels={}
        )
        made.created_at = made.updated_at = timestamp()
        rows.append(made)
        self.revisions[made.guid] = made
        return made

    def _finish(self, resource: Resource, pending: Pending) -> None:
        resource.pending = None
        pending.finish()
        resource.touch()


def revision_guid(app: App, number: int) -> str:
    """Return the GUID of an app's n-th revision, even before it exists."""
    return guid_of("revision", app.guid, number)


def changes(old: Revision, new: Revision) -> list[str]:
    """Describe the changes in a new revision, with the texts and order of the server."""
    found = []
    if old.droplet != new.droplet:
        found.append("New droplet deployed.")
    if old.environment != new.environment:
        found.append("New environment variables deployed.")
    if old.sidecars != new.sidecars:
        found.append("Sidecars updated.")
    for kind in {**old.commands, **new.commands}:
        found += _command_change(kind, old.commands, new.commands)
    return sorted(found)


def _command_change(kind: str, old: dict[str, str | None], new: dict[str, str | None]) -> list[str]:
    if kind not in old:
        return [f"New process type '{kind}' added."]
    if kind not in new:
        return [f"Process type '{kind}' removed."]
    before, after = old[kind], new[kind]
    if before == after:
        return []
    verb = "added" if before is None else "removed" if after is None else "updated"
    return [f"Custom start command {verb} for '{kind}' process."]


def _can_revise(app: App) -> bool:
    return app.droplet is not None and app.has("revisions")


def _sidecar(sidecar: Sidecar) -> Json:
    return {
        "name": sidecar.name,
        "command": sidecar.command,
        "memory_in_mb": sidecar.memory_in_mb,
        "process_types": sidecar.process_types,
    }
