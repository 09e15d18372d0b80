"""Plan a mass start, carry it out with proof, keep the report, and compare it with another run."""

import asyncio
import tempfile
from pathlib import Path

from aioappsapi import Client, PasswordGrant, Report
from aioappsapi.sandbox import Faults, Sandbox


async def main(folder: Path) -> None:
    async with (
        Sandbox(apps=12, faults=Faults(startup=0.1, without_droplet=0.2)) as cloud,
        Client(cloud.url, auth=PasswordGrant("admin", "admin")) as client,
    ):
        guids = [app.guid async for app in client.apps.list()]
        plan = await client.bulk.plan("start", guids, wait="all")
        print(*plan.lines(), sep="\n")

        report = await client.bulk.start(guids, wait="all", max_starting=6, deadline=900)
        assert report.counts == plan.report.counts  # as predicted
        for name, seconds in report.timings.items():
            print(f"{name}: {seconds}")
        report.write(folder / "first.json")
        report.write(folder / "first.html")  # one page with charts, to be sent around

        # Somebody stages the other apps. The report stands for those that are left.
        donor = cloud.add_app("donor")
        for outcome in report.remaining:
            cloud.apps[outcome.key].droplet = donor.droplet
        again = await client.bulk.start(Report.load(folder / "first.json"), wait="all")
        again.raise_for_failures()
        print(*report.compare(again).lines(), sep="\n")


with tempfile.TemporaryDirectory() as made:
    asyncio.run(main(Path(made)))
