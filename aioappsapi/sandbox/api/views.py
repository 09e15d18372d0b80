"""The JSON of resources: the keys, their order and the absolute links."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote_plus

from aioappsapi.sandbox.api.answer import json_text
from aioappsapi.sandbox.api.apps.instance_views import brief, stat
from aioappsapi.sandbox.world.fleet import Fleet
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import (
    STARTED,
    App,
    Organization,
    Process,
    Space,
    process_version,
)
from aioappsapi.sandbox.world.shelf import Shelf, revision_guid

SSH_KEY: Final = "47:0d:d1:c8:c3:3d:0a:36:d1:49:2f:f2:90:27:31:d0"
VERSION: Final = "3.228.0"
UAA: Final = "/uaa"
HIDDEN: Final = "[PRIVATE DATA HIDDEN]"
HIDDEN_IN_LISTS: Final = "[PRIVATE DATA HIDDEN IN LISTS]"
_COLLECTIONS: Final = (
    "app_usage_events",
    "apps",
    "audit_events",
    "buildpacks",
    "builds",
    "deployments",
    "domains",
    "droplets",
    "environment_variable_groups",
    "feature_flags",
    "info",
    "isolation_segments",
    "organizations",
    "organization_quotas",
    "packages",
    "processes",
    "resource_matches",
    "roles",
    "routes",
    "security_groups",
    "service_brokers",
    "service_instances",
    "service_credential_bindings",
    "service_offerings",
    "service_plans",
    "service_route_bindings",
    "service_usage_events",
    "spaces",
    "space_quotas",
    "stacks",
    "tasks",
    "users",
)
_APP_LINKS: Final = (
    ("self", "", False),
    ("environment_variables", "/environment_variables", False),
    ("space", None, False),
    ("processes", "/processes", False),
    ("packages", "/packages", False),
    ("current_droplet", "/droplets/current", False),
    ("droplets", "/droplets", False),
    ("tasks", "/tasks", False),
    ("start", "/actions/start", True),
    ("stop", "/actions/stop", True),
    ("clear_buildpack_cache", "/actions/clear_buildpack_cache", True),
    ("revisions", "/revisions", False),
    ("deployed_revisions", "/revisions/deployed", False),
    ("features", "/features", False),
)


class Views:
    """Resources as JSON text, with links to the address that the client used (`base`)."""

    def __init__(self, base: str, fleet: Fleet, shelf: Shelf) -> None:
        self.base = base
        self._fleet = fleet
        self._shelf = shelf
        self._app_links = self._links_template()

    def app(self, app: App) -> str:
        """Write an app."""
        # fast path: an app is 2 KB, mostly links. Two replacements in a template take half the
        # time of a dump (6 against 13 microseconds).
        droplet = f'"{app.droplet}"' if app.droplet else "null"
        links = self._app_links.replace("\0", app.guid).replace("\1", app.space.guid)
        return (
            f'{{"guid":"{app.guid}","created_at":"{app.created_at}",'
            f'"updated_at":"{app.updated_at}","name":{json_text(app.name)},'
            f'"state":"{app.state}","lifecycle":{_lifecycle(app)},'
            f'"relationships":{{"space":{{"data":{{"guid":"{app.space.guid}"}}}},'
            f'"current_droplet":{{"data":{{"guid":{droplet}}}}}}},'
            f'"metadata":{_metadata(app.labels, app.annotations)},{links}}}'
        )

    def app_fields(self, app: App) -> Json:
        """Return the members of an app."""
        fields: Json = json.loads(self.app(app))
        return fields

    def space(self, space: Space) -> str:
        """Write a space."""
        return json_text(self.space_fields(space))

    def space_fields(self, space: Space) -> Json:
        """Return the members of a space."""
        quota = {"guid": space.quota_guid} if space.quota_guid else None
        organization = space.organization.guid
        at = f"{self.base}/v3/spaces/{space.guid}"
        return {
            "guid": space.guid,
            "created_at": space.created_at,
            "updated_at": space.updated_at,
            "name": space.name,
            "suspended": space.suspended,
            "relationships": {
                "organization": {"data": {"guid": organization}},
                "quota": {"data": quota},
            },
            "metadata": {"labels": space.labels, "annotations": space.annotations},
            "links": {
                "self": {"href": at},
                "organization": {"href": f"{self.base}/v3/organizations/{organization}"},
                "features": {"href": f"{at}/features"},
                "apply_manifest": {"href": f"{at}/actions/apply_manifest", "method": "POST"},
            },
        }

    def organization(self, organization: Organization) -> str:
        """Write an organization."""
        return json_text(self.organization_fields(organization))

    def organization_fields(self, organization: Organization) -> Json:
        """Return the members of an organization."""
        at = f"{self.base}/v3/organizations/{organization.guid}"
        quota = f"{self.base}/v3/organization_quotas/{organization.quota_guid}"
        return {
            "guid": organization.guid,
            "created_at": organization.created_at,
            "updated_at": organization.updated_at,
            "name": organization.name,
            "suspended": organization.suspended,
            "relationships": {"quota": {"data": {"guid": organization.quota_guid}}},
            "metadata": {
                "labels": organization.labels,
                "annotations": organization.annotations,
            },
            "links": {
                "self": {"href": at},
                "domains": {"href": f"{at}/domains"},
                "default_domain": {"href": f"{at}/domains/default"},
                "quota": {"href": quota},
            },
        }

    def process(
        self,
        app: App,
        process: Process,
        *,
        secrets: bool = True,
        listed: bool = True,
        embed: bool = False,
    ) -> str:
        """Write a process. Lists hide its command, and `embed` adds the instances."""
        command = process.command or self._shelf.start_command(app, process.type)
        fields: dict[str, object] = {
            "guid": process.guid,
            "created_at": process.created_at or app.created_at,
            "updated_at": process.updated_at or app.updated_at,
            "version": process_version(process),
            "type": process.type,
            "command": HIDDEN_IN_LISTS if listed else command if secrets else HIDDEN,
            "user": process.user or ("root" if app.lifecycle == "docker" else "vcap"),
            "instances": process.instances,
            "memory_in_mb": process.memory_in_mb,
            "disk_in_mb": process.disk_in_mb,
            "log_rate_limit_in_bytes_per_second": process.log_rate,
            "health_check": _health_check(process),
            "readiness_health_check": _readiness_check(process),
        }
        if embed:
            fields["process_instances"] = self._instances(app, process)
        return json_text(fields | self._process_frame(app, process))

    def process_instances(self, app: App, process: Process) -> str:
        """Return the instances of a process as a separate resource."""
        at = f"{self.base}/v3/processes/{process.guid}"
        links = {"self": {"href": f"{at}/process_instances"}, "process": {"href": at}}
        return json_text({"resources": self._instances(app, process), "links": links})

    def stats(self, app: App, process: Process, *, measured: bool = True) -> str:
        """Return the instances of a process with their usage, which is empty if not measured."""
        rows = self._fleet.instances(app, process)
        now = self._fleet.clock()
        resources = [stat(process, instance, now, measured=measured) for instance in rows]
        return json_text({"resources": resources})

    def page(
        self,
        path: str,
        query: Mapping[str, str],
        page: tuple[int, int, int],
        resources: Iterable[str],
        included: str = "",
    ) -> str:
        """Write a page of a list; `page` is (number, size, total)."""
        number, size, total = page
        last = max(1, -(-total // size))
        following = self._link(path, query, number + 1, size) if number < last else "null"
        previous = self._link(path, query, number - 1, size) if number > 1 else "null"
        return (
            f'{{"pagination":{{"total_results":{total},"total_pages":{last},'
            f'"first":{self._link(path, query, 1, size)},'
            f'"last":{self._link(path, query, last, size)},'
            f'"next":{following},"previous":{previous}}},'
            f'"resources":[{",".join(resources)}]{included}}}'
        )

    def _link(self, path: str, query: Mapping[str, str], number: int, size: int) -> str:
        fields = {**query, "page": str(number), "per_page": str(size)}
        pairs = (f"{quote_plus(k)}={quote_plus(v)}" for k, v in sorted(fields.items()))
        text = "\\u0026".join(pairs)
        return f'{{"href":"{self.base}{path}?{text}"}}'

    def included(
        self, spaces: Iterable[Space] | None, organizations: Iterable[Organization] | None
    ) -> str:
        """Return the `included` member after a resource or a page, or an empty text."""
        parts = []
        if spaces is not None:
            parts.append(f'"spaces":[{",".join(map(self.space, spaces))}]')
        if organizations is not None:
            parts.append(f'"organizations":[{",".join(map(self.organization, organizations))}]')
        return f',"included":{{{",".join(parts)}}}' if parts else ""

    def root(self, uaa: str) -> str:
        """Return the links of `/`, where a client finds the address of the UAA.

        All links lead to this machine, even those to parts that the sandbox does not have.
        """
        at = self.base
        ssh = {"host_key_fingerprint": SSH_KEY, "oauth_client": "ssh-proxy"}
        return json_text(
            {
                "links": {
                    "self": {"href": at},
                    "cloud_controller_v3": {"href": f"{at}/v3", "meta": {"version": VERSION}},
                    "network_policy_v0": {"href": f"{at}/networking/v0/external"},
                    "network_policy_v1": {"href": f"{at}/networking/v1/external"},
                    "login": {"href": uaa},
                    "uaa": {"href": uaa},
                    "credhub": {"href": f"{at}/credhub"},
                    "routing": None,
                    "logging": {"href": f"ws{at.removeprefix('http')}"},
                    "log_cache": {"href": f"{at}/log-cache"},
                    "log_stream": {"href": f"{at}/log-stream"},
                    "app_ssh": {"href": at.partition("://")[2], "meta": ssh},
                    "cloud_controller_v2": {"href": f"{at}/v2", "meta": {"version": "2.293.0"}},
                }
            }
        )

    def v3_root(self) -> str:
        """Return the links of `/v3`, one per kind of resource."""
        links = {"self": {"href": f"{self.base}/v3"}}
        links |= {name: {"href": f"{self.base}/v3/{name}"} for name in _COLLECTIONS}
        return json_text({"links": links})

    def info(self, rate_limit: int | None, window: float) -> str:
        """Return the information on the platform, with its rate limit."""
        limits = {"enabled": False, "general_limit": 2000, "reset_interval_in_minutes": 60}
        if rate_limit is not None:
            minutes = max(1, round(window / 60))
            limits = {"enabled": True, "general_limit": rate_limit}
            limits["reset_interval_in_minutes"] = minutes
        support = {"href": "https://support.sandbox.example"}
        return json_text(
            {
                "build": "2222",
                "cli_version": {"minimum": "6.22.0", "recommended": "latest"},
                "custom": {},
                "description": "Cloud Foundry sandbox",
                "name": "vcap",
                "version": 2,
                "osbapi_version": "2.17",
                "rate_limits": limits,
                "links": {"self": {"href": f"{self.base}/v3/info"}, "support": support},
            }
        )

    def _instances(self, app: App, process: Process) -> list[Json]:
        """Return the instances in their short form: index, state, and seconds in that state."""
        rows = self._fleet.instances(app, process)
        now = self._fleet.clock()
        return [brief(instance, now) for instance in rows]

    def _links_template(self) -> str:
        apps = f"{self.base}/v3/apps/\0"
        links: dict[str, dict[str, str]] = {}
        for name, path, posted in _APP_LINKS:
            href = f"{self.base}/v3/spaces/\1" if path is None else apps + path
            links[name] = {"href": href} | ({"method": "POST"} if posted else {})
        # JSON must not escape the two placeholders.
        text = json_text({"links": links}).replace("\\u0000", "\0").replace("\\u0001", "\1")
        return text[1:-1]

    def _process_frame(self, app: App, process: Process) -> dict[str, object]:
        at = f"{self.base}/v3/processes/{process.guid}"
        revision = _revision(app, process)
        return {
            "relationships": {
                "app": {"data": {"guid": app.guid}},
                "revision": {"data": {"guid": revision}} if revision else None,
            },
            "metadata": {"labels": process.labels, "annotations": process.annotations},
            "links": {
                "self": {"href": at},
                "scale": {"href": f"{at}/actions/scale", "method": "POST"},
                "app": {"href": f"{self.base}/v3/apps/{app.guid}"},
                "space": {"href": f"{self.base}/v3/spaces/{app.space.guid}"},
                "stats": {"href": f"{at}/stats"},
                "process_instances": {"href": f"{at}/process_instances"},
            },
        }


def _revision(app: App, process: Process) -> str | None:
    """Return the GUID of the revision that a process runs, by default the app's first revision."""
    if process.revision is not None or not app.has("revisions") or app.droplet is None:
        return process.revision
    return revision_guid(app, 1) if app.launches or app.state == STARTED else None


def _metadata(labels: dict[str, str], annotations: dict[str, str] | None) -> str:
    left = json_text(labels) if labels else "{}"
    right = json_text(annotations) if annotations else "{}"
    return f'{{"labels":{left},"annotations":{right}}}'


def _lifecycle(app: App) -> str:
    if app.lifecycle == "docker":
        return '{"type":"docker","data":{}}'
    fields: Json = {"buildpacks": app.buildpacks or [], "stack": app.stack}
    if app.credentials:
        fields["credentials"] = "***"
    data = json_text(fields)
    return f'{{"type":"{app.lifecycle}","data":{data}}}'


def _health_check(process: Process) -> dict[str, object]:
    default = "port" if process.type == "web" else "process"
    return _check(process.health_check, default, "timeout", "invocation_timeout", "interval")


def _readiness_check(process: Process) -> dict[str, object]:
    return _check(process.readiness, "process", "invocation_timeout", "interval")


def _check(check: Json | None, default: str, *settings: str) -> dict[str, object]:
    kind = (check or {}).get("type", default)
    if kind == "http":
        settings = (*settings, "endpoint")
    given = (check or {}).get("data") or {}
    return {"type": kind, "data": {name: given.get(name) for name in settings}}
