"""Manifests: apps as YAML, and apps created from YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from aioappsapi.sandbox.api import errors
from aioappsapi.sandbox.api.access import DEVELOPERS, Access
from aioappsapi.sandbox.api.answer import YAML, Answer, json_text
from aioappsapi.sandbox.api.apps.apps import app_features
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.jobs import Jobs
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.world.json_types import Json, JsonValue
from aioappsapi.sandbox.world.model import App, Process, Space
from aioappsapi.sandbox.world.realm import Realm
from aioappsapi.sandbox.world.resources import Sidecar

_NAME: Final = re.compile(r"^\s*- name:\s*['\"]?([^'\"\n]+?)['\"]?\s*$")
_SETTING: Final = re.compile(r"^\s+(memory|instances):\s*(\d+)\s*([MG]?)B?\s*$", re.IGNORECASE)
_PLAIN: Final = re.compile(r"[A-Za-z_][\w.@-]*(?: [\w.@-]+)*|\d+[BKMG]")
_WORDS: Final = frozenset({"on", "off", "yes", "no", "true", "false", "null", "y", "n"})
_MEGABYTES: Final = 1024 * 1024


class Manifests:
    """The routes of manifests. An applied manifest sets only names, memory and instances."""

    def __init__(self, realm: Realm, access: Access, jobs: Jobs) -> None:
        self._realm = realm
        self._access = access
        self._jobs = jobs

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET apps/*/manifest": self._manifest,
            "POST spaces/*/actions/apply_manifest": self._apply,
            "POST spaces/*/manifest_diff": self._diff,
        }

    def _manifest(self, call: Call, app_guid: str) -> Answer:
        token = call.reader()
        app = self._access.app(token, app_guid)
        if not self._access.reads_secrets(token, app.space):
            raise errors.not_authorized()
        lines = "\n".join(_yaml({"applications": [self._written(app)]}, 0))
        return Answer(200, f"---\n{lines}\n", YAML)

    def _written(self, app: App) -> Json:
        names = sorted(row.instance.name for row in self._realm.marketplace.bindings_of(app))
        sidecars = [row for row in self._realm.shelf.sidecars.values() if row.app is app]
        metadata = {"labels": app.labels, "annotations": app.annotations or {}}
        fields: Json = {
            "name": app.name,
            "env": app.environment,
            "lifecycle": app.lifecycle,
            "buildpacks": app.buildpacks,
            "stack": None if app.lifecycle == "docker" else app.stack,
            "features": app_features(app),
            "services": names,
            "routes": [
                {"route": url, "protocol": "http1", "options": {}}
                for url in sorted(self._realm.network.addresses(app))
            ],
            "metadata": {name: value for name, value in metadata.items() if value},
            "processes": [_process(process) for process in app.processes],
            "sidecars": [_sidecar(row) for row in sidecars],
        }
        return {name: value for name, value in fields.items() if value}

    def _apply(self, call: Call, space_guid: str) -> Answer:
        space = self._changeable(call, space_guid)
        requested = list(_applications(call.body.decode("utf-8", "replace")))
        if not requested:
            raise errors.parse_error()
        job = self._jobs.begin(
            "space.apply_manifest",
            ("space", space.guid),
            lambda _: self._carry_out(space, requested),
        )
        return self._jobs.accepted(call, job)

    def _carry_out(self, space: Space, requested: list[Json]) -> None:
        for fields in requested:
            apps = self._realm.world.apps.values()
            found = (app for app in apps if app.space is space and app.name == fields["name"])
            app = next(found, None) or self._realm.world.add_app(
                fields["name"], space=space, droplet=False
            )
            web = app.processes[0]
            web.memory_in_mb = fields.get("memory", web.memory_in_mb)
            web.instances = fields.get("instances", web.instances)

    def _diff(self, call: Call, space_guid: str) -> Answer:
        space = self._changeable(call, space_guid)
        rows: list[Json] = []
        for number, fields in enumerate(_applications(call.body.decode("utf-8", "replace"))):
            apps = self._realm.world.apps.values()
            if not any(app.space is space and app.name == fields["name"] for app in apps):
                path = f"/applications/{number}/name"
                rows.append({"op": "add", "path": path, "value": fields["name"]})
        return Answer(201, json_text({"diff": rows}))

    def _changeable(self, call: Call, space_guid: str) -> Space:
        token = call.writer()
        space = self._access.space(token, space_guid)
        self._access.check_change(token, space, DEVELOPERS)
        return space


def _sidecar(sidecar: Sidecar) -> Json:
    memory = {"memory": f"{sidecar.memory_in_mb}M"} if sidecar.memory_in_mb else {}
    return {
        "name": sidecar.name,
        "process_types": sidecar.process_types,
        "command": sidecar.command,
        **memory,
    }


def _process(process: Process) -> Json:
    check = process.health_check or {"type": "port" if process.type == "web" else "process"}
    given = check.get("data") or {}
    ready = process.readiness or {"type": "process"}
    fields = {
        "type": process.type,
        "instances": process.instances,
        "memory": f"{process.memory_in_mb}M",
        "disk_quota": f"{process.disk_in_mb}M",
        "log-rate-limit-per-second": _per_second(process.log_rate),
        "command": process.command,
        "health-check-type": check["type"],
        "health-check-http-endpoint": given.get("endpoint"),
        "health-check-invocation-timeout": given.get("invocation_timeout"),
        "health-check-interval": given.get("interval"),
        "readiness-health-check-type": ready["type"],
        "readiness-health-check-interval": (ready.get("data") or {}).get("interval"),
        "timeout": given.get("timeout"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _per_second(rate: int) -> str | int:
    if rate < 0:
        return -1
    if rate % _MEGABYTES == 0:
        return f"{rate // _MEGABYTES}M"
    return f"{rate // 1024}K" if rate % 1024 == 0 else f"{rate}B"


def _applications(text: str) -> Iterator[Json]:
    """Iterate over the apps of a manifest, with the settings that the sandbox understands."""
    fields: Json = {}
    for line in text.splitlines():
        if name := _NAME.match(line):
            if fields:
                yield fields
            fields = {"name": name[1]}
        elif fields and (setting := _SETTING.match(line)):
            unit = 1024 if setting[3].upper() == "G" else 1
            fields[setting[1].lower()] = int(setting[2]) * unit
    if fields:
        yield fields


def _yaml(value: Json, depth: int) -> Iterator[str]:
    """Write members as the server does: a list is indented like its name."""
    indent = "  " * depth
    for name, item in value.items():
        if isinstance(item, dict) and item:
            yield f"{indent}{name}:"
            yield from _yaml(item, depth + 1)
        elif isinstance(item, list) and item:
            yield f"{indent}{name}:"
            yield from (line for one in item for line in _element(one, depth))
        else:
            yield f"{indent}{name}: {_scalar(item)}"


def _element(item: JsonValue, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if not isinstance(item, dict):
        yield f"{indent}- {_scalar(item)}"
        return
    first, *others = _yaml(item, depth + 1)
    yield f"{indent}- {first.lstrip()}"
    yield from others


def _scalar(value: JsonValue) -> str:
    if not isinstance(value, str):
        return json_text(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json_text(value) if "'" in value or value.startswith("/") else f"'{value}'"
