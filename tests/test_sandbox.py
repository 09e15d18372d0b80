"""The sandbox's starts, stops and refusals against the recordings of a real server."""

import json
from typing import Any

import aiohttp
import pytest

from aioappsapi.sandbox import Faults, Sandbox, SandboxProcess
from tests.sandbox_caller import (
    RECORDINGS,
    UNKNOWN,
    Caller,
    assert_same_headers,
    recorded,
    shape,
)


async def test_starts_stops_and_restarts_change_the_app_only_when_needed(caller: Caller) -> None:
    app = next(iter(caller.sandbox.apps.values()))
    actions = f"/v3/apps/{app.guid}/actions"
    status, text, _ = await caller.ask("POST", f"{actions}/start")
    assert (status, json.loads(text)["state"], app.state) == (200, "STARTED", "STARTED")
    app.updated_at = "2026-01-02T00:00:00Z"
    for action in ("start", "restart"):
        _, text, _ = await caller.ask("POST", f"{actions}/{action}")
        assert json.loads(text)["updated_at"] == "2026-01-02T00:00:00Z"
    for _ in range(2):
        assert (await caller.ask("POST", f"{actions}/stop"))[0] == 200
    assert app.state == "STOPPED"
    assert (await caller.ask("POST", f"{actions}/restart"))[0] == 200
    assert app.state == "STARTED"
    assert caller.sandbox.count("POST", r"/actions/") == 6


async def test_instances_follow_the_state_of_their_app(caller: Caller) -> None:
    app = next(iter(caller.sandbox.apps.values()))
    path = f"/v3/processes?app_guids={app.guid}&embed=process_instances"

    async def states() -> list[str]:
        rows = (await caller.get(path))["resources"][0]["process_instances"]
        return [row["state"] for row in rows]

    assert await states() == ["DOWN"]
    await caller.ask("POST", f"/v3/apps/{app.guid}/actions/start")
    assert await states() == ["RUNNING"]
    app.processes[0].states = ["RUNNING", "CRASHED"]
    assert await states() == ["RUNNING", "CRASHED"]
    caller.sandbox.faults = Faults(startup=60)
    app.processes[0].states = None
    await caller.ask("POST", f"/v3/apps/{app.guid}/actions/restart")
    assert await states() == ["STARTING"]


async def test_process_endpoints_answer_in_the_recorded_shape(caller: Caller) -> None:
    app = caller.sandbox.add_app("steady", state="STARTED")
    other = caller.sandbox.add_app("other", state="STARTED")
    for path, name in (
        (f"/v3/processes/{app.guid}", "processes__get"),
        (f"/v3/apps/{app.guid}/processes/web", "processes__get-by-type"),
        (f"/v3/apps/{app.guid}/processes/web/stats", "processes__stats-by-type"),
        (f"/v3/processes/{app.guid}/process_instances", "processes__process_instances"),
        (f"/v3/apps/{app.guid}/processes", "processes__list-app"),
        (
            f"/v3/processes?types=web&per_page=1&app_guids={app.guid},{other.guid}",
            "processes__list-filter-types",
        ),
        (
            f"/v3/processes?embed=process_instances&app_guids={app.guid}",
            "processes__list-embed-process_instances",
        ),
    ):
        assert shape(await caller.get(path)) == shape(json.loads(recorded(name)["body"])), path


