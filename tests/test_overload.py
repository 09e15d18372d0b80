"""Whole runs against a server that is away or fails, on a virtual clock without a network."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from math import inf
from typing import Any

import anyio
import pytest

from aioappsapi import AuthError, ConnectError, Report, RetryPolicy, ServerError
from aioappsapi._http.call import Caller
from aioappsapi._http.limits.throttle import Throttle
from aioappsapi.api.apps import Apps
from aioappsapi.auth.base import Token, TokenEndpoint
from aioappsapi.bulk import Bulk
from tests.fakes import virtual
from tests.replay import Answer, Seen, Wire, app_json, refusal, reply

LATENCY = 0.05
UNKNOWN = refusal(500, "UnknownError", 10001, "The database is away.")


class Server:
    """A server that fails at times, in its own way, for reads or writes or single apps.

    `fails(seen, seconds)` decides about each request; `seconds` is the time since the start.
    """

    def __init__(
        self,
        fails: Callable[[Seen, float], bool],
        *,
        failure: Answer = refusal(503, "CF-ServiceUnavailable"),  # noqa: B008 - it never changes
        auth: Any = None,
    ) -> None:
        self.fails = fails
        self.failure = failure
        self.began = asyncio.get_running_loop().time()
        self.done: Counter[str] = Counter()
        self.wire = Wire(self.answer)
        self.caller = self._caller(auth)
        self.apps = Apps(self.caller)
        self.bulk = Bulk(self.caller, target="-", ceiling=200)

    def _caller(self, auth: Any) -> Caller:
        caller = self.wire.caller(retry=RetryPolicy(), auth=auth)
        caller.throttle = Throttle(200)
        return caller

    @property
    def sent(self) -> int:
        return len(self.wire.seen)

    def seconds(self) -> float:
        return asyncio.get_running_loop().time() - self.began

    async def answer(self, seen: Seen) -> Answer:
        failed = self.fails(seen, self.seconds())
        await asyncio.sleep(0.001 if failed else LATENCY)
        if failed:
            return self.failure
        if seen.method == "GET":
            return reply({"resources": [], "pagination": {"total_results": 0, "next": None}})
        guid = seen.path.split("/")[3]
        self.done[guid] += 1
        state = "STOPPED" if seen.path.endswith("stop") else "STARTED"
        return reply(app_json(guid, state=state))


def away(begin: float, end: float) -> Callable[[Seen, float], bool]:
    return lambda seen, seconds: begin <= seconds < end


def writes_of(*guids: str) -> Callable[[Seen, float], bool]:
    """Let the writes of some apps fail for ever; of all apps without any."""

    def fails(seen: Seen, seconds: float) -> bool:
        return seen.method == "POST" and (not guids or seen.path.split("/")[3] in guids)

    return fails


def guids(count: int) -> list[str]:
    return [f"app-{number}" for number in range(count)]


def summary(report: Report[Any]) -> dict[str, int]:
    return {name: count for name, count in report.counts.items() if count}


@pytest.mark.parametrize("action", ["start", "stop"])
@pytest.mark.parametrize(("count", "seconds"), [(1, 8), (3, 8), (5, 8), (500, 8), (500, 30)])
@virtual
async def test_no_app_fails_in_an_outage_that_ends_before_the_deadline(
    action: str, count: int, seconds: float
) -> None:
    server = Server(away(0.0 if count < 10 else 0.2, seconds))
    report = await getattr(server.bulk, action)(guids(count), skip_unchanged=False)
    assert summary(report) == {"total": count, "ok": count}
    assert server.sent <= count + 110
    assert server.seconds() < seconds + 6.0


@virtual
async def test_no_app_fails_in_an_outage_with_ambiguous_500s() -> None:
    server = Server(away(0.2, 8.0), failure=UNKNOWN)
    counts = summary(await server.bulk.start(guids(500), skip_unchanged=False))
    assert counts["ok"] + counts["unverified"] == 500


@virtual
async def test_no_app_fails_in_an_outage_of_the_login_server() -> None:
    class Auth:
        renewable = True

        async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
            if server.seconds() < 18.0:
                raise AuthError("The UAA is away.", refused=False)
            return Token(access_token="token", expires_at=None)

    server = Server(away(inf, inf), auth=Auth())
    report = await server.bulk.start(guids(300))
    assert summary(report) == {"total": 300, "ok": 300}
    assert server.seconds() < 36.0  # the last pause between logins takes up to 15 s


@virtual
async def test_an_outage_during_a_restart_loses_only_the_apps_that_were_sent_into_it() -> None:
    server = Server(away(0.2, 30.0), failure=UNKNOWN)
    report = await server.bulk.restart(guids(500))
    counts = summary(report)
    # 50 were in flight, 20 failures showed the outage, and reads probed it.
    assert counts["failed"] <= 80
    assert counts["ok"] + counts["failed"] == 500
    assert max(server.done.values()) == 1


@virtual
async def test_a_server_that_answers_only_503_ends_a_run_after_a_minute() -> None:
    server = Server(lambda seen, seconds: True)
    report = await server.bulk.start(guids(200))
    assert server.sent <= 1.5 * 200
    assert 60.0 <= server.seconds() <= 75.0
    counts = summary(report)
    assert counts["failed"] + counts["not_attempted"] == 200
    assert "The run gave up" in str(report[-1].error)
    assert "give_up_after" in str(report[-1].error)


@virtual
async def test_restarts_that_all_fail_end_the_run_although_reads_succeed() -> None:
    server = Server(writes_of(), failure=UNKNOWN)
    report = await server.bulk.restart(guids(3_000))
    assert server.sent <= 200
    assert 60.0 <= server.seconds() <= 75.0
    assert summary(report)["not_attempted"] >= 2_850
    assert "The run gave up" in (report.stopped or "")


@virtual
async def test_a_bad_app_at_the_end_of_a_run_fails_within_seconds() -> None:
    server = Server(writes_of("app-30"))
    report = await server.bulk.start(guids(31))
    assert summary(report) == {"total": 31, "ok": 30, "failed": 1}
    assert isinstance(report[30].error, ServerError)
    assert server.seconds() < 50.0  # two rounds of tries with their pauses
    assert server.sent < 31 + 25


@virtual
async def test_many_bad_apps_do_not_slow_down_the_good_apps() -> None:
    bad = guids(60)[:30]
    server = Server(writes_of(*bad))
    report = await server.bulk.start(guids(1_000))
    assert summary(report) == {"total": 1_000, "ok": 970, "failed": 30}
    assert server.seconds() < 90.0  # at the latest, the run gives up


@virtual
async def test_a_server_that_fails_15_percent_of_requests_loses_no_app() -> None:
    count = 0

    def fails(seen: Seen, seconds: float) -> bool:
        nonlocal count
        count += 1
        return count * 0.15 % 1.0 < 0.15

    server = Server(fails)
    report = await server.bulk.start(guids(2_000), skip_unchanged=False)
    assert summary(report) == {"total": 2_000, "ok": 2_000}


@virtual
async def test_a_single_call_keeps_its_few_attempts() -> None:
    server = Server(lambda seen, seconds: True)
    for _ in range(5):
        began = server.seconds()
        with pytest.raises(ServerError):
            await server.apps.start("app-1")
        assert server.seconds() - began < 20.0
    assert server.sent <= 25


@virtual
async def test_single_calls_are_not_delayed_during_an_outage_of_a_run() -> None:
    server = Server(away(0.2, 30.0))
    run = asyncio.create_task(server.bulk.start(guids(300)))
    await asyncio.sleep(5.0)
    began = server.seconds()
    with pytest.raises(ServerError):
        await server.apps.start("app-1")
    assert server.seconds() - began < 20.0
    assert summary(await run) == {"total": 300, "ok": 300}


@virtual
async def test_a_deadline_ends_a_run_in_the_middle_of_an_outage() -> None:
    server = Server(away(0.2, inf))
    began = anyio.current_time()
    report = await server.bulk.start(guids(300), deadline=10)
    assert anyio.current_time() - began == pytest.approx(10, abs=0.5)
    assert report.counts["total"] == 300
    assert report.counts["ok"] > 0


@virtual
async def test_a_server_that_refuses_connections_is_an_outage_as_well() -> None:
    server = Server(away(inf, inf))

    async def refuse(seen: Seen) -> Answer:
        if 0.2 <= server.seconds() < 8.0:
            raise ConnectError("refused")
        return await server.answer(seen)

    server.wire._answering = refuse
    report = await server.bulk.restart(guids(500))
    assert summary(report) == {"total": 500, "ok": 500}
    assert max(server.done.values()) == 1
