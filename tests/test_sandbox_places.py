"""Organizations, spaces and domains of the sandbox: changes, deletions and operators' settings."""

from __future__ import annotations

from typing import Any

import pytest

from aioappsapi.sandbox.world.model import Space
from tests.sandbox_caller import Caller

NAMELESS = {"metadata": {"labels": {"team": "a"}}}


@pytest.fixture
def space(caller: Caller) -> Space:
    return next(iter(caller.sandbox.spaces.values()))


async def test_organizations_and_spaces_can_be_changed_but_names_stay_unique(
    caller: Caller, space: Space
) -> None:
    at = f"/v3/organizations/{space.organization.guid}"
    status, shown = await caller.change("PATCH", at, {"name": "new", "suspended": True})
    assert (status, shown["name"], shown["suspended"]) == (200, "new", True)
    status, error = await caller.change("PATCH", at, {"name": "globex"})
    assert (status, error["detail"]) == (422, "Organization name 'globex' is already taken.")
    at = f"/v3/spaces/{space.guid}"
    status, shown = await caller.change("PATCH", at, NAMELESS)
    assert (shown["name"], shown["metadata"]["labels"]["team"]) == (space.name, "a")
    status, error = await caller.change("PATCH", at, {"name": "prod"})
    assert (status, error["detail"]) == (
        422,
        "Organization 'new' already contains a space with name 'prod'.",
    )


async def test_managers_change_an_organization_but_only_admins_suspend_or_delete_it(
    caller: Caller, space: Space
) -> None:
    at = f"/v3/organizations/{space.organization.guid}"
    await caller.login("manager")
    assert (await caller.change("PATCH", at, NAMELESS))[0] == 200
    assert (await caller.change("PATCH", at, {"suspended": True}))[0] == 403
    assert (await caller.change("DELETE", at))[0] == 403
    await caller.login("developer")
    assert (await caller.change("PATCH", at, NAMELESS))[0] == 403
    assert (await caller.change("PATCH", f"/v3/spaces/{space.guid}", NAMELESS))[0] == 403
    await caller.login("outsider")
    assert (await caller.change("PATCH", at, NAMELESS))[0] == 404


async def test_deleting_an_organization_deletes_its_spaces_and_apps(
    caller: Caller, space: Space
) -> None:
    home = space.organization
    job = await caller.ended("DELETE", f"/v3/organizations/{home.guid}")
    assert job["state"] == "COMPLETE"
    assert home.guid not in caller.sandbox.organizations
    assert all(s.organization is not home for s in caller.sandbox.spaces.values())
    assert all(a.space.organization is not home for a in caller.sandbox.apps.values())


async def test_ssh_is_a_feature_of_a_space(caller: Caller, space: Space) -> None:
    at = f"/v3/spaces/{space.guid}/features"
    assert (await caller.change("PATCH", f"{at}/ssh", {"enabled": False}))[0] == 200
    assert (await caller.get(f"{at}/ssh"))["enabled"] is False
    assert not space.ssh
    assert (await caller.change("PATCH", f"{at}/ssh", {"enabled": 1}))[0] == 422
    assert (await caller.change("GET", f"{at}/other"))[0] == 404


async def test_users_create_organizations_only_if_the_flag_allows_it(caller: Caller) -> None:
    await caller.login("developer")
    assert (await caller.change("POST", "/v3/organizations", {"name": "own"}))[0] == 403
    caller.sandbox.flags["user_org_creation"] = True
    assert (await caller.change("POST", "/v3/organizations", {"name": "own"}))[0] == 201


async def test_a_domain_is_shared_or_belongs_to_one_organization(
    caller: Caller, space: Space
) -> None:
    home = space.organization
    links = {"organization": {"data": {"guid": home.guid}}}
    private = {"name": "Shop.Example.org", "relationships": links}
    await caller.login("manager")
    status, made = await caller.change("POST", "/v3/domains", private)
    assert (status, made["name"]) == (201, "shop.example.org")
    assert made["links"]["organization"]["href"].endswith(home.guid)
    assert (await caller.change("POST", "/v3/domains", {"name": "all.example.org"}))[0] == 403
    for name, expected in (("developer", 200), ("outsider", 404)):
        await caller.login(name)
        assert (await caller.change("GET", f"/v3/domains/{made['guid']}"))[0] == expected
    page = (await caller.change("GET", f"/v3/domains?organization_guids={home.guid}"))[1]
    assert page["resources"] == []
    await caller.login("developer")
    other = {**private, "name": "other.example.org"}
    assert (await caller.change("POST", "/v3/domains", other))[0] == 403
    await caller.login()
    assert (await caller.change("POST", "/v3/domains", {"name": "all.example.org"}))[0] == 201
    default = await caller.get(f"/v3/organizations/{home.guid}/domains/default")
    assert default["name"] == "apps.sandbox.example"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"name": "nodot"},
            'Name does not comply with RFC 1035 standards, Name must contain at least one "."',
        ),
        ({"name": "a..b"}, "Name does not comply with RFC 1035 standards"),
        (
            {"name": "a.b", "relationships": {"organization": {"data": {"guid": "x"}}}},
            "Organization with guid 'x' does not exist or you do not have access to it.",
        ),
    ],
)
async def test_a_domain_with_a_bad_name_is_refused(
    caller: Caller, body: dict[str, Any], words: str
) -> None:
    status, error = await caller.change("POST", "/v3/domains", body)
    assert (status, error["detail"]) == (422, words)


async def test_admins_set_environment_variables_for_all_apps(caller: Caller) -> None:
    at = "/v3/environment_variable_groups/running"
    status, shown = await caller.change("PATCH", at, {"var": {"REGION": "eu"}})
    assert (status, shown["var"]) == (200, {"REGION": "eu"})
    guid = next(iter(caller.sandbox.apps))
    assert (await caller.get(f"/v3/apps/{guid}/env"))["running_env_json"] == {"REGION": "eu"}
    assert (await caller.change("GET", at.replace("running", "other")))[0] == 404
    await caller.login("developer")
    assert (await caller.change("PATCH", at, {"var": {"REGION": "us"}}))[0] == 403
