"""What goes wrong in the sandbox on purpose, as it arrives on the wire."""

import asyncio
import base64
import json
from dataclasses import replace

import aiohttp
import pytest

from aioappsapi.sandbox import Faults, Sandbox

from .fakes import Time

TRANSIENT = (
    "rate_limited",
    "bad_gateway",
    "unavailable",
    "runner_unavailable",
    "reset_before",
    "reset_after",
)


async def log_in(sandbox: Sandbox, session: aiohttp.ClientSession) -> dict[str, str]:
    basic = base64.b64encode(b"cf:").decode()
    form = {"grant_type": "password", "username": "admin", "password": "admin"}
    headers = {"Authorization": f"Basic {basic}"}
    async with session.post(f"{sandbox.url}/uaa/oauth/token", data=form, headers=headers) as got:
        return {"Authorization": f"bearer {(await got.json())['access_token']}"}


async def act(
    sandbox: Sandbox,
    session: aiohttp.ClientSession,
    headers: dict[str, str],
    guid: str,
    action: str = "start",
) -> tuple[int, str, dict[str, str]]:
    """One attempt; a broken connection has the status 0."""
    url = f"{sandbox.url}/v3/apps/{guid}/actions/{action}"
    try:
        async with session.post(url, headers=headers) as response:
            lower = {name.lower(): value for name, value in response.headers.items()}
            return response.status, await response.text(), lower
    except aiohttp.ClientError:
        return 0, "", {}


async def suffer(name: str) -> tuple[tuple[int, str, dict[str, str]], Sandbox]:
    """The first start of an app on a server with nothing but this fault."""
    async with (
        Sandbox(1, faults=Faults(**{name: 1.0})) as sandbox,
        aiohttp.ClientSession() as session,
    ):
        guid = next(iter(sandbox.apps))
        got = await act(sandbox, session, await log_in(sandbox, session), guid)
        return got, sandbox


def state(sandbox: Sandbox) -> str:
    return next(iter(sandbox.apps.values())).state


async def test_rate_limited() -> None:
    (status, text, headers), sandbox = await suffer("rate_limited")
    assert (status, headers["retry-after"], state(sandbox)) == (429, "1", "STOPPED")
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert json.loads(text)["errors"][0]["title"] == "CF-RateLimitExceeded"


async def test_bad_gateway() -> None:
    (status, text, headers), _ = await suffer("bad_gateway")
    assert (status, headers["content-type"]) == (502, "text/html")
    assert "<html>" in text
    assert "x-user-guid" not in headers


async def test_unavailable() -> None:
    (status, _, headers), sandbox = await suffer("unavailable")
    assert (status, headers["x-cf-routererror"], state(sandbox)) == (503, "no_endpoints", "STOPPED")


async def test_reset_before_and_after() -> None:
    (status, _, _), sandbox = await suffer("reset_before")
    assert (status, state(sandbox), sandbox.requests[-1].status) == (0, "STOPPED", 0)
    (status, _, _), sandbox = await suffer("reset_after")
    assert (status, state(sandbox)) == (0, "STARTED")


async def test_runner_unavailable_is_followed_by_a_hollow_success() -> None:
    faults = Faults(runner_unavailable=1.0, max_per_app=1)
    time = Time()
    async with (
        Sandbox(1, faults=faults, clock=time) as sandbox,
        aiohttp.ClientSession() as session,
    ):
        headers = await log_in(sandbox, session)
        app = next(iter(sandbox.apps.values()))
        status, text, _ = await act(sandbox, session, headers, app.guid)
        assert (status, app.state) == (503, "STARTED")
        assert json.loads(text)["errors"][0]["code"] == 170015
        assert (await act(sandbox, session, headers, app.guid))[0] == 200
        assert [one.state for one in sandbox.instances(app.guid)] == ["DOWN"]
        time.now += faults.repair_after
        assert sandbox.running(app.guid)