@pytest.mark.parametrize(
    ("user", "method", "path", "name"),
    [
        ("admin", "POST", f"/v3/apps/{UNKNOWN}/actions/start", "start-app__404-unknown"),
        ("admin", "POST", f"/v3/apps/{UNKNOWN}/actions/stop", "stop-app__404-unknown"),
        ("admin", "POST", "/v3/apps/BARE/actions/start", "start-app__422-no-droplet"),
        ("admin", "POST", "/v3/apps/BARE/actions/restart", "restart-app__422-no-droplet"),
        ("auditor", "POST", "/v3/apps/BARE/actions/start", "start-app__auditor-no-droplet-order"),
        ("auditor", "POST", "/v3/apps/APP/actions/start", "start-app__403-auditor"),
        ("manager", "POST", "/v3/apps/APP/actions/start", "start-app__403-org-manager"),
        ("outsider", "POST", "/v3/apps/APP/actions/start", "start-app__404-no-read-permission"),
        ("admin", "GET", "/v3/apps/APP/actions/start", "start-app__get-not-routed"),
        ("admin", "POST", "/v3/apps/APP/actions/explode", "restart-app__unknown-action"),
        ("admin", "GET", "/v3/apps/not-a-guid", "get-app__404-not-a-guid"),
        ("admin", "GET", "/v3/apps/APP?include=foo", "get-app__include-invalid"),
        ("admin", "GET", f"/v3/spaces/{UNKNOWN}", "spaces__404"),
        ("admin", "GET", f"/v3/organizations/{UNKNOWN}", "organizations__404"),
        ("admin", "GET", f"/v3/processes/{UNKNOWN}", "processes__get-404"),
        ("admin", "GET", f"/v3/jobs/{UNKNOWN}", "jobs__404-unknown"),
        ("admin", "GET", "/v3/processes?foo=1", "processes__list-bad-param"),
        ("admin", "GET", "/v3/processes?embed=foo", "processes__list-bad-embed"),
        ("admin", "GET", "/nope", "root__unknown-root-route"),
        ("admin", "GET", "/v3/apps/APP/nope", "root__unknown-v3-deep"),
        ("admin", "POST", "/v3", "root__post-root"),
        ("admin", "GET", "/healthz", "rate-limit__healthz"),
    ],
)
async def test_refusals_match_the_recordings(
    caller: Caller, user: str, method: str, path: str, name: str
) -> None:
    app = next(iter(caller.sandbox.apps.values()))
    app.space = next(iter(caller.sandbox.spaces.values()))
    bare = caller.sandbox.add_app("bare", droplet=False)
    await caller.login(user)
    path = path.replace("APP", app.guid).replace("BARE", bare.guid)
    status, text, response = await caller.ask(method, path)
    truth = recorded(name)
    assert (status, text) == (truth["status"], truth["body"])
    assert response.reason == truth["reason"]
    assert_same_headers(response, truth)


def bad_lists() -> list[str]:
    paths = sorted(RECORDINGS.glob("list-apps__*.json"))
    found = []
    for path in paths:
        record = json.loads(path.read_text())
        known = record["as"] in {"developer", "admin"}
        if known and record["response"]["status"] in {400, 404, 500}:
            found.append(path.stem)
    return found


@pytest.mark.parametrize("name", bad_lists())
async def test_refusals_of_bad_list_queries_match_the_recordings(caller: Caller, name: str) -> None:
    record = json.loads((RECORDINGS / f"{name}.json").read_text())
    asked, truth = record["request"], record["response"]
    status, text, response = await caller.ask(asked["method"], asked["target"], data=asked["body"])
    assert (status, text) == (truth["status"], truth["body"])
    assert_same_headers(response, truth)


async def test_requests_without_a_valid_token_are_refused_as_recorded(caller: Caller) -> None:
    app = next(iter(caller.sandbox.apps))
    for sent, name in (
        ("", "list-apps__auth-header-empty"),
        ("not-a-token", "list-apps__not-bearer"),
        ("bearer garbage", "list-apps__malformed-token"),
        ("bearer a.b.c", "list-apps__malformed-token-three-parts"),
    ):
        caller.headers["Authorization"] = sent
        for method, path in (("GET", "/v3/apps"), ("POST", f"/v3/apps/{app}/actions/start")):
            status, text, response = await caller.ask(method, path)
            assert (status, text) == (401, recorded(name)["body"])
            assert "x-user-guid" not in response.headers
    status, text, _ = await caller.ask("GET", "/v3/nope")
    assert (status, text) == (404, recorded("root__unknown-v3-route-no-token")["body"])


