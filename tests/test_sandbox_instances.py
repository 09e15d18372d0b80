"""The life of instances: they start, crash, wait for memory and stop, by the sandbox's clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from aioappsapi.sandbox import Faults, Sandbox
from aioappsapi.sandbox.world.model import App
from tests.fakes import Time
from tests.sandbox_caller import Caller, admin_calls


async def act(caller: Caller, app: App, action: str = "start") -> int:
    status, _, _ = await caller.ask("POST", f"/v3/apps/{app.guid}/actions/{action}")
    return status


async def stats(caller: Caller, app: App) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]]
    rows = (await caller.get(f"/v3/apps/{app.guid}/processes/web/stats"))["resources"]
    return rows


def states(sandbox: Sandbox, apps: Iterable[App]) -> Counter[str]:
    return Counter(one.state for app in apps for one in sandbox.instances(app.guid))


def world(time: Time, apps: int = 1, **faults: Any) -> Sandbox:
    return Sandbox(apps, seed=7, faults=Faults(**faults), clock=time)


def launch(sandbox: Sandbox, apps: Iterable[App]) -> None:
    for app in apps:
        app.state = "STARTED"
        sandbox.world.fleet.launch(app)


async def test_an_instance_starts_runs_becomes_routable_and_stops() -> None:
    time = Time()
    sandbox = world(time, startup=10, startup_spread=0, readiness=2, shutdown=5)
    async with admin_calls(sandbox) as caller:
        app = sandbox.add_app("one", instances=2)
        assert await act(caller, app) == 200
        time.now += 4
        path = f"/v3/processes?app_guids={app.guid}&embed=process_instances"
        rows = (await caller.get(path))["resources"][0]["process_instances"]
        assert rows == [{"index": n, "state": "STARTING", "since": 4} for n in (0, 1)]
        assert not sandbox.running(app.guid)
        time.now += 7
        row = (await stats(caller, app))[1]
        assert (row["state"], row["uptime"], row["routable"]) == ("RUNNING", 1, False)
        time.now += 1
        assert (await stats(caller, app))[0]["routable"]
        assert sandbox.running(app.guid)
        assert await act(caller, app, "stop") == 200
        time.now += 4.9
        assert states(sandbox, [app]) == {"STOPPING": 2}
        time.now += 0.1
        assert states(sandbox, [app]) == {"DOWN": 2}


def test_delays_are_drawn_per_instance_and_repeat_with_the_seed() -> None:
    def curve(seed: int) -> list[int]:
        time = Time()
        faults = Faults(startup=10, startup_spread=0.5)
        sandbox = Sandbox(400, seed=seed, faults=faults, clock=time)
        launch(sandbox, sandbox.apps.values())
        seen = []
        for _ in range(6):
            time.now += 5
            seen.append(states(sandbox, sandbox.apps.values())["RUNNING"])
        return seen

    first = curve(1)
    assert first == curve(1) != curve(2)
    assert first[0] == 0
    # Half of the mean is the same for all; then 1 - 1/e of them come within the other half.
    assert 230 < first[1] < 275
    assert first[-1] > 390


def test_every_start_gets_a_new_random_delay() -> None:
    time = Time()
    sandbox = world(time, startup=10)
    app = next(iter(sandbox.apps.values()))
    moments = set()
    for _ in range(5):
        launch(sandbox, [app])
        began = time.now
        time.now += 10_000
        moments.add(round(sandbox.instances(app.guid)[0].since - began, 6))
    assert len(moments) == 5


async def test_an_instance_that_crashes_once_starts_again() -> None:
    time = Time()
    sandbox = world(time, startup=2, startup_spread=0, crash_once=1.0, crash_backoff=3)
    async with admin_calls(sandbox) as caller:
        app = next(iter(sandbox.apps.values()))
        await act(caller, app)
        time.now += 2.5
        row = (await stats(caller, app))[0]
        assert (row["state"], row["routable"]) == ("CRASHED", None)
        assert row["details"] is None
        crashes = await caller.get("/v3/audit_events?types=audit.app.process.crash")
        told = crashes["resources"][0]
        assert told["data"]["exit_description"] == "APP/PROC/WEB: Exited with status 1"
        assert (told["actor"]["type"], told["target"]["guid"]) == ("process", app.guid)
        seen = []
        for _ in range(4):
            time.now += 1.5
            seen.append(sandbox.instances(app.guid)[0].state)
        assert seen == ["CRASHED", "STARTING", "RUNNING", "RUNNING"]


def test_a_crash_loop_backs_off_until_the_cause_is_gone() -> None:
    time = Time()
    sandbox = world(time, startup=1, startup_spread=0, crash=1.0, crash_backoff=2)
    app = next(iter(sandbox.apps.values()))
    launch(sandbox, [app])
    changes = []
    last = ""
    for second in range(30):
        state = sandbox.instances(app.guid)[0].state
        if state != last:
            changes.append((second, state))
        last = state
        time.now += 1
    crashes = [second for second, state in changes if state == "CRASHED"]
    assert crashes == [1, 4, 9, 18]
    assert {state for _, state in changes} == {"STARTING", "CRASHED"}
    sandbox.faults = Faults()
    time.now += 10_000
    assert sandbox.running(app.guid)


def test_the_share_of_crashing_instances_matches_the_setting() -> None:
    time = Time()
    sandbox = world(time, apps=1000, startup=1, crash=0.1, crash_once=0.2, crash_backoff=1000)
    apps = list(sandbox.apps.values())
    launch(sandbox, apps)
    time.now += 100
    assert 250 < states(sandbox, apps)["CRASHED"] < 350
    time.now += 1000
    assert 70 < states(sandbox, apps)["CRASHED"] < 130


async def test_an_instance_without_memory_on_a_cell_is_down_until_memory_is_free() -> None:
    time = Time()
    sandbox = Sandbox(5, clock=time, cells=2, cell_memory_mb=2048)
    async with admin_calls(sandbox) as caller:
        apps = list(sandbox.apps.values())
        for app in apps:
            assert await act(caller, app) == 200
        assert states(sandbox, apps) == {"RUNNING": 4, "DOWN": 1}
        row = (await stats(caller, apps[4]))[0]
        assert (row["state"], row["details"]) == ("DOWN", "insufficient resources: memory")
        assert [cell.used_mb for cell in sandbox.cells] == [2048, 2048]
        await act(caller, apps[0], "restart")
        assert states(sandbox, apps) == {"RUNNING": 4, "DOWN": 1}
        await act(caller, apps[1], "stop")
        assert all(sandbox.running(app.guid) for app in apps if app is not apps[1])
        _, _, response = await caller.ask("DELETE", f"/v3/apps/{apps[2].guid}")
        for _ in range(2):
            await caller.get(response.headers["location"].removeprefix(sandbox.url))
        assert sum(cell.used_mb for cell in sandbox.cells) == 3072


def test_apps_that_run_from_the_beginning_use_memory_of_the_cells() -> None:
    sandbox = Sandbox(3, started=True, cell_memory_mb=2048)
    assert states(sandbox, sandbox.apps.values()) == {"RUNNING": 2, "DOWN": 1}
    assert sandbox.cells[0].used_mb == 2048


async def test_scaling_starts_new_instances_and_stops_surplus_ones() -> None:
    time = Time()
    sandbox = world(time, startup=10, startup_spread=0)
    async with admin_calls(sandbox) as caller:
        app = sandbox.add_app("wide", state="STARTED")
        assert sandbox.running(app.guid)
        path = f"/v3/apps/{app.guid}/processes/web"
        await caller.ask("POST", f"{path}/actions/scale", json={"instances": 3})
        assert states(sandbox, [app]) == {"RUNNING": 1, "STARTING": 2}
        time.now += 10
        assert sandbox.running(app.guid)
        assert sandbox.cells[0].used_mb == 3072
        assert (await caller.ask("DELETE", f"{path}/instances/1"))[0] == 204
        assert [one.state for one in sandbox.instances(app.guid)] == [
            "RUNNING",
            "STARTING",
            "RUNNING",
        ]
        await caller.ask("POST", f"{path}/actions/scale", json={"instances": 1})
        assert sandbox.running(app.guid)
        assert sandbox.cells[0].used_mb == 1024


def test_too_many_starts_at_a_time_are_slow_and_some_crash() -> None:
    def crashed(wave: int) -> tuple[int, float, int]:
        time = Time()
        faults = Faults(startup=10, startup_spread=0, crash_backoff=10_000)
        sandbox = Sandbox(200, faults=faults, cells=2, max_starting_per_cell=10, clock=time)
        apps = list(sandbox.apps.values())
        first = list(sandbox.apps)[wave - 1]
        for start in range(0, 200, wave):
            launch(sandbox, apps[start : start + wave])
            if start == 0:
                began = time.now
            time.now += 200
        states(sandbox, apps)
        slowest = sandbox.instances(first)[0].since - began
        return states(sandbox, apps)["CRASHED"], slowest, sandbox.peak_starting

    assert crashed(20) == (0, 10, 20)
    some, slow, peak = crashed(40)
    assert (slow, peak) == (20, 40)
    assert 20 < some < 80
    assert crashed(100)[0] > some


async def test_a_stop_during_a_diego_outage_takes_effect_after_it() -> None:
    time = Time()
    sandbox = world(time, repair_after=5)
    async with admin_calls(sandbox) as caller:
        app = sandbox.add_app("one", state="STARTED")
        sandbox.diego = "refused"
        assert await act(caller, app, "stop") == 503
        assert (app.state, states(sandbox, [app])) == ("STOPPED", {"RUNNING": 1})
        time.now += 1000
        assert await act(caller, app, "stop") == 200
        sandbox.diego = "up"
        time.now += 4
        assert states(sandbox, [app]) == {"RUNNING": 1}
        time.now += 1
        assert states(sandbox, [app]) == {"DOWN": 1}


async def test_applied_counts_only_actions_that_took_effect() -> None:
    sandbox = Sandbox(1, faults=Faults(runner_unavailable=1.0, max_per_app=1))
    async with admin_calls(sandbox) as caller:
        app = next(iter(sandbox.apps.values()))
        assert [await act(caller, app) for _ in range(3)] == [503, 200, 200]
        assert app.applied == {"start": 1}
        sandbox.faults = Faults()
        for action in ("restart", "restart", "stop", "stop"):
            await act(caller, app, action)
        assert app.applied == {"start": 1, "restart": 2, "stop": 1}
        sandbox.faults = replace(sandbox.faults, runner_unavailable=1.0, max_per_app=9)
        assert await act(caller, app, "restart") == 503
        assert app.applied["restart"] == 2


def test_a_state_set_by_hand_starts_and_stops_instances() -> None:
    sandbox = Sandbox(1, cell_memory_mb=1024)
    app = next(iter(sandbox.apps.values()))
    for _ in range(2):
        app.state = "STARTED"
        assert sandbox.running(app.guid)
        assert sandbox.cells[0].used_mb == 1024
        app.state = "STOPPED"
        assert states(sandbox, [app]) == {"DOWN": 1}
        assert sandbox.cells[0].used_mb == 0
    app.state = "STARTED"
    app.processes[0].instances = 0
    assert sandbox.running(app.guid)


def test_a_long_queue_of_crashing_instances_does_not_overflow() -> None:
    time = Time()
    sandbox = Sandbox(3000, faults=Faults(crash=1.0), cell_memory_mb=1024, clock=time)
    launch(sandbox, sandbox.apps.values())
    time.now += 2
    assert states(sandbox, sandbox.apps.values())["CRASHED"] > 500


def test_a_sandbox_needs_a_cell() -> None:
    with pytest.raises(ValueError, match="cells must be at least 1, not 0"):
        Sandbox(1, cells=0)