async def test_a_failed_restart_is_rolled_back() -> None:
    faults = Faults(runner_unavailable=1.0)
    async with Sandbox(1, faults=faults) as sandbox, aiohttp.ClientSession() as session:
        headers = await log_in(sandbox, session)
        guid = next(iter(sandbox.apps))
        assert (await act(sandbox, session, headers, guid, "restart"))[0] == 503
        assert state(sandbox) == "STOPPED"


@pytest.mark.parametrize("name", TRANSIENT)
async def test_whoever_repeats_gets_through(name: str) -> None:
    faults = Faults(**{name: 1.0}, max_per_app=2)
    async with Sandbox(2, faults=faults) as sandbox, aiohttp.ClientSession() as session:
        headers = await log_in(sandbox, session)
        for guid in sandbox.apps:
            statuses = [(await act(sandbox, session, headers, guid))[0] for _ in range(3)]
            assert statuses[2] == 200
        async with session.get(f"{sandbox.url}/v3/apps", headers=headers) as response:
            assert response.status == 200


async def statuses(faults: Faults, *, backwards: bool, together: bool) -> dict[str, list[int]]:
    async with Sandbox(30, seed=5, faults=faults) as sandbox, aiohttp.ClientSession() as session:
        headers = await log_in(sandbox, session)

        async def start(guid: str) -> tuple[str, list[int]]:
            return guid, [(await act(sandbox, session, headers, guid))[0] for _ in range(3)]

        guids = sorted(sandbox.apps, reverse=backwards)
        if together:
            return dict(await asyncio.gather(*map(start, guids)))
        return dict([await start(guid) for guid in guids])


async def test_faults_do_not_depend_on_the_order() -> None:
    faults = Faults(**dict.fromkeys(TRANSIENT, 0.1), without_droplet=0.1)
    first = await statuses(faults, backwards=False, together=False)
    assert first == await statuses(faults, backwards=True, together=False)
    assert first == await statuses(faults, backwards=False, together=True)
    assert {0, 200, 422, 429, 502, 503} <= {status for row in first.values() for status in row}


async def test_the_rate_limit_counts_by_user() -> None:
    faults = Faults(rate_limit=20, rate_window=3600)
    async with Sandbox(1, faults=faults) as sandbox, aiohttp.ClientSession() as session:
        headers = await log_in(sandbox, session)
        remaining = []
        for _ in range(20):
            async with session.get(f"{sandbox.url}/v3/apps", headers=headers) as response:
                assert response.status == 200
                remaining.append(int(response.headers["X-RateLimit-Remaining"]))
        assert remaining[:4] == [18, 18, 16, 16]
        assert remaining[-1] == 0
        async with session.get(f"{sandbox.url}/v3/info", headers=headers) as response:
            assert response.status == 429
            assert 3500 < int(response.headers["Retry-After"]) <= 3600
            assert response.content_type == "text/plain"
        for path in ("/", "/v3", "/healthz"):
            async with session.get(sandbox.url + path, headers=headers) as response:
                assert response.status == 200
        async with session.get(f"{sandbox.url}/v3/apps") as response:
            assert response.status == 401
            assert response.headers["X-RateLimit-Limit"] == "10"
        sandbox.faults = replace(sandbox.faults, rate_limit=None)
        async with session.get(f"{sandbox.url}/v3/info", headers=headers) as response:
            assert response.status == 200
            assert "X-RateLimit-Limit" not in response.headers


def test_latency_is_drawn_and_repeatable() -> None:
    faults = Faults(latency=0.02)
    delays = [faults.draw(0, "app", number).delay for number in range(2000)]
    assert delays == [faults.draw(0, "app", number).delay for number in range(2000)]
    assert 0.018 < sum(delays) / len(delays) < 0.022
    even = replace(faults, latency_spread=0.0)
    assert even.draw(0, "app", 1).delay == 0.02


def test_presets_and_limits_of_shares() -> None:
    assert Faults.none().quiet
    assert not Faults.demo().quiet
    with pytest.raises(ValueError, match="bad_gateway is a share"):
        Faults(bad_gateway=1.5)
    with pytest.raises(ValueError, match="more than 1 together"):
        Faults(bad_gateway=0.7, unavailable=0.7)
