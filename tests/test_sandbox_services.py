"""Routes and services around the sandbox's apps: seeded, created, bound and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from aioappsapi.sandbox.world.model import App
from aioappsapi.sandbox.world.network import paired_guid
from tests.sandbox_caller import UNKNOWN, Caller


@pytest.fixture
def app(caller: Caller) -> App:
    home = next(iter(caller.sandbox.spaces.values()))
    return next(app for app in caller.sandbox.apps.values() if app.space is home)


def to(**links: str) -> dict[str, Any]:
    return {name: {"data": {"guid": guid}} for name, guid in links.items()}


def test_a_twin_guid_is_valid_and_reversible() -> None:
    other = paired_guid(UNKNOWN, "route")
    assert len(other) == len(UNKNOWN)
    assert (other[14], other[19]) == (UNKNOWN[14], UNKNOWN[19])
    assert paired_guid(other, "route") == UNKNOWN
    assert other != UNKNOWN != paired_guid(UNKNOWN, "destination") != other


async def test_every_seeded_app_has_its_route(caller: Caller, app: App) -> None:
    page = await caller.get("/v3/routes?per_page=500&include=domain")
    assert len(page["resources"]) == len(caller.sandbox.apps)
    assert [one["name"] for one in page["included"]["domains"]] == ["apps.sandbox.example"]
    [route] = (await caller.get(f"/v3/apps/{app.guid}/routes"))["resources"]
    assert route["url"] == f"{app.name}.apps.sandbox.example"
    assert route["destinations"][0]["app"]["guid"] == app.guid
    assert await caller.get(f"/v3/routes/{route['guid']}") == route
    env = await caller.get(f"/v3/apps/{app.guid}/env")
    assert env["application_env_json"]["VCAP_APPLICATION"]["uris"] == [route["url"]]


async def test_changes_of_a_seeded_route_are_kept(caller: Caller, app: App) -> None:
    [route] = (await caller.get(f"/v3/apps/{app.guid}/routes"))["resources"]
    at = f"/v3/routes/{route['guid']}"
    assert (await caller.change("PATCH", at, {"metadata": {"labels": {"a": "b"}}}))[0] == 200
    assert (await caller.get(at))["metadata"]["labels"] == {"a": "b"}
    destination = route["destinations"][0]["guid"]
    assert (await caller.change("DELETE", f"{at}/destinations/{destination}"))[0] == 204
    assert (await caller.get(f"/v3/apps/{app.guid}/routes"))["resources"] == []
    assert (await caller.get(at))["destinations"] == []
    assert (await caller.ended("DELETE", at))["state"] == "COMPLETE"
    assert (await caller.change("GET", at))[0] == 404


async def test_a_route_can_be_created_and_mapped_to_an_app_once(caller: Caller, app: App) -> None:
    domain = next(iter(caller.sandbox.network.domains))
    body = {"host": "shop", "relationships": to(space=app.space.guid, domain=domain)}
    await caller.login("developer")
    status, route = await caller.change("POST", "/v3/routes", body)
    assert (status, route["url"]) == (201, "shop.apps.sandbox.example")
    status, error = await caller.change("POST", "/v3/routes", body)
    assert (status, error["code"]) == (422, 10008)
    leading = {"destinations": [{"app": {"guid": app.guid}}]}
    path = f"/v3/routes/{route['guid']}/destinations"
    for _ in range(2):
        status, shown = await caller.change("POST", path, leading)
        assert len(shown["destinations"]) == 1
    found = await caller.get("/v3/routes?hosts=shop")
    assert [one["guid"] for one in found["resources"]] == [route["guid"]]
    reserved = f"/v3/domains/{domain}/route_reservations?host="
    assert (await caller.get(f"{reserved}shop"))["matching_route"] is True
    assert (await caller.get(f"{reserved}other"))["matching_route"] is False


async def test_a_route_needs_a_valid_domain_and_the_right_to_create_it(
    caller: Caller, app: App
) -> None:
    body = {"host": "x", "relationships": to(space=app.space.guid, domain=UNKNOWN)}
    status, error = await caller.change("POST", "/v3/routes", body)
    assert error["detail"].startswith("Invalid domain.")
    domain = next(iter(caller.sandbox.network.domains))
    body = {"host": "x", "relationships": to(space=app.space.guid, domain=domain)}
    for name in ("auditor", "outsider"):
        await caller.login(name)
        assert (await caller.change("POST", "/v3/routes", body))[0] == 403
    caller.sandbox.flags["route_creation"] = False
    await caller.login("developer")
    status, error = await caller.change("POST", "/v3/routes", body)
    assert (status, error["code"]) == (403, 330002)


async def test_the_environment_of_the_first_app_shows_its_service_bindings(
    caller: Caller, app: App
) -> None:
    page = await caller.get(f"/v3/service_credential_bindings?app_guids={app.guid}")
    assert [one["type"] for one in page["resources"]] == ["app", "app"]
    env = (await caller.get(f"/v3/apps/{app.guid}/env"))["system_env_json"]["VCAP_SERVICES"]
    assert sorted(env) == ["postgres-db", "user-provided"]
    await caller.ended("DELETE", f"/v3/apps/{app.guid}")
    assert (await caller.get("/v3/service_credential_bindings"))["resources"] == []


async def test_a_service_instance_can_be_created_bound_and_deleted(
    caller: Caller, app: App
) -> None:
    plan = (await caller.get("/v3/service_plans?names=small"))["resources"][0]["guid"]
    body = {
        "type": "managed", "name": "mine", "parameters": {"size": 3},
        "relationships": to(space=app.space.guid, service_plan=plan),
    }  # fmt: skip
    await caller.login("developer")
    assert (await caller.ended("POST", "/v3/service_instances", body))["state"] == "COMPLETE"
    [row] = (await caller.get("/v3/service_instances?names=mine&type=managed"))["resources"]
    at = f"/v3/service_instances/{row['guid']}"
    assert await caller.get(f"{at}/parameters") == {"size": 3}
    assert await caller.get(f"{at}/permissions") == {"manage": True, "read": True}
    links = to(app=app.guid, service_instance=row["guid"])
    binding = {"type": "app", "relationships": links}
    await caller.ended("POST", "/v3/service_credential_bindings", binding)
    _, error = await caller.change("POST", "/v3/service_credential_bindings", binding)
    assert error["detail"] == "The app is already bound to the service instance"
    caller.sandbox.marketplace.broker_error = "broker exploded"
    job = await caller.ended("DELETE", at)
    assert job["state"] == "FAILED"
    assert "broker exploded" in job["errors"][0]["detail"]
    caller.sandbox.marketplace.broker_error = None
    assert (await caller.ended("DELETE", at))["state"] == "COMPLETE"
    assert (await caller.change("GET", at))[0] == 404


async def test_only_developers_and_admins_read_credentials(caller: Caller, app: App) -> None:
    [own] = (await caller.get("/v3/service_instances?type=user-provided"))["resources"]
    path = f"/v3/service_instances/{own['guid']}/credentials"
    [bound] = (
        await caller.get(f"/v3/service_credential_bindings?service_instance_guids={own['guid']}")
    )["resources"]
    details = f"/v3/service_credential_bindings/{bound['guid']}/details"
    for name, of_instance, of_binding in (
        ("developer", 200, 200),
        ("supporter", 403, 404),
        ("auditor", 403, 404),
        ("outsider", 404, 404),
    ):
        await caller.login(name)
        assert (await caller.change("GET", path))[0] == of_instance
        assert (await caller.change("GET", details))[0] == of_binding
    await caller.login()
    status, error = await caller.change("GET", path.replace("credentials", "parameters"))
    assert (status, error["code"]) == (400, 120004)


async def test_the_fields_parameter_includes_parts_of_related_resources(
    caller: Caller, app: App
) -> None:
    fields = (
        "fields[space]=guid,relationships.organization&fields[space.organization]=name"
        "&fields[service_plan]=name&fields[service_plan.service_offering]=name"
        "&fields[service_plan.service_offering.service_broker]=name"
    )
    included = (await caller.get(f"/v3/service_instances?{fields}"))["included"]
    home = app.space.organization
    assert included == {
        "spaces": [
            {
                "guid": app.space.guid,
                "relationships": {"organization": {"data": {"guid": home.guid}}},
            }
        ],
        "organizations": [{"name": home.name}],
        "service_plans": [{"name": "small"}],
        "service_offerings": [{"name": "postgres-db"}],
        "service_brokers": [{"name": "sandbox-broker"}],
    }


async def test_sidecars_can_be_created_changed_and_deleted(caller: Caller, app: App) -> None:
    body = {"name": "proxy", "command": "run", "process_types": ["web"], "memory_in_mb": 64}
    status, made = await caller.change("POST", f"/v3/apps/{app.guid}/sidecars", body)
    assert (status, made["origin"]) == (201, "user")
    for path in (f"/v3/apps/{app.guid}/sidecars", f"/v3/processes/{app.guid}/sidecars"):
        assert (await caller.get(path))["resources"] == [made]
    at = f"/v3/sidecars/{made['guid']}"
    assert (await caller.change("PATCH", at, {"process_types": ["worker"]}))[0] == 200
    assert (await caller.get(f"/v3/processes/{app.guid}/sidecars"))["resources"] == []
    assert (await caller.change("DELETE", at))[0] == 204


async def test_a_manifest_creates_its_apps(caller: Caller, app: App) -> None:
    manifest = b"applications:\n- name: fresh\n  memory: 2G\n  instances: 3\n- name: second\n"
    at = f"/v3/spaces/{app.space.guid}"
    headers = {"Content-Type": "application/x-yaml"}
    status, text, _ = await caller.ask(
        "POST", f"{at}/manifest_diff", data=manifest, headers=headers
    )
    assert (status, text.count('"op":"add"')) == (201, 2)
    _, _, response = await caller.ask(
        "POST", f"{at}/actions/apply_manifest", data=manifest, headers=headers
    )
    job = response.headers["Location"].partition("/v3/")[2]
    for _ in range(2):
        await caller.get(f"/v3/{job}")
    [fresh] = (await caller.get("/v3/apps?names=fresh"))["resources"]
    status, text, _ = await caller.ask("GET", f"/v3/apps/{fresh['guid']}/manifest")
    assert "    memory: 2048M\n" in text
    assert "    instances: 3\n" in text


async def test_v2_requests_have_a_rate_limit_of_their_own(caller: Caller) -> None:
    caller.sandbox.faults = type(caller.sandbox.faults)(v2_rate_limit=1)
    await caller.login("developer")
    statuses = [(await caller.ask("GET", "/v2/apps"))[0] for _ in range(2)]
    status, text, response = await caller.ask("GET", "/v2/apps")
    assert statuses == [200, 429]
    assert response.headers["X-RateLimit-Limit-V2-API"] == "1"
    assert (status, "CF-RateLimitV2APIExceeded" in text) == (429, True)
    assert (await caller.ask("GET", "/v3/apps"))[0] == 200
    assert (await caller.ask("GET", "/v2/info"))[0] == 200
    assert (await caller.ask("GET", "/v2/other"))[0] == 404


async def test_a_service_key_can_be_created_once_and_deleted(caller: Caller, app: App) -> None:
    [database] = (await caller.get("/v3/service_instances?type=managed"))["resources"]
    body = {
        "type": "key", "name": "mine", "relationships": to(service_instance=database["guid"]),
    }  # fmt: skip
    path = "/v3/service_credential_bindings"
    assert (await caller.ended("POST", path, body))["operation"] == "service_keys.create"
    [key] = (await caller.get(f"{path}?type=key&include=service_instance"))["resources"]
    assert "app" not in key["links"]
    status, error = await caller.change("POST", path, body)
    assert (status, "already has a key" in error["detail"]) == (422, True)
    usage = await caller.get(f"/v3/spaces/{app.space.guid}/usage_summary")
    assert usage["usage_summary"]["service_keys"] == 1
    caller.sandbox.marketplace.broker_error = "broker exploded"
    assert (await caller.ended("DELETE", f"{path}/{key['guid']}"))["state"] == "FAILED"
    shown = (await caller.get(f"{path}/{key['guid']}"))["last_operation"]
    assert (shown["type"], shown["state"]) == ("delete", "failed")
    caller.sandbox.marketplace.broker_error = None
    assert (await caller.ended("DELETE", f"{path}/{key['guid']}"))["state"] == "COMPLETE"
    assert (await caller.get(f"{path}?type=key"))["resources"] == []


async def test_a_binding_without_a_valid_app_and_service_instance_is_refused(
    caller: Caller, app: App
) -> None:
    path = "/v3/service_credential_bindings"
    [own] = (await caller.get("/v3/service_instances?type=user-provided"))["resources"]
    for body, words in (
        ({"type": "x"}, "Relationships 'relationships' is not an object, Type must be 'app' or"),
        (
            {"type": "app", "relationships": {}},
            "Relationships 'relationships' must include one or more valid relationships",
        ),
        (
            {"type": "app", "relationships": to(app=app.guid, service_instance=UNKNOWN)},
            f"The service instance could not be found: '{UNKNOWN}'",
        ),
        (
            {"type": "app", "relationships": to(app=UNKNOWN, service_instance=own["guid"])},
            f"The app could not be found: '{UNKNOWN}'",
        ),
        (
            {
                "type": "app",
                "parameters": {},
                "relationships": to(app=app.guid, service_instance=own["guid"]),
            },
            "Binding parameters are not supported for user-provided service instances",
        ),
    ):
        status, error = await caller.change("POST", path, body)
        assert status == 422
        assert error["detail"].startswith(words)
    [bound] = (await caller.get(f"{path}?service_instance_names=my-ups"))["resources"]
    assert (await caller.change("DELETE", f"{path}/{bound['guid']}"))[0] == 204
    status, error = await caller.change("GET", f"{path}/{bound['guid']}")
    assert (status, error["detail"]) == (404, "Service credential binding not found")


async def test_a_service_instance_without_a_valid_type_space_and_plan_is_refused(
    caller: Caller, app: App
) -> None:
    space = to(space=app.space.guid)
    for body, words in (
        (
            {"type": "x", "name": 1, "relationships": space},
            "Type must be one of 'managed', 'user-provided', Name must be a string",
        ),
        (
            {"type": "managed", "name": "a", "relationships": space},
            "Relationships Service plan can't be blank",
        ),
        (
            {"type": "managed", "name": "a", "relationships": space | to(service_plan=UNKNOWN)},
            "Invalid service plan.",
        ),
        (
            {"type": "user-provided", "name": "a", "relationships": to(space=UNKNOWN)},
            "Invalid space.",
        ),
    ):
        status, error = await caller.change("POST", "/v3/service_instances", body)
        assert status == 422
        assert error["detail"].startswith(words)


async def test_the_destinations_of_a_route_can_be_replaced(caller: Caller, app: App) -> None:
    [route] = (await caller.get(f"/v3/apps/{app.guid}/routes?include=space"))["resources"]
    at = f"/v3/routes/{route['guid']}/destinations"
    other = caller.sandbox.add_app("other", space=app.space)
    far = next(a for a in caller.sandbox.apps.values() if a.space is not app.space)
    for guid, words in (
        (UNKNOWN, f'App(s) with guid(s) "{UNKNOWN}" do not exist.'),
        (
            far.guid,
            (
                "Routes destinations must be in either the route's space or the route's shared "
                "spaces"
            ),
        ),
    ):
        status, error = await caller.change(
            "PATCH", at, {"destinations": [{"app": {"guid": guid}}]}
        )
        assert (status, error["detail"]) == (422, words)
    assert (await caller.change("PATCH", at, {"destinations": "x"}))[0] == 422
    body = {"destinations": [{"app": {"guid": other.guid, "process": {"type": "worker"}}}]}
    status, shown = await caller.change("PATCH", at, body)
    assert [one["app"]["guid"] for one in shown["destinations"]] == [other.guid]
    assert (await caller.get(f"/v3/apps/{app.guid}/routes"))["resources"] == []
    status, _ = await caller.change("DELETE", f"{at}/{UNKNOWN}")
    assert status == 422


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": 1}, "Host must be a string"),
        ({"host": "x" * 64}, "Host is too long (maximum is 63 characters)"),
        ({"path": "nope"}, "Path must begin with /"),
        ({"other": 1}, "Unknown field(s): 'other'"),
        (
            {"relationships": None},
            "Relationships can't be blank, Relationships 'relationships' is not an object",
        ),
        ({"host": ""}, "Missing host. Routes in shared domains must have a host defined."),
    ],
)
async def test_a_route_with_a_bad_address_is_refused(
    caller: Caller, app: App, change: dict[str, Any], words: str
) -> None:
    domain = next(iter(caller.sandbox.network.domains))
    body = {"host": "x", "relationships": to(space=app.space.guid, domain=domain)}
    status, error = await caller.change("POST", "/v3/routes", body | change)
    assert (status, error["detail"]) == (422, words)


async def test_while_an_operation_goes_on_there_is_no_other(caller: Caller, app: App) -> None:
    [instance] = [one for one in caller.sandbox.marketplace.instances.values() if one.plan is None][
        :1
    ]
    [bound] = [one for one in caller.sandbox.marketplace.bindings.values() if one.app is app][:1]
    at = f"/v3/service_credential_bindings/{bound.guid}"

    bound.last.state = "in progress"
    _, error = await caller.change("DELETE", at)
    assert error["detail"] == "There is an operation in progress for the service binding."
    status, error = await caller.change("GET", f"{at}/details")
    assert (status, error["detail"]) == (404, "Creation of service binding in progress")

    instance.last.state = "in progress"
    _, error = await caller.change("DELETE", f"/v3/service_instances/{instance.guid}")
    assert error["detail"] == "There is an operation in progress for the service instance."


async def test_a_user_provided_instance_has_no_keys(caller: Caller) -> None:
    [own] = (await caller.get("/v3/service_instances?type=user-provided"))["resources"]
    fields = {"type": "key", "name": "k", "relationships": to(service_instance=own["guid"])}

    _, error = await caller.change("POST", "/v3/service_credential_bindings", fields)

    assert error["detail"].startswith("Service credential bindings of type 'key' are not supported")


async def test_the_labels_of_a_binding_can_be_changed(caller: Caller) -> None:
    [row, *_] = caller.sandbox.marketplace.bindings.values()
    at = f"/v3/service_credential_bindings/{row.guid}"

    _, shown = await caller.change("PATCH", at, {"metadata": {"labels": {"a": "b"}}})
    _, error = await caller.change("PATCH", at, {"name": "x"})

    assert shown["metadata"]["labels"] == {"a": "b"}
    assert error["detail"] == "Unknown field(s): 'name'"
