"""Deployments of the sandbox: two web processes during one, and one before and after."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from aioappsapi.sandbox import Faults, Sandbox
from aioappsapi.sandbox.world.model import App
from tests.sandbox_caller import Caller


class Rolling(Caller):
    """A caller of a sandbox whose instances take two seconds to start."""

    now = 1_800_000_000.0

    def begin(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.app: App = sandbox.add_app("steady", state="STARTED", instances=3)

    async def deploy(self, **fields: Any) -> str:
        relationships = {"app": {"data": {"guid": self.app.guid}}}
        body = {"relationships": relationships} | fields
        status, deployment = await self.change("POST", "/v3/deployments", body)
        assert status == 201, deployment
        self.new = deployment["new_processes"][0]["guid"]
        return f"/v3/deployments/{deployment['guid']}"

    async def states(self) -> dict[str, list[str]]:
        """The instances' states by process, `old` and `new` by name."""
        query = f"app_guids={self.app.guid}&types=web&embed=process_instances"
        processes = (await self.get(f"/v3/processes?{query}"))["resources"]
        names = {self.app.guid: "old", self.new: "new"}
        return {
            names.get(process["guid"], "other"): [
                one["state"] for one in process["process_instances"]
            ]
            for process in processes
        }

    async def reason(self, deployment: str) -> str:
        query = "/v3/deployments?per_page=5000"
        rows = (await self.get(query))["resources"]
        return str({r["guid"]: r for r in rows}[deployment[-36:]]["status"]["reason"])


@pytest.fixture
async def rolling() -> AsyncIterator[Rolling]:
    faults = Faults(startup=2.0, startup_spread=0.0)
    sandbox = Sandbox(2, faults=faults, clock=lambda: Rolling.now)
    async with sandbox, aiohttp.ClientSession() as session:
        caller = Rolling(sandbox, session)
        caller.begin(sandbox)
        await caller.login()
        yield caller


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rolling, "now", 1_800_000_000.0)


async def test_a_deployment_replaces_instances_one_by_one(rolling: Rolling) -> None:
    deployment = await rolling.deploy()
    run, begin = "RUNNING", "STARTING"
    seen = []
    for _ in range(9):
        seen.append(await rolling.states())
        Rolling.now += 1
    assert seen == [
        {"old": [run] * 3, "new": [begin]},
        {"old": [run] * 3, "new": [begin]},
        {"old": [run] * 2, "new": [run, begin]},
        {"old": [run] * 2, "new": [run, begin]},
        {"old": [run], "new": [run, run, begin]},
        {"old": [run], "new": [run, run, begin]},
        {"new": [run] * 3},
        {"new": [run] * 3},
        {"new": [run] * 3},
    ]
    assert await rolling.reason(deployment) == "DEPLOYED"
    web = await rolling.get(f"/v3/apps/{rolling.app.guid}/processes/web")
    assert (web["guid"], web["instances"]) == (rolling.new, 3)
    assert (await rolling.ask("GET", f"/v3/processes/{rolling.app.guid}"))[0] == 404


async def test_a_deployment_catches_up_when_the_clock_jumps(rolling: Rolling) -> None:
    deployment = await rolling.deploy(options={"max_in_flight": 2, "web_instances": 5})
    assert await rolling.states() == {"old": ["RUNNING"] * 3, "new": ["STARTING"] * 2}
    Rolling.now += 3600
    assert await rolling.states() == {"new": ["RUNNING"] * 5}
    assert await rolling.reason(deployment) == "DEPLOYED"


async def test_a_deployment_that_crashes_stays_unfinished_until_it_is_canceled(
    rolling: Rolling,
) -> None:
    await rolling.get(f"/v3/processes/{rolling.app.guid}/stats")
    rolling.sandbox.faults = Faults(crash=1.0)
    deployment = await rolling.deploy()
    Rolling.now += 60
    assert await rolling.states() == {"old": ["RUNNING"] * 3, "new": ["CRASHED"]}
    assert await rolling.reason(deployment) == "DEPLOYING"
    assert (await rolling.change("POST", f"{deployment}/actions/cancel"))[0] == 200
    assert await rolling.reason(deployment) == "CANCELING"
    Rolling.now += 2
    assert await rolling.states() == {"old": ["RUNNING"] * 3}
    assert await rolling.reason(deployment) == "CANCELED"


