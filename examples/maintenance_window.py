"""Take apps down for a maintenance window, and bring each one back as it was."""

import asyncio
import tempfile
from pathlib import Path

from aioappsapi import Client, PasswordGrant, Report, Snapshot
from aioappsapi.sandbox import Faults, Sandbox


async def take_down(client: Client, folder: Path) -> Report:
    """Write a snapshot, then stop all apps. A journal lets a later process go on."""
    snapshot = await client.bulk.snapshot(client.apps.list())
    snapshot.write(folder / "before.json")
    guids = [app.guid for app in snapshot.apps]
    return await client.bulk.stop(guids, wait="all", journal=folder / "stop.journal")


async def bring_back(client: Client, folder: Path) -> Report:
    """Restore the snapshot, with a bound on the instances that start at a time."""
    snapshot = Snapshot.load(folder / "before.json")
    report = await client.bulk.restore(snapshot, wait="all", max_starting=4, deadline=600)
    report.write(folder / "after.html")
    return report


async def main(folder: Path) -> None:
    async with (
        Sandbox(apps=12, started=True, faults=Faults(startup=0.05)) as cloud,
        Client(cloud.url, auth=PasswordGrant("admin", "admin")) as client,
    ):
        first, second, *_ = cloud.apps.values()
        await client.apps.stop(first.guid)  # it is down before the window, and has to stay so
        await client.processes.scale_for_app(second.guid, "web", instances=3)

        down = await take_down(client, folder)
        print("stopped:", down.counts)
        await client.processes.scale_for_app(second.guid, "web", instances=1)  # somebody's mistake

        back = await bring_back(client, folder)
        print("brought back:", back.counts)
        back.raise_for_failures()
        assert first.state == "STOPPED"
        assert len(cloud.instances(second.guid)) == 3
        assert all(cloud.running(guid) for guid in cloud.apps if guid != first.guid)


with tempfile.TemporaryDirectory() as made:
    asyncio.run(main(Path(made)))
