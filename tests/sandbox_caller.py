"""A small HTTP client for the sandbox's tests, which must not depend on our client."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from aioappsapi.sandbox import Sandbox

RECORDINGS = Path(__file__).parent / "recordings"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def recorded(name: str) -> dict[str, Any]:
    response: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text())["response"]
    return response


def shape(value: Any) -> Any:
    """The keys at every level, in their order; of a list, the first element's."""
    if isinstance(value, dict):
        return [(key, shape(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return None


class Caller:
    """A few lines of HTTP: log in, then ask."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session
        self.headers = {"Accept": "application/json"}

    async def token(
        self, client: str = "cf:", headers: dict[str, str] | None = None, **form: str
    ) -> tuple[int, Any]:
        basic = base64.b64encode(client.encode()).decode()
        sent = {"Authorization": f"Basic {basic}"} if headers is None else headers
        url = f"{self.sandbox.url}/uaa/oauth/token"
        async with self.session.post(url, data=form, headers=sent) as response:
            return response.status, await response.json()

    async def login(self, name: str = "admin") -> None:
        status, fields = await self.token(grant_type="password", username=name, password=name)
        assert status == 200
        self.headers["Authorization"] = f"bearer {fields['access_token']}"

    async def ask(
        self, method: str, path: str, **options: Any
    ) -> tuple[int, str, aiohttp.ClientResponse]:
        headers = self.headers | options.pop("headers", {})
        url = URL(self.sandbox.url + path, encoded=True)
        async with self.session.request(method, url, headers=headers, **options) as response:
            return response.status, await response.text(), response

    async def get(self, path: str) -> Any:
        status, text, _ = await self.ask("GET", path)
        assert status == 200, text
        return json.loads(text)

    async def change(self, method: str, path: str, fields: Any = None) -> tuple[int, Any]:
        """Ask with a body; the status, and the answer's members or those of its error."""
        status, text, _ = await self.ask(method, path, json=fields)
        value = json.loads(text) if text else {}
        return status, value.get("errors", [value])[0]

    async def ended(self, method: str, path: str, fields: Any = None) -> Any:
        """Ask for something that a job does, and return the job at its end."""
        status, text, response = await self.ask(method, path, json=fields)
        assert status == 202, text
        job = response.headers["Location"].partition("/v3/")[2]
        # Work is over once it was asked for twice.
        await self.get(f"/v3/{job}")
        return await self.get(f"/v3/{job}")

    async def names(self, query: str) -> list[str]:
        return [app["name"] for app in (await self.get(f"/v3/apps?{query}"))["resources"]]


def assert_same_headers(response: aiohttp.ClientResponse, truth: dict[str, Any]) -> None:
    """Besides what every HTTP server adds, the same header names, the same content type."""
    ours = {name.lower() for name in response.headers} - {"date", "server", "connection"}
    theirs = dict(truth["headers"])
    assert ours == set(theirs)
    assert response.headers["content-type"] == theirs["content-type"]


@asynccontextmanager
async def admin_calls(sandbox: Sandbox | None = None) -> AsyncIterator[Caller]:
    """A sandbox, by default of twelve apps, and the admin logged in."""
    async with sandbox or Sandbox(12, seed=3) as sandbox, aiohttp.ClientSession() as session:
        caller = Caller(sandbox, session)
        await caller.login()
        yield caller
