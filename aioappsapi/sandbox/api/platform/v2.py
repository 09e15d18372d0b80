"""The rest of version 2 of the API: its info, its list of apps, and its rate limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aioappsapi.sandbox.api import errors, list_query
from aioappsapi.sandbox.api.access import Access
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.errors import ApiError
from aioappsapi.sandbox.api.rate_limits import RateLimiter, refused
from aioappsapi.sandbox.api.views import SSH_KEY, UAA
from aioappsapi.sandbox.world.faults import Faults
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import STACK, App, guid_of, process_version

_JSON: Final = "application/json;charset=utf-8"
_LINKED: Final = ("routes", "events", "service_bindings", "route_mappings")


class VersionTwo:
    """The paths below /v2. `faults` returns the present faults, with the rate limit."""

    def __init__(
        self, access: Access, faults: Callable[[], Faults], clock: Callable[[], float]
    ) -> None:
        self._access = access
        self._faults = faults
        self._limiter = RateLimiter(clock)

    def answer(self, call: Call) -> Answer | None:
        """Return the response to a request below /v2, or None for an unknown path."""
        if call.method != "GET":
            return None
        try:
            if call.parts == ["v2", "info"]:
                return _ok(_info(call) | _user_of(call))
            if call.parts == ["v2", "apps"]:
                return self._counted(call, self._apps)
        except ApiError as error:
            return _refusal(error)
        return None

    def _counted(self, call: Call, show: Callable[[Call], Json]) -> Answer:
        token = call.reader()
        faults = self._faults()
        if faults.v2_rate_limit is None:
            return _ok(show(call))
        limit = faults.v2_rate_limit * (2 if token.is_admin else 1)
        passes, counts = self._limiter.count(token.user_guid, limit, faults.rate_window)
        headers = {
            f"{name}-v2-api" if name.startswith("x-") else name: value
            for name, value in counts.items()
        }
        if not passes:
            return refused(errors.old_rate_limit_exceeded(), headers, "/v2")
        answer = _ok(show(call))
        answer.headers |= headers
        return answer

    def _apps(self, call: Call) -> Json:
        given = list_query.decode(call.query)
        rows = self._access.apps(call.reader(), None)
        number = int(given.get("page") or 1)
        size = int(given.get("results-per-page") or 50)
        last = max(1, -(-len(rows) // size))
        shown = rows[(number - 1) * size : number * size]

        def at(page: int) -> str | None:
            query = f"order-direction=asc&page={page}&results-per-page={size}"
            return f"/v2/apps?{query}" if 1 <= page <= last else None

        return {
            "total_results": len(rows),
            "total_pages": last,
            "prev_url": at(number - 1),
            "next_url": at(number + 1),
            "resources": [_app(app) for app in shown],
        }


def _refusal(error: ApiError) -> Answer:
    return Answer(error.status, error.old_body(), _JSON, framed=False)


def _ok(fields: Json) -> Answer:
    headers = {"x-content-type-options": "nosniff"}
    return Answer(200, json_text(fields), _JSON, framed=False, headers=headers)


def _user_of(call: Call) -> Json:
    try:
        return {"user": call.token().user_guid}
    except ApiError:
        return {}


def _info(call: Call) -> Json:
    uaa = call.views.base + UAA
    return {
        "name": "vcap",
        "build": "2222",
        "support": "https://support.sandbox.example",
        "version": 2,
        "description": "Cloud Foundry sandbox",
        "authorization_endpoint": uaa,
        "token_endpoint": uaa,
        "min_cli_version": "6.22.0",
        "min_recommended_cli_version": "latest",
        "app_ssh_endpoint": "ssh.sandbox.example:2222",
        "app_ssh_host_key_fingerprint": SSH_KEY,
        "app_ssh_oauth_client": "ssh-proxy",
        "doppler_logging_endpoint": call.views.base.replace("http", "ws", 1),
        "api_version": "2.293.0",
        "osbapi_version": "2.15",
        "custom": {},
    }


def _app(app: App) -> Json:
    at = f"/v2/apps/{app.guid}"
    moments = {"created_at": app.created_at, "updated_at": app.updated_at}
    return {"metadata": {"guid": app.guid, "url": at, **moments}, "entity": _entity(app, at)}


def _entity(app: App, at: str) -> Json:
    process = app.processes[0]
    docker = app.lifecycle == "docker"
    stack = guid_of("stack", STACK)
    buildpack = next(iter(app.buildpacks or ()), None)
    return {
        "name": app.name,
        "production": False,
        "space_guid": app.space.guid,
        "stack_guid": stack,
        "buildpack": buildpack,
        "detected_buildpack": None,
        "detected_buildpack_guid": None,
        "environment_json": app.environment,
        "memory": process.memory_in_mb,
        "instances": process.instances,
        "disk_quota": process.disk_in_mb,
        "log_rate_limit": process.log_rate,
        "state": app.state,
        "version": process_version(process),
        "command": process.command,
        "console": False,
        "debug": None,
        "staging_task_id": guid_of("build", app.guid) if app.droplet else None,
        "package_state": "STAGED" if app.droplet else "PENDING",
        "health_check_type": "port",
        "health_check_timeout": None,
        "health_check_http_endpoint": None,
        "staging_failed_reason": None,
        "staging_failed_description": None,
        "diego": True,
        "docker_image": "registry.example.com/team/app:1.2" if docker else None,
        "docker_credentials": {"username": None, "password": None},
        "package_updated_at": app.created_at if app.droplet else None,
        "detected_start_command": "python app.py" if app.droplet else "",
        "enable_ssh": (app.features or {}).get("ssh", True),
        "ports": [8080],
        "space_url": f"/v2/spaces/{app.space.guid}",
        "stack_url": f"/v2/stacks/{stack}",
        **{f"{name}_url": f"{at}/{name}" for name in _LINKED},
    }
