"""The public calls of the client that produce each recorded exchange.

`ROUTES` leads from method and path to the call. What no typed method can produce, such as a body
with an unknown field or an endpoint outside of the library's scope, goes through
`client.request`, the public way for such things.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import UNSET

from aioappsapi import Client, Pager
from aioappsapi.models import Lifecycle, LifecycleData
from tests.replay import Recording

Found = re.Match[str]
Call = Callable[[Client, Found, dict[str, Any], dict[str, str]], Awaitable[object] | None]

_LIFECYCLE_FIELDS = {"buildpacks", "stack", "credentials"}


def drive(client: Client, one: Recording) -> Awaitable[object]:
    """Give the coroutine that produces a recorded exchange."""
    text = one.request["body"]
    # Raw: as it was recorded, also where that is no JSON.
    body = UNSET if text is None else msgspec.Raw(text.encode())
    return _typed(client, one) or client.request(one.method, one.target, json=body)


def is_typed(client: Client, one: Recording) -> bool:
    """Tell whether a typed method produces it, rather than `client.request`."""
    work = _typed(client, one)
    if work is None:
        return False
    close = getattr(work, "close", None)
    if close is not None:
        close()
    return True


def _body(one: Recording) -> Any:
    """The JSON of a recorded request: `{}` where it has no body, None where that is no JSON."""
    text = one.request["body"]
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return None


def _typed(client: Client, one: Recording) -> Awaitable[object] | None:
    parts = urlsplit(one.target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    body = _body(one)
    for method, pattern, call in ROUTES:
        found = re.fullmatch(pattern, parts.path)
        if found and method == one.method and isinstance(body, dict):
            return call(client, found, body, query)
    return None


async def _first_page(pager: Any) -> object:
    pages = pager.pages()
    try:
        return await anext(pages)
    finally:
        await pages.aclose()


def _list(resource: str, *texts: str) -> Call:
    """List with the filters that a method has; anything else is for `client.request`."""

    def call(
        client: Client, found: Found, body: dict[str, Any], query: dict[str, str]
    ) -> Awaitable[object] | None:
        arguments: dict[str, Any] = {}
        for name, value in query.items():
            if name == "per_page" and value.isdigit() and 1 <= int(value) <= 5000:
                arguments[name] = int(value)
            elif name == "embed" and value == "process_instances":
                arguments["include"] = ["instances"]
            elif name in texts and value:
                arguments[name] = value.split(",")
            else:
                return None
        return _first_page(getattr(client, resource).list(**arguments))

    return call


def _metadata(body: dict[str, Any]) -> dict[str, Any] | None:
    metadata = body.get("metadata", {})
    return metadata if isinstance(metadata, dict) else None


def _lifecycle(body: dict[str, Any]) -> Lifecycle | None:
    given = body.get("lifecycle")
    if given is None:
        return None
    return Lifecycle(type=given["type"], data=LifecycleData(**given["data"]))


def _producible(body: dict[str, Any], fields: set[str]) -> bool:
    lifecycle = body.get("lifecycle", {"type": "x", "data": {}})
    data = lifecycle.get("data") if isinstance(lifecycle, dict) else None
    return (
        body.keys() <= fields
        and isinstance(body.get("name", ""), str)
        and _metadata(body) is not None
        and isinstance(data, dict)
        and "type" in lifecycle
        and data.keys() <= _LIFECYCLE_FIELDS
        and isinstance(body.get("environment_variables", {}), dict)
    )


def _create_app(
    client: Client, found: Found, body: dict[str, Any], query: dict[str, str]
) -> Awaitable[object] | None:
    fields = {"name", "relationships", "lifecycle", "environment_variables", "metadata"}
    relationships = body.get("relationships")
    if not _producible(body, fields) or not isinstance(body.get("name"), str):
        return None
    if not isinstance(relationships, dict) or relationships.keys() != {"space"}:
        return None
    return client.apps.create(
        body["name"],
        relationships["space"]["data"]["guid"],
        lifecycle=_lifecycle(body),
        environment_variables=body.get("environment_variables"),
        **(_metadata(body) or {}),
        validate=False,
    )


def _update_app(
    client: Client, found: Found, body: dict[str, Any], query: dict[str, str]
) -> Awaitable[object] | None:
    if not body or not _producible(body, {"name", "lifecycle", "metadata"}):
        return None
    return client.apps.update(
        found[1],
        name=body.get("name"),
        lifecycle=_lifecycle(body),
        **(_metadata(body) or {}),
        validate=False,
    )


def _get_app(
    client: Client, found: Found, body: dict[str, Any], query: dict[str, str]
) -> Awaitable[object] | None:
    if query.keys() - {"include"} or query.get("include") == "foo":
        return None
    include = query["include"].split(",") if query else None
    return client.apps.get(found[1], include=include)


def _set_droplet(
    client: Client, found: Found, body: dict[str, Any], query: dict[str, str]
) -> Awaitable[object] | None:
    data = body.get("data")
    if not isinstance(data, dict) or "guid" not in data:
        return None
    return client.apps.set_current_droplet(found[1], data["guid"])


def _update_variables(
    client: Client, found: Found, body: dict[str, Any], query: dict[str, str]
) -> Awaitable[object] | None:
    if body.keys() != {"var"} or not isinstance(body["var"], dict):
        return None
    return client.apps.update_environment_variables(found[1], body["var"], validate=False)


def _update_feature(
    client: Client, found: Found, body: dict[str, Any], query: dict[str, str]
) -> Awaitable[object] | None:
    if body.keys() != {"enabled"}:
        return None
    return client.apps.update_feature(found[1], found[2], enabled=body["enabled"])


def _scale(
    client: Client, found: Found, body: dict[str, Any], query: dict[str, str]
) -> Awaitable[object] | None:
    known = {"instances", "memory_in_mb", "disk_in_mb", "log_rate_limit_in_bytes_per_second"}
    if body.keys() - known or not all(isinstance(n, int) and n >= 0 for n in body.values()):
        return None
    return client.processes.scale(found[1], **body)


def _create_deployment(
    client: Client, found: Found, body: dict[str, Any], query: dict[str, str]
) -> Awaitable[object] | None:
    options = body.get("options", {})
    if body.get("strategy") not in {None, "rolling", "canary"} or "metadata" in body:
        return None
    steps = options.get("canary", {}).get("steps")
    return client.deployments.create(
        body["relationships"]["app"]["data"]["guid"],
        droplet_guid=body.get("droplet", {}).get("guid"),
        revision_guid=body.get("revision", {}).get("guid"),
        strategy=body.get("strategy"),
        max_in_flight=options.get("max_in_flight"),
        canary_weights=[step["instance_weight"] for step in steps] if steps else None,
    )


def _create_build(
    client: Client, found: Found, body: dict[str, Any], query: dict[str, str]
) -> Awaitable[object] | None:
    return client.builds.create(
        body["package"]["guid"], labels=(_metadata(body) or {}).get("labels")
    )


def _create_package(
    client: Client, found: Found, body: dict[str, Any], query: dict[str, str]
) -> Awaitable[object] | None:
    if body.get("type") != "docker":
        return None
    app_guid = body["relationships"]["app"]["data"]["guid"]
    return client.packages.create_docker(app_guid, **body["data"])


def _of(resource: str, name: str) -> Call:
    """Call a method whose arguments are all in the path; of a pager, read the first page."""

    def call(
        client: Client, found: Found, body: dict[str, Any], query: dict[str, str]
    ) -> Awaitable[object] | None:
        if query or body:
            return None
        method = getattr(getattr(client, resource), name)
        result = method(*[int(one) if one.isdigit() else one for one in found.groups()])
        return _first_page(result) if isinstance(result, Pager) else result  # type: ignore[no-any-return]

    return call


_APP = r"/v3/apps/([^/.]+)"
_GUID = r"([0-9a-f-]{36})"

ROUTES: list[tuple[str, str, Call]] = [
    ("GET", "/", _of("info", "root")),
    ("GET", "/v3/info", _of("info", "get")),
    ("POST", "/v3/apps", _create_app),
    ("GET", _APP, _get_app),
    ("PATCH", _APP, _update_app),
    ("DELETE", _APP, _of("apps", "delete")),
    ("POST", _APP + "/actions/start", _of("apps", "start")),
    ("POST", _APP + "/actions/stop", _of("apps", "stop")),
    ("POST", _APP + "/actions/restart", _of("apps", "restart")),
    ("POST", _APP + "/actions/clear_buildpack_cache", _of("apps", "clear_buildpack_cache")),
    ("GET", _APP + "/droplets/current", _of("apps", "get_current_droplet")),
    (
        "GET",
        _APP + "/relationships/current_droplet",
        _of("apps", "get_current_droplet_association"),
    ),
    ("PATCH", _APP + "/relationships/current_droplet", _set_droplet),
    ("GET", _APP + "/env", _of("apps", "get_env")),
    ("GET", _APP + "/environment_variables", _of("apps", "get_environment_variables")),
    ("PATCH", _APP + "/environment_variables", _update_variables),
    ("GET", _APP + "/features", _of("apps", "list_features")),
    ("GET", _APP + "/features/([^/]+)", _of("apps", "get_feature")),
    ("PATCH", _APP + "/features/([^/]+)", _update_feature),
    ("GET", _APP + "/sidecars", _of("apps", "list_sidecars")),
    ("GET", _APP + "/permissions", _of("apps", "get_permissions")),
    ("GET", _APP + "/ssh_enabled", _of("apps", "get_ssh_enabled")),
    ("GET", _APP + "/processes/([a-z]+)", _of("processes", "get_for_app")),
    (
        "GET",
        _APP + "/processes/([a-z]+)/stats",
        lambda client, found, body, query: client.processes.get_stats(
            app_guid=found[1], type=found[2]
        ),
    ),
    ("GET", "/v3/processes", _list("processes", "app_guids", "types", "guids")),
    ("GET", f"/v3/processes/{_GUID}", _of("processes", "get")),
    ("GET", f"/v3/processes/{_GUID}/stats", _of("processes", "get_stats")),
    ("POST", f"/v3/processes/{_GUID}/actions/scale", _scale),
    ("DELETE", f"/v3/processes/{_GUID}/instances/([0-9]+)", _of("processes", "terminate_instance")),
    ("GET", f"/v3/jobs/{_GUID}", _of("jobs", "get")),
    ("GET", "/v3/spaces", _list("spaces", "names", "guids")),
    ("GET", f"/v3/spaces/{_GUID}", _of("spaces", "get")),
    ("GET", "/v3/organizations", _list("organizations", "names", "guids")),
    ("GET", f"/v3/organizations/{_GUID}", _of("organizations", "get")),
    ("GET", "/v3/deployments", _list("deployments", "app_guids", "status_values")),
    ("POST", "/v3/deployments", _create_deployment),
    ("GET", f"/v3/deployments/{_GUID}", _of("deployments", "get")),
    ("POST", f"/v3/deployments/{_GUID}/actions/cancel", _of("deployments", "cancel")),
    ("POST", f"/v3/deployments/{_GUID}/actions/continue", _of("deployments", "continue_")),
    ("GET", "/v3/builds", _list("builds", "states", "app_guids")),
    ("POST", "/v3/builds", _create_build),
    ("GET", f"/v3/builds/{_GUID}", _of("builds", "get")),
    ("GET", "/v3/packages", _list("packages", "states", "app_guids")),
    ("POST", "/v3/packages", _create_package),
    ("GET", f"/v3/packages/{_GUID}", _of("packages", "get")),
    ("GET", "/v3/droplets", _list("droplets", "states", "app_guids")),
    ("GET", f"/v3/droplets/{_GUID}", _of("droplets", "get")),
]
