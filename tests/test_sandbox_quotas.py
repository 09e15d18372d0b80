"""Quotas, usage and feature flags, which decide whether apps may start."""

from __future__ import annotations

import pytest

from aioappsapi.sandbox.api.platform.flags import DEFAULTS
from aioappsapi.sandbox.world.model import App
from tests.sandbox_caller import Caller


@pytest.fixture
def app(caller: Caller) -> App:
    return next(app for app in caller.sandbox.apps.values() if app.droplet)


async def started(caller: Caller, app: App) -> tuple[int, str]:
    status, answer = await caller.change("POST", f"/v3/apps/{app.guid}/actions/start")
    return status, answer.get("detail", "")


@pytest.mark.parametrize(
    ("of_space", "of_organization", "words"),
    [
        (None, 1023, "memory quota_exceeded"),
        (1023, None, "memory space_quota_exceeded"),
        (1023, 1023, "memory space_quota_exceeded, memory quota_exceeded"),
    ],
)
async def test_a_start_beyond_the_memory_quota_is_refused(
    caller: Caller, app: App, of_space: int | None, of_organization: int | None, words: str
) -> None:
    app.space.memory_limit = of_space
    app.space.organization.memory_limit = of_organization
    assert await started(caller, app) == (422, words)
    assert app.state == "STOPPED"


async def test_quotas_limit_the_number_and_the_size_of_instances(caller: Caller, app: App) -> None:
    space, home = app.space, app.space.organization
    app.processes[0].instances = 2
    space.instance_limit = home.instance_limit = 1
    space.process_memory_limit = home.process_memory_limit = 1023
    status, words = await started(caller, app)
    assert status == 422
    assert words.split(", ") == [
        "memory instance_memory_limit_exceeded",
        "memory space_instance_memory_limit_exceeded",
        "app_instance_limit app_instance_limit_exceeded",
        "app_instance_limit space_app_instance_limit_exceeded",
    ]
    page = await caller.get(f"/v3/space_quotas?space_guids={space.guid}")
    assert page["resources"][0]["apps"]["total_instances"] == 1
    assert page["resources"][0]["apps"]["per_process_memory_in_mb"] == 1023
    space.instance_limit = home.instance_limit = 2
    space.process_memory_limit = home.process_memory_limit = 1024
    assert (await started(caller, app))[0] == 200


async def test_cloud_native_buildpacks_are_off_until_their_flag_is_set(caller: Caller) -> None:
    app = caller.sandbox.add_app("cnb", lifecycle="cnb")
    await caller.login("developer")
    assert await started(caller, app) == (403, "Feature Disabled: diego_cnb")
    caller.sandbox.flags["diego_cnb"] = True
    assert (await started(caller, app))[0] == 200


async def test_a_space_quota_counts_the_apps_and_tasks_of_its_space(
    caller: Caller, app: App
) -> None:
    other = caller.sandbox.add_app("other", space=app.space)
    far = next(s for s in caller.sandbox.spaces.values() if s is not app.space)
    elsewhere = caller.sandbox.add_app("elsewhere", space=far)
    app.space.memory_limit = 2048
    task = {"command": "sleep", "memory_in_mb": 1024}
    assert (await started(caller, elsewhere))[0] == 200
    assert (await started(caller, app))[0] == 200
    assert (await caller.change("POST", f"/v3/apps/{app.guid}/tasks", task))[0] == 202
    assert await started(caller, other) == (422, "memory space_quota_exceeded")
    app.space.memory_limit = 3072
    assert (await started(caller, other))[0] == 200


async def test_quotas_show_the_limits_and_are_linked_from_their_space_or_organization(
    caller: Caller, app: App
) -> None:
    space, home = app.space, app.space.organization
    page = await caller.get(f"/v3/space_quotas?space_guids={space.guid}")
    assert page["resources"] == []
    space.memory_limit, home.memory_limit = 512, 4096
    [quota] = (await caller.get(f"/v3/space_quotas?space_guids={space.guid}"))["resources"]
    assert quota["apps"]["total_memory_in_mb"] == 512
    shown = await caller.get(f"/v3/spaces/{space.guid}")
    assert shown["relationships"]["quota"]["data"] == {"guid": quota["guid"]}
    assert await caller.get(f"/v3/space_quotas/{quota['guid']}") == quota
    [quota] = (await caller.get(f"/v3/organization_quotas?organization_guids={home.guid}"))[
        "resources"
    ]
    assert quota["apps"]["total_memory_in_mb"] == 4096
    shown = await caller.get(f"/v3/organizations/{home.guid}")
    assert shown["relationships"]["quota"]["data"] == {"guid": quota["guid"]}
    assert await caller.get(f"/v3/organization_quotas/{quota['guid']}") == quota
    [same] = (await caller.get(f"/v3/organization_quotas?guids={quota['guid']}"))["resources"]
    assert same == quota


async def test_a_quota_lists_only_organizations_that_the_user_can_see(
    caller: Caller, app: App
) -> None:
    for organization in caller.sandbox.organizations.values():
        organization.quota_guid = "shared"
    every = (await caller.get("/v3/organization_quotas/shared"))["relationships"]
    assert len(every["organizations"]["data"]) == len(caller.sandbox.organizations)
    await caller.login("developer")
    known = (await caller.get("/v3/organization_quotas/shared"))["relationships"]
    assert len(known["organizations"]["data"]) == 1


@pytest.mark.parametrize("kind", ["organizations", "spaces"])
async def test_usage_summaries_add_up_the_running_apps(caller: Caller, app: App, kind: str) -> None:
    place = app.space if kind == "spaces" else app.space.organization
    app.processes[0].instances, app.processes[0].memory_in_mb = 3, 256
    app.state = "STARTED"
    summary = (await caller.get(f"/v3/{kind}/{place.guid}/usage_summary"))["usage_summary"]
    assert summary["started_instances"] == 3
    assert summary["memory_in_mb"] == 768
    apps = [a for a in caller.sandbox.apps.values() if place in (a.space, a.space.organization)]
    assert summary["routes"] == len(apps)
    whole = (await caller.get("/v3/info/usage_summary"))["usage_summary"]
    assert whole["memory_in_mb"] == 768
    assert whole["routes"] == len(caller.sandbox.apps)
    await caller.login("developer")
    assert (await caller.change("GET", "/v3/info/usage_summary"))[0] == 403


async def test_only_admins_switch_feature_flags(caller: Caller) -> None:
    page = await caller.get("/v3/feature_flags")
    assert {flag["name"]: flag["enabled"] for flag in page["resources"]} == DEFAULTS
    change = {"enabled": False, "custom_error_message": "no containers today"}
    docker = caller.sandbox.add_app("docker", lifecycle="docker")
    status, flag = await caller.change("PATCH", "/v3/feature_flags/diego_docker", change)
    assert (status, flag["enabled"], flag["updated_at"] is None) == (200, False, False)
    assert await caller.get("/v3/feature_flags/diego_docker") == flag
    await caller.login("developer")
    assert await started(caller, docker) == (403, "Feature Disabled: no containers today")
    status, _ = await caller.change("PATCH", "/v3/feature_flags/diego_docker", {"enabled": True})
    assert status == 403
    caller.sandbox.flags["diego_docker"] = True
    assert (await started(caller, docker))[0] == 200


async def test_a_feature_flag_must_be_a_boolean(caller: Caller) -> None:
    status, error = await caller.change(
        "PATCH", "/v3/feature_flags/app_scaling", {"enabled": "yes", "other": 1}
    )
    assert status == 422
    assert error["detail"] == "Unknown field(s): 'other', Enabled must be a boolean"
