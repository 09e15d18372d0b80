"""Builds the sandbox's state from a recording, so that the recorded request can be asked of it."""

from __future__ import annotations

import json
import re
import time
from functools import cache
from typing import Any

from aioappsapi.sandbox import Sandbox
from aioappsapi.sandbox.world.model import (
    ADMIN_SCOPES,
    App,
    Organization,
    Process,
    Space,
    User,
    guid_of,
)
from aioappsapi.sandbox.world.resources import Deployment, Job

from .replay import RECORDINGS
from .sandbox_stock import GUID, UNKNOWN, WEB_SHOP, Stock, walk
from .sandbox_surroundings import Surroundings

__all__ = ["GUID", "RECORDINGS", "WorldOf"]

ORGANIZATION = "14611477-2a36-40a7-b377-1d4429735545"
DEV = "78872840-3a28-40c5-9990-60e4f3f0d0eb"
PLACES = {
    DEV: "dev",
    "72b1e8c6-f8a5-4b59-8f07-f33d930e764b": "prod",
    "30e074ea-c54d-4220-a5bd-6d4c681c1550": "foreign",
}
ROLES = {
    "developer": "space_developer",
    "supporter": "space_supporter",
    "auditor": "space_auditor",
    "space_manager": "space_manager",
    "read_only_scope": "space_developer",
    "no_scope": "space_developer",
}
SCOPES = {
    "admin": ADMIN_SCOPES,
    "admin_read_only": frozenset({"cloud_controller.admin_read_only"}),
    "global_auditor": frozenset({"cloud_controller.global_auditor"}),
    "read_only_scope": frozenset({"cloud_controller.read"}),
    "no_scope": frozenset({"openid"}),
}


def is_app(fields: dict[str, Any]) -> bool:
    links = fields.get("relationships")
    return {"guid", "state", "lifecycle"} <= set(fields) and "space" in (links or {})


