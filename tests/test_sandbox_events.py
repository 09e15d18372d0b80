"""Events of the sandbox: one audit event per action, one usage event per change."""

from __future__ import annotations

import pytest

from aioappsapi.sandbox.world.model import App
from tests.sandbox_caller import UNKNOWN, Caller

ACTIONS = "audit.app.start,audit.app.stop,audit.app.restart"


@pytest.fixture
def app(caller: Caller) -> App:
    return next(app for app in caller.sandbox.apps.values() if app.droplet)


async def kinds(caller: Caller, query: str = "") -> list[str]:
    page = await caller.get(f"/v3/audit_events?per_page=500{query}")
    return [event["type"] for event in page["resources"]]


async def act(caller: Caller, app: App, action: str) -> int:
    status, _, _ = await caller.ask("POST", f"/v3/apps/{app.guid}/actions/{action}")
    return status


async def test_every_start_and_stop_makes_an_audit_event_even_if_nothing_changed(
    caller: Caller, app: App
) -> None:
    for action in ("start", "start", "stop", "stop", "restart"):
        assert await act(caller, app, action) == 200
    found = await kinds(caller, f"&target_guids={app.guid}")
    assert found == [f"audit.app.{name}" for name in ("start", "start", "stop", "stop", "restart")]


async def test_usage_events_record_only_changes(caller: Caller, app: App) -> None:
    for action in ("start", "start", "stop", "stop", "restart"):
        await act(caller, app, action)
    rows = (await caller.get("/v3/app_usage_events"))["resources"]
    assert [row["state"]["current"] for row in rows] == ["STARTED", "STOPPED", "STARTED"]
    assert {row["app"]["guid"] for row in rows} == {app.guid}
    later = await caller.get(f"/v3/app_usage_events?after_guid={rows[0]['guid']}")
    assert [row["guid"] for row in later["resources"]] == [row["guid"] for row in rows[1:]]


async def test_a_start_that_diego_refuses_makes_an_event_but_a_restart_does_not(
    caller: Caller, app: App
) -> None:
    caller.sandbox.diego = "refused"
    assert await act(caller, app, "start") == 503
    assert await act(caller, app, "restart") == 503
    assert await kinds(caller, f"&types={ACTIONS}") == ["audit.app.start"]


async def test_a_start_that_the_quota_refuses_makes_no_event(caller: Caller, app: App) -> None:
    app.space.organization.memory_limit = 1
    assert await act(caller, app, "start") == 422
    assert await kinds(caller) == []


async def test_changes_of_an_app_make_audit_events_without_secrets(
    caller: Caller, app: App
) -> None:
    at = f"/v3/apps/{app.guid}"
    links = {"space": {"data": {"guid": app.space.guid}}}
    for method, path, fields in (
        ("POST", "/v3/apps", {"name": "fresh", "relationships": links}),
        ("PATCH", at, {"metadata": {"labels": {"a": "b"}}}),
        ("PATCH", f"{at}/environment_variables", {"var": {"SECRET": "s3cr3t"}}),
        ("GET", f"{at}/env", None),
        ("POST", f"{at}/processes/web/actions/scale", {"instances": 2}),
        ("POST", f"{at}/tasks", {"command": "rake s3cr3t"}),
        ("DELETE", at, None),
    ):
        status, fields = await caller.change(method, path, fields)
        assert status < 300, fields
    page = await caller.get("/v3/audit_events")
    assert [event["type"] for event in page["resources"]] == [
        "audit.app.process.create",
        "audit.app.create",
        "audit.app.update",
        "audit.app.update",
        "audit.app.environment.show",
        "audit.app.process.scale",
        "audit.app.task.create",
        "audit.app.delete-request",
    ]
    data = [event["data"] for event in page["resources"]]
    assert data[1] == {"request": {"name": "fresh", "relationships": links}}
    assert data[3] == {"request": {"environment_variables": "[PRIVATE DATA HIDDEN]"}}
    assert data[5]["request"] == {"instances": 2}
    assert "s3cr3t" not in str(page)


async def test_changes_of_spaces_and_organizations_make_audit_events_without_secrets(
    caller: Caller, app: App
) -> None:
    space, home = app.space, app.space.organization
    [outsider] = [user for user in caller.sandbox.users.values() if user.name == "outsider"]
    domain = next(iter(caller.sandbox.network.domains))
    of_space = {"space": {"data": {"guid": space.guid}}}
    of_route = of_space | {"domain": {"data": {"guid": domain}}}
    of_role = {
        "user": {"data": {"guid": outsider.guid}},
        "organization": {"data": {"guid": home.guid}},
    }
    ups = {"type": "user-provided", "name": "own", "credentials": {"key": "s3cr3t"}}
    for method, path, fields in (
        ("PATCH", f"/v3/spaces/{space.guid}", {"metadata": {"labels": {"a": "b"}}}),
        ("PATCH", f"/v3/organizations/{home.guid}", {"metadata": {"labels": {"a": "b"}}}),
        ("POST", "/v3/routes", {"host": "shop", "relationships": of_route}),
        ("POST", "/v3/service_instances", {**ups, "relationships": of_space}),
        ("POST", "/v3/roles", {"type": "organization_user", "relationships": of_role}),
    ):
        status, answer = await caller.change(method, path, fields)
        assert status < 300, answer
    page = await caller.get(f"/v3/audit_events?organization_guids={home.guid}")
    found = [(event["type"], event["target"]["name"]) for event in page["resources"]]
    assert found == [
        ("audit.space.update", space.name),
        ("audit.organization.update", home.name),
        ("audit.route.create", "shop"),
        ("audit.user_provided_service_instance.create", "own"),
        ("audit.user.organization_user_add", outsider.email),
    ]
    assert [event["space"] is None for event in page["resources"]] == [
        False,
        True,
        False,
        False,
        True,
    ]
    assert "s3cr3t" not in str(page)


async def test_events_can_be_sorted_filtered_and_read_one_by_one(caller: Caller, app: App) -> None:
    for action in ("start", "stop"):
        await act(caller, app, action)
    assert await kinds(caller, "&order_by=-created_at") == ["audit.app.stop", "audit.app.start"]
    assert await kinds(caller, f"&target_guids[not]={app.guid}") == []
    assert await kinds(caller, f"&space_guids={app.space.guid}&types=audit.app.stop") == [
        "audit.app.stop"
    ]
    first = (await caller.get("/v3/audit_events?per_page=1"))["resources"][0]
    assert await caller.get(f"/v3/audit_events/{first['guid']}") == first
    assert first["actor"]["name"] == "admin@sandbox.example"
    status, error = await caller.change("GET", f"/v3/audit_events/{UNKNOWN}")
    assert (status, error["detail"]) == (404, "Event not found")


@pytest.mark.parametrize(
    ("name", "sees"), [("developer", True), ("supporter", True), ("auditor", True),
                       ("manager", False), ("outsider", False)]
)  # fmt: skip
async def test_only_members_of_the_space_see_its_events(
    caller: Caller, name: str, sees: bool
) -> None:
    user = caller.sandbox.world.user_named(name)
    developer = caller.sandbox.world.user_named("developer")
    assert user is not None
    assert developer is not None
    app = next(a for a in caller.sandbox.apps.values() if developer.reads(a.space) and a.droplet)
    await act(caller, app, "start")
    await caller.login(name)
    assert bool(await kinds(caller)) is sees
