"""A run on an executor: one task per foundation, and nothing is lost when workers die."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from aioappsapi import (
    AuthError,
    InvalidInputError,
    Scale,
    Status,
    Target,
    TargetTask,
    TaskLostError,
    report_of,
    run_on,
)
from aioappsapi.fleet.run_on import work_on
from aioappsapi.sandbox import Faults, Sandbox

pytestmark = pytest.mark.usefixtures("password")


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_ON_PASSWORD", "admin")


@asynccontextmanager
async def two(**settings: Any) -> AsyncIterator[dict[str, Sandbox]]:
    async with Sandbox(8, seed=1, **settings) as eu, Sandbox(8, seed=2, **settings) as us:
        yield {"eu": eu, "us": us}


def target(name: str, cloud: Sandbox) -> Target:
    return Target(name=name, api=cloud.url, username="admin", password_env="RUN_ON_PASSWORD")


def tasks(clouds: dict[str, Sandbox], action: Any = "start", **options: Any) -> list[TargetTask]:
    return [
        TargetTask(
            target=target(name, cloud), action=action, keys=tuple(cloud.apps), options=options
        )
        for name, cloud in clouds.items()
    ]


def sent(cloud: Sandbox, action: str) -> Counter[str]:
    """Count the requests that reached the API, by app."""
    paths = [one.path_qs for one in cloud.requests if one.method == "POST"]
    return Counter(path.split("/")[3] for path in paths if path.endswith(action))


async def until(seen: Callable[[], bool]) -> None:
    """Look again and again: what happens in other processes sets no event here."""
    while not seen():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_one_report_of_all_tasks(tmp_path: Path) -> None:
    async with two() as clouds:
        with ThreadPoolExecutor(2) as pool:
            report = await run_on(pool, tasks(clouds), journal=tmp_path)
            assert report.counts["ok"] == 16
            assert report.targets == [cloud.url for cloud in clouds.values()]
            again = await run_on(pool, tasks(clouds), journal=tmp_path)
            assert again.counts["ok"] == 16
            assert again.requests.sent == 0, "everything is taken over from the journals"
        for cloud in clouds.values():
            assert set(sent(cloud, "start").values()) == {1}


async def test_a_task_selects_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two() as clouds:
        lines = [
            f'[targets.{name}]\napi = "{cloud.url}"\nusername = "admin"\n'
            'password_env = "RUN_ON_PASSWORD"\n'
            for name, cloud in clouds.items()
        ]
        (tmp_path / "config.toml").write_text("".join(lines))
        monkeypatch.setenv("AIOAPPSAPI_CONFIG", str(tmp_path / "config.toml"))
        chosen = [
            TargetTask(
                target=name, action="scale", select={"names": "app-*"}, scale=Scale(instances=2)
            )
            for name in clouds
        ]
        assert pickle.loads(pickle.dumps(chosen)) == chosen
        with ThreadPoolExecutor(2) as pool:
            report = await run_on(pool, chosen, journal=tmp_path / "j", deadline=60)
        assert report.counts["ok"] == 16


def test_a_pickled_task_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_ON_PASSWORD", "hunter2-and-more")
    one = Target(name="eu", api="https://a.test", username="u", password_env="RUN_ON_PASSWORD")
    task = TargetTask(target=one, action="start", keys=("a",))
    assert b"hunter2" not in pickle.dumps(task)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"keys": ("a",), "select": {"names": "a"}}, "either keys or select"),
        ({}, "either keys or select"),
        ({"keys": ("a",), "options": {"journal": "x"}}, "journal is not an option of one task"),
        ({"keys": ("a",), "options": {"wait": "ever"}}, "wait"),
        ({"select": {"state": "NONE"}}, "state"),
    ],
)
def test_a_bad_task_is_refused_when_it_is_made(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        TargetTask(target="eu", action="start", **fields)
    with pytest.raises(TypeError, match="no option 'wiat'"):
        TargetTask(target="eu", action="start", keys=("a",), options={"wiat": "all"})


async def test_two_tasks_of_one_target_are_refused(tmp_path: Path) -> None:
    one = TargetTask(target="eu", action="start", keys=("a",))
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(InvalidInputError, match="Two tasks are for eu"):
            await run_on(pool, [one, one], journal=tmp_path)
        with pytest.raises(InvalidInputError, match="at least one"):
            await run_on(pool, [], journal=tmp_path)


async def test_an_error_of_one_task_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two() as clouds:
        eu, us = tasks(clouds)
        broken = Target(name="us", api=clouds["us"].url, username="u", password_env="NOT_THERE")
        us = TargetTask(target=broken, action="start", keys=us.keys)
        with ThreadPoolExecutor(2) as pool:
            report = await run_on(pool, [eu, us], journal=tmp_path)
        assert (report.counts["ok"], report.counts["not_attempted"]) == (8, 8)
        assert isinstance(report.target_errors[clouds["us"].url], AuthError)


async def _kill_in_the_middle(pool: ProcessPoolExecutor, clouds: dict[str, Sandbox]) -> None:
    """Kill every worker once each foundation has had some requests."""
    await until(lambda: all(len(sent(cloud, "restart")) >= 2 for cloud in clouds.values()))
    for pid in list(pool._processes):
        os.kill(pid, signal.SIGKILL)


async def test_workers_that_die_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    async with two(faults=Faults(latency=0.1, latency_spread=0.0)) as clouds:
        context = multiprocessing.get_context("spawn")
        specs = tasks(clouds, "restart", concurrency=1)
        with ProcessPoolExecutor(2, context) as pool:
            killing = asyncio.create_task(_kill_in_the_middle(pool, clouds))
            broken = await run_on(pool, specs, journal=tmp_path)
            await killing
        assert len(broken) == 16
        assert {type(one) for one in broken.target_errors.values()} == {TaskLostError}
        assert {one.status for one in broken} <= {
            Status.OK,
            Status.UNVERIFIED,
            Status.NOT_ATTEMPTED,
        }
        handled = sum((sent(cloud, "restart") for cloud in clouds.values()), Counter[str]())
        untouched = {one.key for one in broken if one.status is Status.NOT_ATTEMPTED}
        assert untouched
        assert not untouched & set(handled), "no app that was sent is called not attempted"
        for cloud in clouds.values():
            cloud.faults = Faults()
        with ThreadPoolExecutor(2) as pool:
            whole = await run_on(pool, specs, journal=tmp_path)
        assert len(whole) == 16
        assert not whole.target_errors
        assert {one.status for one in whole} <= {Status.OK, Status.UNVERIFIED}
        for cloud in clouds.values():
            counts = sent(cloud, "restart")
            assert set(counts.values()) == {1}, "no app is restarted twice"
            doubtful = {one.key for one in whole if one.status is Status.UNVERIFIED}
            assert set(cloud.apps) - set(counts) <= doubtful, "noted, and killed before it was sent"


async def test_a_pool_that_is_broken_takes_no_task(tmp_path: Path) -> None:
    async with two() as clouds:
        pool = ThreadPoolExecutor(1)
        pool.shutdown()
        report = await run_on(pool, tasks(clouds), journal=tmp_path)
        assert report.counts["not_attempted"] == 16
        assert all("cannot schedule" in str(one) for one in report.target_errors.values())


async def test_a_cancelled_call_has_the_report_of_the_journals(tmp_path: Path) -> None:
    async with two(faults=Faults(latency=0.2, latency_spread=0.0)) as clouds:
        pool = ThreadPoolExecutor(1)
        call = asyncio.create_task(run_on(pool, tasks(clouds, concurrency=1), journal=tmp_path))
        await until(lambda: bool(sent(clouds["eu"], "start")))
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await call
        for cloud in clouds.values():
            cloud.faults = Faults()
        await asyncio.to_thread(pool.shutdown)
        report = report_of(cancelled.value)
        assert report is not None
        assert len(report) == 16
        assert "still runs" in str(report.target_errors[clouds["eu"].url])
        assert "cancelled before it began" in str(report.target_errors[clouds["us"].url])


async def test_a_second_run_of_a_task_waits_for_the_first(tmp_path: Path) -> None:
    async with two() as clouds:
        one = tasks(clouds)[0]
        lock = FileLock(tmp_path / "eu.journal.lock")
        lock.acquire()
        with pytest.raises(InvalidInputError, match="has not ended"):
            await asyncio.to_thread(work_on, one, str(tmp_path), 1.0, "")
        waiting = asyncio.create_task(asyncio.to_thread(work_on, one, str(tmp_path), None, ""))
        await asyncio.sleep(0.05)
        assert not clouds["eu"].requests
        lock.release()
        await waiting
        assert len(sent(clouds["eu"], "start")) == 8


class _Forgetful(Executor):
    """Loses every task, as a cluster without workers does."""

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no workers")


async def test_a_lost_task_that_selects_has_the_apps_of_its_journal(tmp_path: Path) -> None:
    async with two() as clouds:
        cloud = clouds["eu"]
        task = TargetTask(target=target("eu", cloud), action="start", select={"names": "app-*"})
        with ThreadPoolExecutor(1) as pool:
            await run_on(pool, [task], journal=tmp_path)
        report = await run_on(_Forgetful(), [task], journal=tmp_path)
        assert {one.key for one in report} == set(cloud.apps)
        assert report.counts["ok"] == 8
        assert not report.complete


def test_dask_goes_on_after_a_worker_was_killed(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs the extra dask")
    script = Path(__file__).with_name("dask_fleet.py")
    done = subprocess.run(
        [sys.executable, script, str(tmp_path), "8", "12"],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("continued") >= 1, "the killed worker had tasks"
    assert found == {"apps": 96, "ok": 96, "target_errors": 0, "asked_twice": 0, "lost": 0}
