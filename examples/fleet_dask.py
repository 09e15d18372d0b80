"""Start apps of three foundations on Dask: one task for each, and a journal that survives workers.

Needs the extra dask.
"""

import asyncio
import logging
import os
import tempfile
from contextlib import ExitStack

from distributed import Client, LocalCluster

from aioappsapi import Target, TargetTask, run_on
from aioappsapi.sandbox import Sandbox, SandboxThread


def main(folder: str) -> None:
    os.environ["DEMO_PASSWORD"] = "admin"  # the workers read it where they run
    with ExitStack() as stack:
        clouds = [stack.enter_context(SandboxThread(Sandbox(10, seed=n))) for n in range(3)]
        cluster = LocalCluster(n_workers=2, dashboard_address=None, silence_logs=logging.CRITICAL)
        dask = stack.enter_context(Client(stack.enter_context(cluster)))
        tasks = [
            TargetTask(
                target=Target(
                    name=f"cf-{number}",
                    api=cloud.url,
                    username="admin",
                    password_env="DEMO_PASSWORD",
                ),
                action="start",
                select={"names": "app-*"},
                options={"wait": "all"},
            )
            for number, cloud in enumerate(clouds)
        ]
        report = asyncio.run(run_on(dask.get_executor(), tasks, journal=folder, deadline=120))
        print(report.counts)
        report.raise_for_failures()


if __name__ == "__main__":  # the workers import this file
    with tempfile.TemporaryDirectory() as made:
        main(made)
