"""The faults of the sandbox on the wire."""

import asyncio
import base64
import json
from dataclasses import replace

import aiohttp
import pytest

from aioappsapi.sandbox import Faults, Sandbox
from aioappsapi.sandbox.world.faults import Fault
from tests.fakes import Time

TRANSIENT = tuple(fault.value for fault in Fault)


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


async def test_a_rate_limited_start_changes_nothing() -> None:
    (status, text, headers), sandbox = await suffer("rate_limited")
    assert (status, headers["retry-after"], state(sandbox)) == (429, "1", "STOPPED")
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert json.loads(text)["errors"][0]["title"] == "CF-RateLimitExceeded"


async def test_a_bad_gateway_answers_with_html() -> None:
    (status, text, headers), _ = await suffer("bad_gateway")
    assert (status, headers["content-type"]) == (502, "text/html")
    assert "<html>" in text
    assert "x-user-guid" not in headers


async def test_an_unavailable_server_changes_nothing() -> None:
    (status, _, headers), sandbox = await suffer("unavailable")
    assert (status, headers["x-cf-routererror"], state(sandbox)) == (503, "no_endpoints", "STOPPED")


@pytest.mark.parametrize(
    ("name", "status", "reason", "words"),
    [
        ("balancer_unavailable", 503, None, "<title>503 Service Temporarily Unavailable</title>"),
        ("gateway_timeout", 504, None, "<title>504 Gateway Time-out</title>"),
        ("endpoint_failure", 502, "endpoint_failure", "502 Bad Gateway: Registered endpoint"),
        ("client_closed", 499, "endpoint_failure", "499 Request Cancelled"),
        ("unknown_route", 404, "unknown_route", "404 Not Found: Requested route ('127.0.0.1:"),
    ],
)
async def test_proxies_before_the_api_send_their_own_errors(
    name: str, status: int, reason: str | None, words: str
) -> None:
    got, sandbox = await suffer(name)
    assert (got[0], got[2].get("x-cf-routererror")) == (status, reason)
    assert words in got[1]
    assert "x-user-guid" not in got[2]
    assert sandbox.requests[-1].status == status


async def test_about_half_of_the_failed_starts_took_effect() -> None:
    for name in ("bad_gateway", "gateway_timeout", "unknown_error"):
        async with (
            Sandbox(40, faults=Faults(**{name: 1.0})) as sandbox,
            aiohttp.ClientSession() as session,
        ):
            headers = await log_in(sandbox, session)
            for guid in sandbox.apps:
                assert (await act(sandbox, session, headers, guid))[0] >= 500
            done = sum(app.applied["start"] for app in sandbox.apps.values())
            assert 10 < done < 30


async def test_errors_of_the_api_have_its_error_codes() -> None:
    (status, text, _), _ = await suffer("unknown_error")
    assert (status, json.loads(text)["errors"][0]["title"]) == (500, "UnknownError")
    (status, text, _), sandbox = await suffer("runner_error")
    assert (status, json.loads(text)["errors"][0]["title"]) == (500, "CF-RunnerError")
    assert state(sandbox) == "STARTED"
    (status, text, _), sandbox = await suffer("hollow_success")
    assert (status, json.loads(text)["state"]) == (200, "STARTED")
    assert not sandbox.running(next(iter(sandbox.apps)))


async def test_a_truncated_answer_may_follow_a_start_that_took_effect() -> None:
    (status, _, _), sandbox = await suffer("truncated")
    assert (status, state(sandbox), sandbox.requests[-1].status) == (0, "STARTED", 0)
    (status, text, _), sandbox = await suffer("garbage")
    assert (status, state(sandbox), sandbox.requests[-1].status) == (200, "STARTED", 200)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(text)


async def test_an_answer_sent_in_small_pieces_is_complete() -> None:
    (status, text, _), _ = await suffer("drip")
    assert (status, json.loads(text)["state"]) == (200, "STARTED")


async def test_a_token_that_expires_early_is_refused_from_then_on() -> None:
    faults = Faults(token_expired=1.0, max_per_app=1)
    async with Sandbox(1, faults=faults) as sandbox, aiohttp.ClientSession() as session:
        guid = next(iter(sandbox.apps))
        headers, others = [await log_in(sandbox, session) for _ in range(2)]
        for _ in range(2):
            status, text, _ = await act(sandbox, session, headers, guid)
            assert (status, json.loads(text)["errors"][0]["title"]) == (401, "CF-InvalidAuthToken")
        assert (await act(sandbox, session, others, guid))[0] == 200


async def test_a_rate_limit_window_refuses_every_app_until_it_ends() -> None:
    time = Time()
    faults = Faults(rate_limited=1.0, max_per_app=1, rate_limited_for=3, retry_after=3)
    async with (
        Sandbox(2, faults=faults, clock=time) as sandbox,
        aiohttp.ClientSession() as session,
    ):
        headers = await log_in(sandbox, session)
        one, two = sandbox.apps
        for guid in (one, one, two):
            status, _, got = await act(sandbox, session, headers, guid)
            assert (status, got["retry-after"]) == (429, "3")
        time.now += 3
        assert (await act(sandbox, session, headers, one))[0] == 200


