"""Stop apps in the evening and start them in the morning, in a service that runs all the time.

Needs the package apscheduler, older than version 4.
"""

import asyncio
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_EXECUTED
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger

from aioappsapi import Client, PasswordGrant
from aioappsapi.sandbox import Faults, Sandbox

EVENING = CronTrigger(day_of_week="mon-fri", hour=20)
MORNING = CronTrigger(day_of_week="mon-fri", hour=6)
LABEL = "env=dev"


async def stop_apps(client: Client) -> None:
    """Stop the apps with the label."""
    apps = client.apps.list(label_selector=LABEL)
    report = await client.bulk.stop(apps, wait="all", deadline=1800)
    print("evening:", report.counts)


async def start_apps(client: Client) -> None:
    """Start the apps with the label, not too many at a time."""
    apps = client.apps.list(label_selector=LABEL)
    report = await client.bulk.start(apps, wait="all", max_starting=20, deadline=2700)
    print("morning:", report.counts)
    for outcome in report.remaining:
        print("  not up:", outcome.name, outcome.error)


def scheduled(
    client: Client, evening: BaseTrigger = EVENING, morning: BaseTrigger = MORNING
) -> AsyncIOScheduler:
    """Make the plan. A late job runs once, and never beside itself."""
    scheduler = AsyncIOScheduler(job_defaults={"coalesce": True, "max_instances": 1})
    scheduler.add_job(stop_apps, evening, args=[client])
    scheduler.add_job(start_apps, morning, args=[client])
    return scheduler


async def main() -> None:
    async with (
        Sandbox(apps=40, started=True, faults=Faults(startup=0.05)) as cloud,
        Client(cloud.url, auth=PasswordGrant("admin", "admin")) as client,
    ):
        dev = [app.guid for app in cloud.apps.values() if app.labels["env"] == "dev"]
        now = datetime.now(UTC)  # the evening comes at once, and the morning three seconds later
        scheduler = scheduled(client, DateTrigger(now), DateTrigger(now + timedelta(seconds=3)))
        done: asyncio.Queue[object] = asyncio.Queue()
        scheduler.add_listener(done.put_nowait, EVENT_JOB_EXECUTED)
        scheduler.start()
        await done.get()
        await done.get()
        assert all(cloud.running(guid) for guid in dev)
        assert all(cloud.apps[guid].applied == {"stop": 1, "start": 1} for guid in dev)
        scheduler.shutdown()


asyncio.run(main())
