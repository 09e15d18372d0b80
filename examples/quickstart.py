"""Start every app of a Cloud Foundry, here an embedded one, and see what became of them."""

import asyncio

from aioappsapi import Client, PasswordGrant
from aioappsapi.sandbox import Sandbox


async def main() -> None:
    async with (
        Sandbox(apps=20) as cloud,
        Client(cloud.url, auth=PasswordGrant("admin", "admin")) as client,
    ):
        report = await client.bulk.start(client.apps.list())
        print(report.counts)


asyncio.run(main())
