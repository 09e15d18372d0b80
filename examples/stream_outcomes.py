"""React to each outcome as it comes, stop after too many failures, keep a report for later."""

import asyncio
import tempfile
from pathlib import Path

from aioappsapi import Client, PasswordGrant, Report, Status
from aioappsapi.sandbox import Faults, Sandbox


async def main(report_file: Path) -> None:
    faults = Faults(without_droplet=0.2, bad_gateway=0.1)
    async with (
        Sandbox(apps=100, faults=faults) as cloud,
        Client(cloud.url, auth=PasswordGrant("admin", "admin")) as client,
    ):
        apps = await client.apps.list(include=["space.organization"]).all()
        async with client.bulk.stream("start", apps, max_failures=0.5) as outcomes:
            async for outcome in outcomes:
                if outcome.status is Status.FAILED:
                    print(f"{outcome.name}: {outcome.error}")
        outcomes.report.write(report_file)

        # Later, perhaps in another process: go on with the rest. Pass outcomes rather than GUIDs,
        # so that an app that may have been started is verified.
        remaining = Report.load(report_file).remaining
        plan = await client.bulk.plan("start", remaining)
        print(f"{len(remaining)} of {len(apps)} apps are left:", plan.report.counts)


with tempfile.TemporaryDirectory() as folder:
    asyncio.run(main(Path(folder) / "report.json"))
