"""Restart apps of three foundations, one foundation first, while a fourth one is down."""

import asyncio
import os
import tempfile
from pathlib import Path

from aioappsapi import Fleet, Report, RetryPolicy, Waves
from aioappsapi.sandbox import Sandbox

TARGETS = """
[defaults]
username = "admin"
password_env = "DEMO_PASSWORD"  # the name of a variable: the file holds no secret

[targets.lab]
api = "{0}"

[targets.eu]
api = "{1}"

[targets.us]
api = "{2}"

[targets.old]
api = "http://127.0.0.1:9"  # nobody listens here
"""


async def main(folder: Path) -> None:
    os.environ["DEMO_PASSWORD"] = "admin"
    async with (
        Sandbox(4, seed=1, started=True) as lab,
        Sandbox(8, seed=2, started=True) as eu,
        Sandbox(8, seed=3, started=True) as us,
    ):
        config = folder / "config.toml"
        config.write_text(TARGETS.format(lab.url, eu.url, us.url), encoding="utf-8")
        async with Fleet.from_config(path=config, retry=RetryPolicy(attempts=2)) as fleet:
            report = await fleet.bulk.restart(
                lambda client: client.apps.list(),
                wait="all",
                deadline=300,
                journal=folder / "journals",  # one file for each foundation
                target_waves=Waves([["lab"], ["eu", "us"]], pause=0.1),
            )
            print(report.counts)
            for target, error in report.target_errors.items():
                print(f"{target} could not be used: {error}")
            report.write(folder / "restart.json")
            assert report.counts["ok"] == 20
            assert not report.ok  # a foundation is missing

            # The report says which apps live where, so it is the input of the next run.
            stopped = await fleet.bulk.stop(Report.load(folder / "restart.json"))
            assert stopped.ok
            print(stopped.counts)


with tempfile.TemporaryDirectory() as made:
    asyncio.run(main(Path(made)))