async def test_reads_and_other_changes_fail_only_if_their_shares_are_set() -> None:
    faults = Faults(unavailable=1.0, reads=1.0, writes=1.0)
    async with Sandbox(1, faults=faults) as sandbox, aiohttp.ClientSession() as session:
        headers = await log_in(sandbox, session)
        url = f"{sandbox.url}/v3/apps/{next(iter(sandbox.apps))}"
        for send in (session.get, session.delete):
            got = []
            for _ in range(3):
                async with send(url, headers=headers) as response:
                    got.append(response.status)
            assert got[:2] == [503, 503]
            assert got[2] < 300
        async with session.get(sandbox.url) as response:
            assert response.status == 200


async def test_a_connection_can_be_reset_before_or_after_the_start() -> None:
    (status, _, _), sandbox = await suffer("reset_before")
    assert (status, state(sandbox), sandbox.requests[-1].status) == (0, "STOPPED", 0)
    (status, _, _), sandbox = await suffer("reset_after")
    assert (status, state(sandbox)) == (0, "STARTED")


async def test_a_start_after_a_runner_failure_succeeds_but_starts_nothing_yet() -> None:
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
async def test_every_fault_ends_after_the_maximum_per_app(name: str) -> None:
    faults = Faults(**{name: 1.0}, max_per_app=2)
    async with Sandbox(2, faults=faults) as sandbox, aiohttp.ClientSession() as session:
        headers = await log_in(sandbox, session)
        for guid in sandbox.apps:
            statuses = []
            for _ in range(3):
                statuses.append((await act(sandbox, session, headers, guid))[0])
                if statuses[-1] == 401:
                    headers = await log_in(sandbox, session)
            assert statuses[2] == 200
        async with session.get(f"{sandbox.url}/v3/apps", headers=headers) as response:
            assert response.status == 200


# A token that ends depends on who else holds it.
ORDERLY = [name for name in TRANSIENT if name != "token_expired"]


async def statuses(faults: Faults, *, backwards: bool, together: bool) -> dict[str, list[int]]:
    async with Sandbox(30, seed=5, faults=faults) as sandbox, aiohttp.ClientSession() as session:
        headers = await log_in(sandbox, session)

        async def start(guid: str) -> tuple[str, list[int]]:
            return guid, [(await act(sandbox, session, headers, guid))[0] for _ in range(3)]

        guids = sorted(sandbox.apps, reverse=backwards)
        if together:
            return dict(await asyncio.gather(*map(start, guids)))
        return dict([await start(guid) for guid in guids])


async def test_faults_do_not_depend_on_the_order_of_requests() -> None:
    faults = Faults(**dict.fromkeys(ORDERLY, 0.05), without_droplet=0.1)
    first = await statuses(faults, backwards=False, together=False)
    assert first == await statuses(faults, backwards=True, together=False)
    assert first == await statuses(faults, backwards=False, together=True)
    assert {0, 200, 404, 422, 429, 499, 500, 502, 503, 504} <= {
        status for row in first.values() for status in row
    }


async def test_the_rate_limit_is_counted_per_user() -> None:
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


def test_latency_is_random_but_repeatable() -> None:
    faults = Faults(latency=0.02)
    delays = [faults.draw(0, "app", number).delay for number in range(2000)]
    assert delays == [faults.draw(0, "app", number).delay for number in range(2000)]
    assert 0.018 < sum(delays) / len(delays) < 0.022
    even = replace(faults, latency_spread=0.0)
    assert even.draw(0, "app", 1).delay == 0.02


def test_faults_refuse_impossible_values() -> None:
    assert Faults.none().quiet
    assert not Faults.demo().quiet
    with pytest.raises(ValueError, match="bad_gateway must be a share"):
        Faults(bad_gateway=1.5)
    with pytest.raises(ValueError, match=r"the sum of the shares .* is more than 1"):
        Faults(bad_gateway=0.7, unavailable=0.7)
    with pytest.raises(ValueError, match=r"the sum of the shares .* is more than 1"):
        Faults(bad_gateway=0.7, reads=2)
    with pytest.raises(ValueError, match="startup must be a number of at least 0, not -1"):
        Faults(startup=-1)
    with pytest.raises(ValueError, match="crash_backoff"):
        Faults(crash_backoff=0)
    with pytest.raises(ValueError, match="the profiles are 'none', 'demo', 'chaos'"):
        Faults.profile("sunny")


async def test_with_the_chaos_profile_retries_start_every_app_exactly_once() -> None:
    sent = 0
    async with (
        Sandbox(300, seed=2, faults=Faults.chaos()) as sandbox,
        aiohttp.ClientSession() as session,
    ):
        headers = await log_in(sandbox, session)
        for guid, app in sandbox.apps.items():
            status = -1
            while status not in (200, 422):
                status, _, _ = await act(sandbox, session, headers, guid)
                sent += 1
                if status == 401:
                    headers = await log_in(sandbox, session)
            assert app.applied == ({} if app.droplet is None else {"start": 1})
        posts = sandbox.count("POST", "/actions/start")
        met = {r.status for r in sandbox.requests if "/actions/start" in r.path_qs}
    assert sent == posts
    assert {0, 404, 499, 500, 502, 503, 504} <= met
