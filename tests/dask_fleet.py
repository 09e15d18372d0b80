"""A run on Dask with two worker processes, one of which is killed during it.

``python -m tests.dask_fleet FOLDER SANDBOXES APPS`` prints what became of the apps, as JSON.
A process of its own: Dask's threads and warnings stay away from the tests.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from distributed import Client, LocalCluster

from aioappsapi import Report, Target, TargetTask, run_on
from aioappsapi.sandbox import Faults, Sandbox, SandboxThread

_LATENCY: Final = 0.1


def started(cloud: Sandbox) -> Counter[str]:
    """Count the starts that reached the API, by app."""
    paths = [one.path_qs for one in list(cloud.requests) if one.method == "POST"]
    return Counter(path.split("/")[3] for path in paths if path.endswith("/start"))


def kill_one(dask: Client, clouds: list[Sandbox]) -> None:
    """Kill a worker with SIGKILL once most foundations have had some requests."""
    pids = list(dask.run(os.getpid).values())
    while sum(len(started(cloud)) >= 3 for cloud in clouds) < len(clouds) // 2:
        time.sleep(0.01)
    os.kill(pids[0], signal.SIGKILL)


def continued(folder: Path) -> int:
    """Count the tasks that a second process went on with."""
    journals = [path.read_bytes() for path in folder.glob("*.journal")]
    return sum(one.count(b'["resumed"') > 1 for one in journals)


def run(dask: Client, clouds: list[Sandbox], folder: str) -> Report[object]:
    """Start every app with one task per foundation."""
    tasks = [
        TargetTask(
            target=Target(
                name=f"cf-{number}",
                api=cloud.url,
                username="admin",
                password_env="DASK_FLEET_PASSWORD",
            ),
            action="start",
            keys=tuple(cloud.apps),
            options={"concurrency": 1},
        )
        for number, cloud in enumerate(clouds)
    ]
    killer = threading.Thread(target=kill_one, args=(dask, clouds))
    killer.start()
    try:
        return asyncio.run(run_on(dask.get_executor(), tasks, journal=folder))
    finally:
        killer.join()


def main(folder: str, sandboxes: int, apps: int) -> None:
    """Run it, and print the figures."""
    os.environ["DASK_FLEET_PASSWORD"] = "admin"
    slow = Faults(latency=_LATENCY, latency_spread=0.0)
    with ExitStack() as stack:
        clouds = [
            stack.enter_context(SandboxThread(Sandbox(apps, seed=seed, faults=slow)))
            for seed in range(sandboxes)
        ]
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=2,
                threads_per_worker=sandboxes,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
        )
        dask = stack.enter_context(Client(cluster))
        report = run(dask, clouds, folder)
        counts = [started(cloud) for cloud in clouds]
        figures = {
            "apps": len(report),
            "ok": report.counts["ok"] + report.counts["already"],
            "target_errors": len(report.target_errors),
            "asked_twice": sum(number - 1 for one in counts for number in one.values()),
            "lost": sum(len(cloud.apps) for cloud in clouds) - len(report),
            "continued": continued(Path(folder)),
        }
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
