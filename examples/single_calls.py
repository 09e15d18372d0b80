"""Work on one app, and tell failures apart by their class."""

import asyncio

from aioappsapi import Client, ClientCredentials, NotFoundError, RetryPolicy, UnprocessableError
from aioappsapi.sandbox import Faults, Sandbox


async def main() -> None:
    async with (
        Sandbox(apps=10, faults=Faults(without_droplet=0.5)) as cloud,
        Client(cloud.url, auth=ClientCredentials("admin-client", "admin-secret")) as client,
    ):
        async for app in client.apps.list(include=["space.organization"]):
            try:
                started = await client.apps.start(app.guid, deadline=60)
            except UnprocessableError as refused:
                print(f"{app.organization.name}/{app.space.name}/{app.name}: {refused.detail}")
            else:
                print(f"{started.name} is {started.state}")

        impatient = client.with_options(retry=RetryPolicy(attempts=1))
        try:
            await impatient.apps.get("00000000-0000-4000-8000-000000000000")
        except NotFoundError as unknown:
            print(unknown)


asyncio.run(main())