async def test_suspended_spaces_and_organizations_refuse_everyone_but_admins(
    caller: Caller,
) -> None:
    app = caller.sandbox.add_app("here")
    path = f"/v3/apps/{app.guid}/actions/start"
    await caller.login("developer")
    app.space.suspended = True
    status, text, _ = await caller.ask("POST", path)
    assert (status, text) == (403, recorded("start-app__403-space-suspended")["body"])
    app.space.organization.suspended = True
    _, text, _ = await caller.ask("POST", path)
    assert text == recorded("create-app__403-org-suspended")["body"]
    await caller.login("admin")
    assert (await caller.ask("POST", path))[0] == 200


async def test_a_token_without_the_needed_scope_is_refused(caller: Caller) -> None:
    caller.sandbox.world.add_user("weak", "weak", scopes=["openid"])
    caller.sandbox.world.add_user("shy", "shy", scopes=["cloud_controller.read"])
    app = next(iter(caller.sandbox.apps))
    for user, method, path in (
        ("weak", "GET", f"/v3/apps/{app}"),
        ("shy", "POST", f"/v3/apps/{app}/actions/start"),
    ):
        await caller.login(user)
        status, text, _ = await caller.ask(method, path)
        assert (status, text) == (403, recorded("get-app__403-no-scope")["body"])


async def test_a_start_parses_its_body_only_if_it_is_declared_as_json(caller: Caller) -> None:
    path = f"/v3/apps/{next(iter(caller.sandbox.apps))}/actions/start"
    as_json = {"Content-Type": "application/json"}
    status, text, _ = await caller.ask("POST", path, data="{x", headers=as_json)
    truth = recorded("start-app__malformed-body-ignored")
    assert (status, text) == (truth["status"], truth["body"])
    for data, headers in (
        ('{"ignored": true}', as_json),
        ("", as_json),
        ("{x", {"Content-Type": "text/plain"}),
    ):
        assert (await caller.ask("POST", path, data=data, headers=headers))[0] == 200
    assert (await caller.ask("POST", f"{path}?foo=1"))[0] == 200


async def test_the_same_seed_makes_the_same_world() -> None:
    def world(seed: int, **options: Any) -> list[tuple[str, str, str]]:
        return [
            (a.guid, a.name, a.space.guid) for a in Sandbox(20, seed=seed, **options).apps.values()
        ]

    assert world(1) == world(1, faults=Faults(without_droplet=0.5), started=True)
    assert world(1) != world(2)
    running = Sandbox(20, faults=Faults(without_droplet=0.5), started=True).apps.values()
    assert {app.state for app in running if app.droplet} == {"STARTED"}
    assert {app.state for app in running if not app.droplet} == {"STOPPED"}


async def test_a_connection_closes_after_the_set_number_of_requests() -> None:
    async with Sandbox(1, close_after=3) as sandbox, aiohttp.ClientSession() as session:
        closing = []
        for _ in range(4):
            async with session.get(f"{sandbox.url}/v3") as response:
                closing.append(response.headers.get("Connection"))
        sandbox.close_after = None
        for _ in range(4):
            async with session.get(f"{sandbox.url}/v3") as response:
                closing.append(response.headers.get("Connection"))
    assert closing == [None, None, "close", None, None, None, None, None]


async def test_a_stopped_sandbox_has_no_url() -> None:
    sandbox = Sandbox(1)
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.url
    await sandbox.start()
    await sandbox.stop()
    await sandbox.stop()


def test_a_sandbox_process_serves_and_ends_cleanly() -> None:
    with SandboxProcess(3, seed=1, profile="demo") as process:
        assert process.url.startswith("http://127.0.0.1:")
        child = process._child
    assert child.returncode == 0
    process.close()


def test_a_sandbox_process_that_cannot_start_raises_its_error() -> None:
    with pytest.raises(RuntimeError, match="invalid choice: 'sunny'"):
        SandboxProcess(3, profile="sunny")
