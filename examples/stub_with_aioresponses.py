"""Test your own code without any server: aioresponses answers in place of the platform.

Needs the package aioresponses-ng. For a platform that keeps states, use `aioappsapi.sandbox`.
"""

import asyncio

import aiohttp
from aioresponses import aioresponses

from aioappsapi import Client, ReadTimeout, Report, RetryPolicy, StaticToken

API = "https://api.example.org"
GUIDS = ["1cb006ee-fb05-47e1-b541-c34179ddc446", "9a1f4a52-5c58-4b07-8bb8-0d9a3f3a8a10"]


def client() -> Client:
    """Make a client that needs no login, and that retries without pauses."""
    return Client(API, auth=StaticToken("token"), retry=RetryPolicy(attempts=2, base=0.0))


async def start_all(cf: Client) -> Report:
    """Stand for your own code."""
    return await cf.bulk.start(GUIDS, skip_unchanged=False)


async def main() -> None:
    # A single call: what the server answers, and a fault that aiohttp raises.
    with aioresponses() as server:
        url = f"{API}/v3/apps/{GUIDS[0]}"
        server.get(url, payload={"guid": GUIDS[0], "name": "web", "state": "STARTED"})
        server.get(url, exception=aiohttp.SocketTimeoutError(), repeat=2)
        async with client() as cf:
            print("one app:", (await cf.apps.get(GUIDS[0])).name)
            try:
                await cf.apps.get(GUIDS[0])
            except ReadTimeout as late:
                print("as your code sees it:", type(late).__name__)

    # A bulk run: one app is accepted, the other refused.
    with aioresponses() as server:
        accepted, refused = (f"{API}/v3/apps/{guid}/actions/start" for guid in GUIDS)
        server.post(accepted, payload={"guid": GUIDS[0], "name": "web", "state": "STARTED"})
        error = {"code": 10008, "title": "CF-UnprocessableEntity", "detail": "Assign a droplet."}
        server.post(refused, status=422, payload={"errors": [error]})
        async with client() as cf:
            report = await start_all(cf)
    print("bulk:", ", ".join(f"{one.status} {one.error or ''}".strip() for one in report))
    assert [one.status for one in report] == ["ok", "failed"]


asyncio.run(main())
