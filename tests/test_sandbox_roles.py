"""Roles and users in the sandbox: visibility, rights, and 403 or 404."""

from __future__ import annotations

from typing import Any

import pytest

from aioappsapi.sandbox.world.model import Organization, Space, User
from tests.sandbox_caller import UNKNOWN, Caller


@pytest.fixture
def space(caller: Caller) -> Space:
    return next(iter(caller.sandbox.spaces.values()))


def named(caller: Caller, name: str) -> User:
    user = caller.sandbox.world.user_named(name)
    assert user is not None
    return user


def role(kind: str, user: User, place: Space | Organization) -> dict[str, Any]:
    where = kind.partition("_")[0]
    links = {"user": {"data": {"guid": user.guid}}, where: {"data": {"guid": place.guid}}}
    return {"type": kind, "relationships": links}


async def types(caller: Caller, query: str) -> list[str]:
    return [one["type"] for one in (await caller.get(f"/v3/roles?{query}"))["resources"]]


async def test_roles_can_be_filtered_by_user_space_organization_and_type(
    caller: Caller, space: Space
) -> None:
    developer = named(caller, "developer")
    own = f"user_guids={developer.guid}"
    homes = [s for s in caller.sandbox.spaces.values() if s.organization is space.organization]
    found = sorted(await types(caller, own))
    assert found == ["organization_user", *["space_developer"] * len(homes)]
    assert await types(caller, f"{own}&space_guids={space.guid}") == ["space_developer"]
    assert await types(caller, f"{own}&types=organization_user") == ["organization_user"]
    manager = named(caller, "manager")
    home = f"user_guids={manager.guid}&organization_guids={space.organization.guid}"
    assert sorted(await types(caller, home)) == ["organization_manager", "organization_user"]


async def test_a_role_can_include_its_user_and_space(caller: Caller, space: Space) -> None:
    query = f"types=space_developer&space_guids={space.guid}&include=user,space"
    page = await caller.get(f"/v3/roles?{query}")
    assert [user["username"] for user in page["included"]["users"]] == ["developer"]
    assert [one["guid"] for one in page["included"]["spaces"]] == [space.guid]
    guid = page["resources"][0]["guid"]
    one = await caller.get(f"/v3/roles/{guid}?include=user")
    assert one["included"]["users"] == page["included"]["users"]


async def test_a_role_gives_rights_until_it_is_deleted(caller: Caller, space: Space) -> None:
    outsider = named(caller, "outsider")
    wanted = role("space_developer", outsider, space)
    status, error = await caller.change("POST", "/v3/roles", wanted)
    assert (status, error["code"]) == (422, 10008)
    assert "do not have a role in that space's organization" in error["detail"]
    member = role("organization_user", outsider, space.organization)
    assert (await caller.change("POST", "/v3/roles", member))[0] == 201
    status, made = await caller.change("POST", "/v3/roles", wanted)
    assert status == 201
    assert outsider.changes(space)
    status, error = await caller.change("POST", "/v3/roles", wanted)
    assert "already has 'space_developer' role" in error["detail"]
    assert (await caller.ended("DELETE", f"/v3/roles/{made['guid']}"))["state"] == "COMPLETE"
    assert not outsider.changes(space)


async def test_only_managers_create_roles(caller: Caller, space: Space) -> None:
    body = role("organization_auditor", named(caller, "auditor"), space.organization)
    await caller.login("developer")
    assert (await caller.change("POST", "/v3/roles", body))[0] == 403
    await caller.login("manager")
    assert (await caller.change("POST", "/v3/roles", body))[0] == 201


async def test_users_see_only_the_users_of_their_organizations(
    caller: Caller, space: Space
) -> None:
    insiders = {"developer", "supporter", "auditor", "manager"}
    await caller.login("developer")
    page = await caller.get("/v3/users")
    assert {user["username"] for user in page["resources"]} == insiders
    outsider = named(caller, "outsider")
    status, error = await caller.change("GET", f"/v3/users/{outsider.guid}")
    assert (status, error["detail"]) == (404, "User not found")
    await caller.login("outsider")
    page = await caller.get("/v3/users")
    assert [user["guid"] for user in page["resources"]] == [outsider.guid]
    assert (await caller.get("/v3/roles"))["resources"] == []


async def test_users_can_be_filtered_by_name(caller: Caller) -> None:
    page = await caller.get("/v3/users?usernames=auditor&origins=uaa")
    assert [user["username"] for user in page["resources"]] == ["auditor"]
    page = await caller.get("/v3/users?partial_usernames=ANAG")
    assert [user["username"] for user in page["resources"]] == ["manager"]
    status, error = await caller.change("GET", "/v3/users?origins=uaa")
    assert status == 422
    assert "without usernames" in error["detail"]


