"""Several requests in order: apps, deployments, outages, quotas."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from yarl import URL

from aioappsapi.sandbox import Faults
from aioappsapi.sandbox.world.model import App
from tests.sandbox_caller import Caller


async def send(caller: Caller, method: str, path: str, fields: Any = None) -> tuple[int, Any]:
    status, text, response = await caller.ask(method, path, json=fields)
    location = response.headers.get("location")
    if location is not None:
        return status, URL(location).path
    return status, json.loads(text) if text else None


def first(caller: Caller) -> App:
    return next(iter(caller.sandbox.apps.values()))


async def test_an_app_can_be_created_staged_started_and_deleted(caller: Caller) -> None:
    space = next(iter(caller.sandbox.spaces))
    related = {"space": {"data": {"guid": space}}}
    asked = {"name": "new", "relationships": related, "environment_variables": {"A": 1}}
    asked["lifecycle"] = {"type": "docker", "data": {}}
    status, app = await send(caller, "POST", "/v3/apps", asked)
    assert (status, app["state"]) == (201, "STOPPED")
    here = f"/v3/apps/{app['guid']}"
    assert (await send(caller, "POST", "/v3/apps", asked))[0] == 422
    package = {"type": "docker", "data": {"image": "x"}}
    package["relationships"] = {"app": {"data": {"guid": app["guid"]}}}
    status, package = await send(caller, "POST", "/v3/packages", package)
    assert (status, package["state"]) == (201, "READY")
    asked = {"package": {"guid": package["guid"]}}
    _, build = await send(caller, "POST", "/v3/builds", asked)
    states = [build["state"]]
    for _ in range(2):
        build = await caller.get(f"/v3/builds/{build['guid']}")
        states.append(build["state"])
    assert states == ["STAGING", "STAGING", "STAGED"]
    droplet = {"data": build["droplet"]}
    assert (await send(caller, "PATCH", f"{here}/relationships/current_droplet", droplet))[0] == 200
    assert (await caller.get(f"{here}/droplets/current"))["guid"] == build["droplet"]["guid"]
    assert (await send(caller, "POST", f"{here}/actions/start"))[0] == 200
    status, job = await send(caller, "DELETE", here)
    assert (status, (await send(caller, "DELETE", here))[1]) == (202, job)
    assert [(await caller.get(job))["state"] for _ in range(2)] == ["PROCESSING", "COMPLETE"]
    assert (await send(caller, "GET", here))[0] == 404
    assert app["guid"] not in caller.sandbox.apps
    assert (await send(caller, "GET", f"/v3/packages/{package['guid']}"))[0] == 404


async def test_builds_fail_by_the_set_share_or_with_the_set_error(caller: Caller) -> None:
    async def staged(package: str) -> tuple[str, str | None]:
        _, build = await send(caller, "POST", "/v3/builds", {"package": {"guid": package}})
        for _ in range(2):
            build = await caller.get(f"/v3/builds/{build['guid']}")
        return build["state"], build["error"]

    packages = (await caller.get("/v3/packages?per_page=10"))["resources"]
    guids = [package["guid"] for package in packages]
    caller.sandbox.faults = Faults(staging_failed=0.5)
    seen = [await staged(guid) for guid in guids]
    assert {state for state, _ in seen} == {"STAGED", "FAILED"}
    assert all((state == "FAILED") == (error is not None) for state, error in seen)
    caller.sandbox.faults = Faults()
    caller.sandbox.shelf.staging_error = "no luck"
    assert await staged(guids[0]) == ("FAILED", "StagingError - Staging error: no luck")
    bad = {"package": {"guid": 1}, "staging_memory_in_mb": 0}
    status, error = await send(caller, "POST", "/v3/builds", bad)
    assert (status, error["errors"][0]["detail"]) == (
        422,
        (
            "Staging memory in mb must be greater than 0, Package guid must be a string, "
            "Package guid must be between 1 and 200 characters"
        ),
    )


async def test_a_deployment_can_be_continued_and_canceled(caller: Caller) -> None:
    async def reasons(here: str) -> list[str]:
        """What it says, as often as it says something else, until it ends or waits."""
        seen: list[str] = []
        while not seen or seen[-1] in ("DEPLOYING", "CANCELING"):
            reason = (await caller.get(here))["status"]["reason"]
            seen += [reason] if seen[-1:] != [reason] else []
            await asyncio.sleep(0.02)
        return seen

    app = caller.sandbox.add_app("steady", state="STARTED")
    caller.sandbox.faults = Faults(deployment_interval=0.3)
    asked = {"relationships": {"app": {"data": {"guid": app.guid}}}, "strategy": "canary"}
    _, canary = await send(caller, "POST", "/v3/deployments", asked)
    here = f"/v3/deployments/{canary['guid']}"
    assert (await reasons(here))[-1] == "PAUSED"
    assert await send(caller, "POST", f"{here}/actions/continue") == (200, None)
    assert (await reasons(here))[-1] == "DEPLOYED"
    _, rolling = await send(caller, "POST", "/v3/deployments", asked | {"strategy": "rolling"})
    here = f"/v3/deployments/{rolling['guid']}"
    assert await send(caller, "POST", f"{here}/actions/cancel") == (200, None)
    assert (await reasons(here))[-1] == "CANCELED"
    assert (await send(caller, "POST", f"{here}/actions/cancel"))[0] == 422


async def test_instances_come_back_after_a_diego_outage(caller: Caller) -> None:
    sandbox, app = caller.sandbox, first(caller)
    start = f"/v3/apps/{app.guid}/actions/start"
    stats = f"/v3/apps/{app.guid}/processes/web/stats"
    sandbox.diego = "refused"
    assert (await send(caller, "POST", start))[0] == 503
    assert app.state == "STARTED"
    assert (await send(caller, "POST", start))[0] == 200
    assert (await send(caller, "GET", stats))[0] == 503
    assert (await send(caller, "POST", start.replace("/start", "/restart")))[0] == 503
    sandbox.faults = Faults(repair_after=0)
    sandbox.diego = "up"
    assert (await caller.get(stats))["resources"][0]["state"] == "RUNNING"
    with pytest.raises(ValueError, match="no mode 'tired'"):
        sandbox.diego = "tired"


async def test_requests_fail_during_a_database_outage_and_work_after_it(caller: Caller) -> None:
    caller.sandbox.database = "down"
    status, text, response = await caller.ask("GET", "/v3/apps")
    assert (status, text[:23]) == (500, "Puma caught this error:")
    assert "content-type" not in response.headers
    assert (await caller.ask("GET", "/v3"))[0] == 200
    caller.sandbox.database = "up"
    assert (await caller.ask("GET", "/v3/apps"))[0] == 200


async def test_a_full_quota_refuses_starts_until_another_app_stops(caller: Caller) -> None:
    one, two = list(caller.sandbox.apps.values())[:2]
    two.space = one.space
    one.space.organization.memory_limit = 1024
    path = "/v3/apps/{}/actions/{}"
    assert (await send(caller, "POST", path.format(one.guid, "start")))[0] == 200
    status, refusal = await send(caller, "POST", path.format(two.guid, "start"))
    assert (status, refusal["errors"][0]["detail"]) == (422, "memory quota_exceeded")
    assert two.state == "STOPPED"
    scale = f"/v3/processes/{one.guid}/actions/scale"
    assert (await send(caller, "POST", scale, {"instances": 2}))[0] == 422
    assert one.processes[0].instances == 1
    await send(caller, "POST", path.format(one.guid, "stop"))
    assert (await send(caller, "POST", path.format(two.guid, "start")))[0] == 200


async def test_tasks_run_and_can_be_canceled(caller: Caller) -> None:
    tasks = f"/v3/apps/{first(caller).guid}/tasks"
    _, task = await send(caller, "POST", tasks, {"command": "ls"})
    here = f"/v3/tasks/{task['guid']}"
    assert (await send(caller, "POST", f"{here}/actions/cancel"))[1]["state"] == "CANCELING"
    assert [(await caller.get(here))["state"] for _ in range(2)] == ["CANCELING", "FAILED"]
    _, task = await send(caller, "POST", tasks, {"command": "ls"})
    here = f"/v3/tasks/{task['guid']}"
    assert [(await caller.get(here))["state"] for _ in range(2)] == ["RUNNING", "SUCCEEDED"]
    assert (await caller.get(tasks))["pagination"]["total_results"] == 2


async def test_a_space_can_be_created_and_deleted(caller: Caller) -> None:
    _, organization = await send(caller, "POST", "/v3/organizations", {"name": "fresh"})
    related = {"organization": {"data": {"guid": organization["guid"]}}}
    _, space = await send(caller, "POST", "/v3/spaces", {"name": "s", "relationships": related})
    here = f"/v3/spaces/{space['guid']}"
    assert (await caller.get(f"{here}/usage_summary"))["usage_summary"]["memory_in_mb"] == 0
    status, job = await send(caller, "DELETE", here)
    assert (status, [(await caller.get(job))["state"] for _ in range(2)]) == (
        202,
        ["PROCESSING", "COMPLETE"],
    )
    assert (await send(caller, "GET", here))[0] == 404


BODIES: tuple[Any, ...] = (
    None,
    [],
    "x",
    7,
    {},
    {"name": []},
    {"relationships": []},
    {"relationships": {"space": [], "app": 1, "organization": "x"}},
    {"lifecycle": []},
    {"lifecycle": {"type": [], "data": []}},
    {"lifecycle": {"type": "buildpack", "data": {"buildpacks": "x", "stack": 1}}},
    {"metadata": []},
    {"metadata": {"labels": [], "annotations": 1}},
    {"metadata": {"labels": {"a": {}}, "annotations": {"a": []}}},
    {"environment_variables": []},
    {"var": {"a": {}}},
    {"data": [1]},
    {"data": {"guid": {}}},
    {"type": {}, "data": "x"},
    {"package": 1, "droplet": []},
    {"strategy": {}, "droplet": {"guid": []}},
    {"instances": None, "memory_in_mb": [], "disk_in_mb": {}},
    {"health_check": {"type": []}, "readiness_health_check": 1},
    {"health_check": {"type": "http", "data": 1}},
    {"command": {}, "name": 1},
    {"enabled": None},
)


@pytest.mark.parametrize("fields", BODIES, ids=repr)
async def test_no_request_body_breaks_the_server(caller: Caller, fields: Any) -> None:
    app = first(caller)
    for method, path in (
        ("POST", "apps"),
        ("PATCH", f"apps/{app.guid}"),
        ("PATCH", f"apps/{app.guid}/environment_variables"),
        ("PATCH", f"apps/{app.guid}/features/ssh"),
        ("PATCH", f"apps/{app.guid}/relationships/current_droplet"),
        ("POST", f"apps/{app.guid}/tasks"),
        ("POST", f"apps/{app.guid}/actions/start"),
        ("POST", f"processes/{app.guid}/actions/scale"),
        ("PATCH", f"processes/{app.guid}"),
        ("GET", f"processes/{app.guid}"),
        ("POST", "packages"),
        ("POST", "builds"),
        ("POST", "deployments"),
        ("POST", "droplets"),
        ("POST", "organizations"),
        ("POST", "spaces"),
        ("GET", "apps"),
    ):
        _, text, response = await caller.ask(method, f"/v3/{path}", json=fields)
        assert response.headers["content-type"].startswith("application/json"), (path, text)