@cache
def catalog() -> dict[str, dict[str, Any]]:
    """The apps that any recording shows, in the order of their creation."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(RECORDINGS.glob("*.json")):
        for fields in walk(json.loads(path.read_text())["response"].get("json")):
            if is_app(fields):
                found.setdefault(fields["guid"], fields)
    return dict(sorted(found.items(), key=lambda pair: pair[1]["created_at"]))


def _parsed(body: str | None) -> Any:
    try:
        return json.loads(body or "{}")
    except ValueError:
        return {}


class WorldOf(Surroundings, Stock):
    """The state that one recording was made in, as far as the recording tells."""

    def __init__(self, recording: dict[str, Any]) -> None:
        self.name: str = recording["name"]
        self.kind: str | None = recording["as"]
        self.request: dict[str, Any] = recording["request"]
        self.response: dict[str, Any] = recording["response"]
        self.headers = dict(self.response["headers"])
        self.json: Any = self.response.get("json")
        self.parts = [p for p in self.request["target"].partition("?")[0].split("/") if p] or [""]
        self.body = _parsed(self.request["body"])
        self.sandbox = Sandbox(0, seed=1)
        self.world = self.sandbox.world
        self.shelf = self.sandbox.shelf

    def build(self) -> Sandbox:
        self._found_places()
        self._add_users()
        self._add_apps()
        self._add_resources()
        self._surround()
        self._set_instances()
        self._set_environment()
        self._set_limits()
        self._set_outages()
        self._set_stacks()
        for app in self.apps_asked():
            self._prepare(app)
        return self.sandbox

    @property
    def errors(self) -> list[dict[str, Any]]:
        found = self.json.get("errors") if isinstance(self.json, dict) else None
        return [e for e in found or [] if "detail" in e]

    @property
    def user(self) -> User | None:
        return self.world.user_named(self.kind or "developer")

    def detail(self, text: str) -> bool:
        return any(text in e["detail"] for e in self.errors)

    # Places and people.

    def _found_places(self) -> None:
        self.world.spaces.clear()
        self.world.organizations.clear()
        for guid, name in ((ORGANIZATION, "acme"), (UNKNOWN[:-1] + "1", "other")):
            self.world.organizations[guid] = Organization(guid, name, guid)
        for guid, name in PLACES.items():
            self._space(guid, name)
        for fields in walk(self.json):
            if {"suspended", "labels"} <= {*fields, *fields.get("metadata", {})}:
                self._relabel(fields)

    def _relabel(self, fields: dict[str, Any]) -> None:
        place: Any = self.world.spaces.get(fields["guid"])
        place = place or self.world.organizations.get(fields["guid"])
        if place is not None:
            place.labels |= fields["metadata"]["labels"]
            place.annotations |= fields["metadata"]["annotations"]

    def _space(self, guid: str, name: str) -> Space:
        if guid not in self.world.spaces:
            home = "other" if name == "foreign" else "acme"
            homes = self.world.organizations.values()
            organization = next(o for o in homes if o.name == home)
            self.world.spaces[guid] = Space(guid, name, organization)
        return self.world.spaces[guid]

    def _add_users(self) -> None:
        self.world.users.clear()
        kinds = {"admin", "outsider", "org_manager", self.kind or "developer", *ROLES, *SCOPES}
        for kind in sorted(kinds):
            scopes = SCOPES.get(kind)
            user = self.world.add_user(kind, kind, *([scopes] if scopes else []))
            role = ROLES.get(kind)
            for space in self.world.spaces.values():
                if role and space.name != "foreign":
                    user.roles[space.guid] = {role}
            if kind == "org_manager":
                user.roles[ORGANIZATION] = {"org_manager"}

    # Apps.

    def _add_apps(self) -> None:
        own = {f["guid"]: f for f in walk(self.json) if is_app(f)}
        for guid, fields in catalog().items():
            self._add_app(own.get(guid, fields))
        for guid in dict.fromkeys(self._guids()):
            if guid not in self.world.apps and guid != UNKNOWN and self._names_app(guid):
                self.invent(guid)
        self._clear_the_way()

    def _guids(self) -> list[str]:
        text = self.request["target"] + str(self.request["body"])
        return GUID.findall(text)

    def _names_app(self, guid: str) -> bool:
        return "apps" in self.parts and guid in self.parts

    def invent(self, guid: str) -> None:
        foreign = self.detail("App not found")
        space = next(s for s in self.world.spaces.values() if (s.name == "foreign") is foreign)
        app = App(guid, f"app-{guid[:8]}", space, f"{guid[:-1]}f", "STARTED")
        app.processes = [Process(guid)]
        app.lifecycle = "docker" if self.detail("diego_docker") else "buildpack"
        self.world.apps[guid] = app

    def _add_app(self, fields: dict[str, Any]) -> None:
        data = fields["lifecycle"]["data"]
        links = fields["relationships"]
        space_guid = links["space"]["data"]["guid"]
        app = App(
            fields["guid"],
            fields["name"],
            self._space(space_guid, PLACES.get(space_guid, f"space-{space_guid[:4]}")),
            links["current_droplet"]["data"]["guid"],
            fields["state"],
            len(self.world.apps) + 1,
            fields["created_at"],
            fields["updated_at"],
            fields["lifecycle"]["type"],
        )
        app.buildpacks = data.get("buildpacks")
        app.stack = data.get("stack") or app.stack
        app.labels = dict(fields["metadata"]["labels"])
        app.annotations = dict(fields["metadata"]["annotations"])
        app.processes = [Process(app.guid)]
        self.world.apps[app.guid] = app
        for user in self.world.users.values():
            # Whoever sees the app in the recording has a role in its space.
            if space_guid not in PLACES and user.name in ROLES:
                user.roles[space_guid] = {ROLES[user.name]}

    def _clear_the_way(self) -> None:
        """No names taken that the recording found free, no apps that it found gone."""
        name = self.body.get("name") if isinstance(self.body, dict) else None
        names = re.findall(r'"name": ?"([^"]*)"', self.request["body"] or "")
        taken = self.detail("already exists")
        for app in list(self.world.apps.values()):
            freed = not taken and app.name in {name, *names} and app.guid not in self.parts
            if freed and self.request["method"] != "GET":
                del self.world.apps[app.guid]
        self._trim()
        gone = self.detail("App not found")
        for guid in self.parts:
            app = self.world.apps.get(guid)
            if gone and app is not None and app.space.name != "foreign":
                del self.world.apps[guid]

    def _trim(self) -> None:
        """As many apps on all pages as there were."""
        if self.parts[1:] != ["apps"] or "&page=3" not in self.request["target"]:
            return
        shown = {row["guid"] for row in self.json["resources"]}
        reader = self.user
        assert reader is not None
        visible = [a for a in self.world.apps.values() if reader.reads(a.space)]
        spare = [a for a in visible if a.guid not in shown | {WEB_SHOP}]
        for app in spare[: len(visible) - self.json["pagination"]["total_results"]]:
            del self.world.apps[app.guid]

    def apps_asked(self) -> list[App]:
        return [self.world.apps[guid] for guid in self._guids() if guid in self.world.apps]

    def _prepare(self, app: App) -> None:
        """Bring an app that the request is about into the state before it."""
        if "suspended" in self.name:
            place = app.space.organization if "org-" in self.name else app.space
            place.suspended = True
        if self.name.startswith("diego-down") and self.parts[-1] in {"start", "restart"}:
            fresh = bool(self.errors) and self.parts[-1] == "start"
            app.state = "STOPPED" if fresh else "STARTED"
        if "stop" in self.parts or "scale" in self.parts or "instances" in self.parts:
            app.state = "STARTED"
        if self.detail("memory quota_exceeded"):
            app.space.organization.memory_limit, app.state = 1, "STOPPED"
        if self.detail("Assign a droplet") or self.detail("Droplet not found"):
            app.droplet = None
        if self.detail("Task must have a droplet"):
            app.droplet = None
        self._prepare_features(app)
        self._prepare_deletion(app)
        self._prepare_deployment(app)

    def _prepare_features(self, app: App) -> None:
        if self.detail("cannot be enabled at the same time"):
            app.features = {"service-binding-k8s": True}
        reason = (self.json or {}).get("reason") if isinstance(self.json, dict) else None
        if reason == "ssh is disabled for app":
            app.features = {"ssh": False}
        elif reason:
            app.space.ssh = False
            app.space.name = reason.split("'")[1]

    def _prepare_deletion(self, app: App) -> None:
        if "second-delete-same-job" in self.name or "while-deleting" in self.name:
            job = Job(guid=guid_of(app.guid), operation="app.delete", app=app.guid)
            self.shelf.jobs[job.guid] = job
            app.deletion = job.guid

    def _prepare_deployment(self, app: App) -> None:
        if "while-deploying" in self.name:
            deployment = Deployment(guid=app.guid[::-1], app=app)
            self.shelf.deployments[deployment.guid] = deployment
        if self.name.startswith("deployments__create"):
            app.state = "STOPPED" if "stopped" in self.name else "STARTED"
        if "revision-after-restart" in self.name:
            app.state = "STARTED"

    # Environment.

    def _set_environment(self) -> None:
        fields = self.json if isinstance(self.json, dict) else {}
        sent = self.body.get("var") if isinstance(self.body, dict) else None
        for app in self.apps_asked():
            if "application_env_json" in fields:
                app.environment = fields["environment_variables"]
                for group in ("staging", "running"):
                    self.world.environment_groups[group] = fields[f"{group}_env_json"]
            elif "var" in fields:
                known = sent if isinstance(sent, dict) else {}
                app.environment = {k: v for k, v in fields["var"].items() if k not in known}

    # Limits and outages.

    def _set_limits(self) -> None:
        for error in self.errors:
            feature = re.search(r"Feature Disabled: (\w+)", error["detail"])
            if feature:
                self.world.flags[feature[1]] = False
            for title in ("CF-OrgSuspended", "CF-SpaceSuspended"):
                if error["title"] == title:
                    space = self.world.spaces[DEV]
                    place = space.organization if title == "CF-OrgSuspended" else space
                    place.suspended = True
        if not self.name.startswith("rate-limit"):
            return
        self._limit_version_two()
        limit = int(self.headers.get("x-ratelimit-limit", "0"))
        if not limit:
            return
        left = int(self.headers["x-ratelimit-remaining"])
        used = limit - left - limit // 10
        if self.response["status"] == 429 and "x-ratelimit-limit-v2-api" not in self.headers:
            used = limit
        forwarded = self.request["headers"].get("X-Forwarded-For", "127.0.0.1")
        anonymous = limit == 10
        key = f"address {forwarded}" if anonymous or self.user is None else self.user.guid
        self.sandbox._front.limiter._windows[key] = (used, time.time() + 30)

    def _set_stacks(self) -> None:
        stack = self.world.stacks["cflinuxfs3"]
        if self.name.startswith("stack-state"):
            stack.state, stack.reason = self.name.rpartition("-")[2], "use cflinuxfs4"
        if "stacks" in self.parts[:-1]:
            stack.guid = self.parts[-1]

    def _set_outages(self) -> None:
        for mode in ("refused", "bbs-503", "bbs-error", "bbs-invalid", "dns"):
            if f"diego-down__{mode}" in self.name:
                self.sandbox.diego = mode
        if self.name.startswith("db-down"):
            self.sandbox.database = "down"