async def test_only_admins_create_and_delete_users(caller: Caller) -> None:
    status, made = await caller.change("POST", "/v3/users", {"guid": "new-user"})
    assert (status, made["username"], made["presentation_name"]) == (201, None, "new-user")
    labels = {"metadata": {"labels": {"team": "a"}}}
    status, changed = await caller.change("PATCH", "/v3/users/new-user", labels)
    assert changed["metadata"]["labels"] == {"team": "a"}
    assert (await caller.change("DELETE", "/v3/users/new-user"))[0] == 202
    await caller.login("developer")
    assert (await caller.change("POST", "/v3/users", {"guid": "other"}))[0] == 403


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("apps", "App"),
        ("routes", "Route"),
        ("domains", "Domain"),
        ("roles", "Role"),
        ("users", "User"),
        ("sidecars", "Sidecar"),
        ("spaces", "Space"),
        ("organizations", "Organization"),
        ("organization_quotas", "Organization quota"),
        ("space_quotas", "Space quota"),
        ("feature_flags", "Feature flag"),
        ("service_brokers", "Service broker"),
        ("service_offerings", "Service offering"),
        ("service_plans", "Service plan"),
        ("service_instances", "Service instance"),
        ("service_credential_bindings", "Service credential binding"),
        ("isolation_segments", "Isolation segment"),
        ("security_groups", "Security group"),
        ("buildpacks", "Buildpack"),
        ("audit_events", "Event"),
        ("app_usage_events", "App usage event"),
    ],
)
async def test_a_missing_resource_is_named_in_the_error(
    caller: Caller, kind: str, words: str
) -> None:
    status, error = await caller.change("GET", f"/v3/{kind}/{UNKNOWN}")
    assert (status, error["code"], error["detail"]) == (404, 10010, f"{words} not found")


@pytest.mark.parametrize("scope", ["admin_read_only", "global_auditor"])
async def test_global_readers_see_everything_and_change_nothing(
    caller: Caller, space: Space, scope: str
) -> None:
    caller.sandbox.world.add_user(scope, scope, [f"cloud_controller.{scope}"])
    guid = next(iter(caller.sandbox.apps))
    names = [route["host"] for route in (await caller.get("/v3/routes"))["resources"]]
    await caller.login(scope)
    page = await caller.get("/v3/routes")
    assert [route["host"] for route in page["resources"]] == names
    assert (await caller.get("/v3/service_brokers"))["resources"]
    assert (await caller.change("POST", f"/v3/apps/{guid}/actions/start"))[0] == 403
    flag = "/v3/feature_flags/diego_docker"
    assert (await caller.change("PATCH", flag, {"enabled": False}))[0] == 403


async def test_an_organization_auditor_sees_routes_but_no_apps(
    caller: Caller, space: Space
) -> None:
    named(caller, "outsider").roles[space.organization.guid] = {"organization_auditor"}
    await caller.login("outsider")
    assert (await caller.get("/v3/routes"))["resources"]
    assert (await caller.get("/v3/apps"))["resources"] == []
    assert len((await caller.get("/v3/organizations"))["resources"]) == 1


async def test_auditors_can_read_a_space_but_outsiders_cannot(caller: Caller, space: Space) -> None:
    paths = [f"/v3/spaces/{space.guid}", f"/v3/spaces/{space.guid}/usage_summary"]
    paths += [f"/v3/spaces/{space.guid}/users"]
    for name, expected in (("auditor", 200), ("manager", 200), ("outsider", 404)):
        await caller.login(name)
        for path in paths:
            assert (await caller.change("GET", path))[0] == expected


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"type": "space_developer", "relationships": {"space": {"data": {"guid": "x"}}}},
            (
                "Relationships User can't be blank, "
                "Relationships User must have a username or guid specified"
            ),
        ),
        (
            {"type": "space_auditor", "relationships": {"user": {"data": {"guid": "x"}}}},
            "Relationships must specify either a space or an organization.",
        ),
        (
            {
                "type": "organization_user",
                "relationships": {
                    "user": {"data": {"guid": "x"}},
                    "space": {"data": {"guid": "x"}},
                },
            },
            (
                "Relationships Space cannot be provided with the organization role type: "
                "'organization_user'."
            ),
        ),
        ({"type": "space_manager"}, "Relationships 'relationships' is not an object"),
    ],
)
async def test_a_role_without_a_user_or_the_right_place_is_refused(
    caller: Caller, body: dict[str, Any], words: str
) -> None:
    status, error = await caller.change("POST", "/v3/roles", body)
    assert (status, error["detail"]) == (422, words)