async def test_a_canceled_deployment_restores_the_old_instances(rolling: Rolling) -> None:
    deployment = await rolling.deploy()
    Rolling.now += 4
    assert (await rolling.states())["old"] == ["RUNNING"]
    assert (await rolling.change("POST", f"{deployment}/actions/cancel"))[0] == 200
    Rolling.now += 0.15
    assert (await rolling.states())["old"] == ["RUNNING", "DOWN", "DOWN"]
    Rolling.now += 3
    assert await rolling.states() == {"old": ["RUNNING"] * 3}


async def test_a_canary_pauses_after_each_step(rolling: Rolling) -> None:
    steps = {"steps": [{"instance_weight": 34}, {"instance_weight": 67}]}
    deployment = await rolling.deploy(strategy="canary", options={"canary": steps})
    for old, new in ((3, 1), (2, 2)):
        Rolling.now += 60
        assert await rolling.states() == {"old": ["RUNNING"] * old, "new": ["RUNNING"] * new}
        assert await rolling.reason(deployment) == "PAUSED"
        assert (await rolling.change("POST", f"{deployment}/actions/continue"))[0] == 200
    Rolling.now += 60
    assert await rolling.states() == {"new": ["RUNNING"] * 3}


async def test_a_canary_pauses_until_it_is_continued(rolling: Rolling) -> None:
    deployment = await rolling.deploy(strategy="canary")
    Rolling.now += 60
    assert await rolling.states() == {"old": ["RUNNING"] * 3, "new": ["RUNNING"]}
    assert await rolling.reason(deployment) == "PAUSED"
    assert (await rolling.change("POST", f"{deployment}/actions/continue"))[0] == 200
    Rolling.now += 60
    assert await rolling.states() == {"new": ["RUNNING"] * 3}


async def test_a_second_deployment_supersedes_the_first(rolling: Rolling) -> None:
    first = await rolling.deploy()
    Rolling.now += 4
    second = await rolling.deploy(options={"max_in_flight": 3})
    assert (await rolling.states())["new"] == ["STARTING"] * 3
    assert await rolling.reason(first) == "SUPERSEDED"
    Rolling.now += 60
    assert await rolling.states() == {"new": ["RUNNING"] * 3}
    assert await rolling.reason(second) == "DEPLOYED"


async def test_deleting_the_app_ends_its_deployment(rolling: Rolling) -> None:
    await rolling.deploy()
    await rolling.ended("DELETE", f"/v3/apps/{rolling.app.guid}")
    Rolling.now += 60
    assert await rolling.states() == {}


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"options": "x"}, "Options must be an object"),
        ({"options": {"speed": 1}}, "Options has unsupported key(s): speed"),
        ({"options": {"max_in_flight": "2"}}, "Max in flight must be an integer greater than 0"),
        ({"options": {"canary": {}, "max_in_flight": -1}},
         ("Max in flight must be an integer greater than 0, "
         "Options canary are only valid for Canary deployments")),
        ({"options": {"max_in_flight": 0}}, "Max in flight must be an integer greater than 0"),
        ({"options": {"canary": {"steps": []}}},
         "Options canary are only valid for Canary deployments"),
        ({"strategy": "recreate"},
         "Strategy 'recreate' is not a supported deployment strategy"),
        ({"droplet": {"guid": "a"}, "revision": {"guid": "b"}},
         "Droplet Cannot set both fields 'droplet' and 'revision'"),
        ({"revision": {"guid": "b"}}, "The revision does not exist"),
    ],
)  # fmt: skip
async def test_a_deployment_with_bad_fields_is_refused(
    rolling: Rolling, fields: dict[str, Any], detail: str
) -> None:
    relationships = {"app": {"data": {"guid": rolling.app.guid}}}
    body = {"relationships": relationships} | fields
    status, error = await rolling.change("POST", "/v3/deployments", body)
    assert (status, error["detail"]) == (422, detail)
