"""What belongs to apps, put on the sandbox's shelf as a recording shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from aioappsapi.sandbox.world.model import App, Process
from aioappsapi.sandbox.world.resources import (
    Build,
    Deployment,
    Droplet,
    Job,
    Package,
    Revision,
    Shelf,
    Task,
)
from aioappsapi.sandbox.world.state import World

UNKNOWN = "00000000-0000-4000-8000-000000000000"
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
WEB_SHOP = "2e81a8f9-1980-4124-9d26-021146722b83"


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every object at any depth."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


class Stock:
    """The part of a recording's world that is not apps, people or places."""

    request: dict[str, Any]
    json: Any
    body: Any
    parts: list[str]
    headers: dict[str, str]
    world: World
    shelf: Shelf

    def detail(self, text: str) -> bool:
        """Whether the recorded refusal says this."""
        raise NotImplementedError

    def invent(self, guid: str) -> None:
        """Make up an app that no recording shows."""
        raise NotImplementedError

    def apps_asked(self) -> list[App]:
        """The apps that the request names."""
        raise NotImplementedError

    def _add_resources(self) -> None:
        if self.request["method"] == "GET" or self.parts[-1] in {"cancel", "continue"}:
            self._add_recorded()
        guids = [guid for guid in self.parts if GUID.fullmatch(guid) and guid != UNKNOWN]
        makers = {
            "packages": self._package,
            "deployments": self._deployment,
            "tasks": self._task,
            "droplets": self._droplet,
        }
        for kind, make in makers.items():
            if self.parts[1:2] == [kind] and not self.detail("not found"):
                shelved: dict[str, Any] = getattr(self.shelf, kind)
                for guid in guids:
                    if guid not in shelved:
                        make({"guid": guid})
        for fields in walk(self.body):
            self._from_body(fields)

    def _from_body(self, fields: dict[str, Any]) -> None:
        package = (fields.get("package") or {}).get("guid")
        if package and not self.detail("Unable to use package"):
            self._package({"guid": package})
            if self.detail("Only one build"):
                app = self._app_of({})
                build = Build(guid=package[::-1], app=app, package=package)
                self.shelf.builds[build.guid] = build
        app = self._app_of(fields)
        droplet = (fields.get("droplet") or {}).get("guid")
        if self.parts[-1] == "current_droplet" and isinstance(fields.get("data"), dict):
            droplet = fields["data"].get("guid")
            app = self.world.apps.get(self.parts[2], app)
        if droplet and droplet != UNKNOWN and not self.detail("belongs to this app"):
            self.shelf.droplets[droplet] = Droplet(guid=droplet, app=app)
        if "source_guid=" in self.request["target"]:
            source = self.request["target"].partition("source_guid=")[2]
            self.shelf.droplets[source] = self._with_types(Droplet(guid=source, app=app))

    def _with_types(self, droplet: Droplet) -> Droplet:
        types = (self.json or {}).get("process_types")
        if types and "redacted_message" not in types:
            droplet.process_types = types
        return droplet

    def _add_recorded(self) -> None:
        if not isinstance(self.json, dict):
            return
        rows = self.json.get("resources") or [self.json]
        for row in rows:
            if "guid" in row:
                self._add_row(row)
        total = self.json.get("pagination", {}).get("total_results", 0)
        for number in range(total - len(rows) if "builds" in self.parts else 0):
            self._add_row({**rows[0], "guid": f"more-{number}"})

    def _add_row(self, row: dict[str, Any]) -> None:
        makers = {
            "operation": self._job,
            "execution_metadata": self._droplet,
            "staging_memory_in_mb": self._build,
            "strategy": self._deployment,
            "sequence_id": self._task,
            "deployable": self._revision,
        }
        for key, make in makers.items():
            if key in row:
                make(row)
                return
        if row.get("type") in {"bits", "docker"}:
            self._package(row)

    def _app_of(self, row: dict[str, Any]) -> App:
        links = row.get("relationships")
        own = (self.json or {}).get("relationships") if isinstance(self.json, dict) else None
        for found in (links, own):
            if isinstance(found, dict) and isinstance(found.get("app"), dict):
                guid = found["app"]["data"]["guid"]
                if guid in self.world.apps:
                    return self.world.apps[guid]
        return self.world.apps[WEB_SHOP]

    def _job(self, row: dict[str, Any]) -> None:
        job = Job(guid=row["guid"], operation=row["operation"], state=row["state"])
        job.errors = row["errors"]
        if "app" in row["links"]:
            job.app = row["links"]["app"]["href"].rpartition("/")[2]
            if job.app not in self.world.apps:
                self.invent(job.app)
        self.shelf.jobs[job.guid] = job

    def _droplet(self, row: dict[str, Any]) -> None:
        app = self._app_of(row)
        droplet = Droplet(guid=row["guid"], app=app, image=row.get("image"))
        droplet.package = droplet.guid[::-1]
        if "package" in row.get("links", {}):
            droplet.package = row["links"]["package"]["href"].rpartition("/")[2]
        types = row.get("process_types")
        if types and "redacted_message" not in types:
            droplet.process_types = types
        self.shelf.droplets[droplet.guid] = droplet

    def _package(self, row: dict[str, Any]) -> None:
        package = Package(guid=row["guid"], app=self._app_of(row), type=row.get("type", "bits"))
        data = row.get("data") or {}
        package.image, package.username = data.get("image"), data.get("username")
        package.password = data.get("password")
        self.shelf.packages[package.guid] = package

    def _build(self, row: dict[str, Any]) -> None:
        build = Build(guid=row["guid"], app=self._app_of(row), package=row["package"]["guid"])
        build.state, build.error = row["state"], row["error"]
        build.droplet = (row["droplet"] or {}).get("guid")
        build.labels = row["metadata"]["labels"]
        self.shelf.builds[build.guid] = build

    def _deployment(self, row: dict[str, Any]) -> None:
        deployment = Deployment(guid=row["guid"], app=self._app_of(row))
        status = row.get("status", {})
        deployment.value = status.get("value", "ACTIVE")
        paused = "PAUSED" if self.parts[-1] == "continue" else "DEPLOYING"
        deployment.reason = status.get("reason", paused)
        recorded = (self.json or {}).get("status")
        if self.request["method"] == "PATCH" and recorded:
            deployment.value, deployment.reason = recorded["value"], recorded["reason"]
        deployment.strategy = row.get("strategy", "rolling")
        deployment.process = deployment.guid if row.get("new_processes", True) else None
        deployment.labels = dict(row.get("metadata", {}).get("labels", {}))
        if self.request["method"] == "PATCH":
            deployment.labels = dict(self.json["metadata"]["labels"])
        self.shelf.deployments[deployment.guid] = deployment

    def _task(self, row: dict[str, Any]) -> None:
        task = Task(guid=row["guid"], app=self._app_of(row), command="x", name="x")
        self.shelf.tasks[task.guid] = task

    def _revision(self, row: dict[str, Any]) -> None:
        app = self._app_of(row)
        revision = Revision(guid=row["guid"], app=app, number=row["version"])
        revision.droplet, revision.sidecars = row["droplet"]["guid"], row["sidecars"]
        app.droplet = revision.droplet
        app.processes = [Process(f"{app.guid}-{kind}", kind) for kind in row["processes"]]
        self.shelf.revisions[revision.guid] = revision

    # Instances.

    def _set_instances(self) -> None:
        for app in self.apps_asked():
            kinds = set(self.parts) & {"worker"}
            app.processes += [Process(f"{app.guid[:-1]}e", kind, 0) for kind in kinds]
            wanted = {p.guid: p for p in app.processes}.get(app.guid)
            if wanted is not None:
                self._set_process(app, wanted)
        if "revisions" in self.parts[1:2]:
            guid = self.parts[2]
            if guid not in self.shelf.revisions:
                app = self.world.apps[WEB_SHOP]
                env = self.json.get("var")
                self.shelf.revisions[guid] = Revision(guid=guid, app=app, environment=env)

    def _set_process(self, app: App, process: Process) -> None:
        fields = self.json if isinstance(self.json, dict) else {}
        rows = fields.get("resources") or []
        if self.parts[-1] == "stats" and "worker" not in self.parts and rows:
            process.states = [row["state"] for row in rows]
        if "health_check" in fields:
            process.health_check = fields["health_check"]
            process.labels = dict(fields["metadata"]["labels"])
        if "process_instances" in self.request["target"]:
            app.state = "STARTED"
        warnings = self.headers.get("x-cf-warnings", "")
        self.world.log_cache = not warnings.startswith("Stats")
