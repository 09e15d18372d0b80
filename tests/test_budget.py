from __future__ import annotations

import pytest

from aioappsapi import RetryPolicy, ServerError
from aioappsapi._http.retry.budget import RetryBudget
from aioappsapi.bulk import Bulk, Status
from aioappsapi.resources.apps import Apps
from tests.replay import Answer, Seen, Wire, app_json, refusal, reply


def test_failures_empty_it_and_successes_fill_it_again() -> None:
    budget = RetryBudget(2)
    assert [budget.take() for _ in range(3)] == [True, True, False]
    for _ in range(9):
        budget.pay()
    assert not budget.take()
    budget.pay()
    assert budget.take()


def test_it_is_never_fuller_than_full() -> None:
    budget = RetryBudget(1)
    for _ in range(100):
        budget.pay()
    assert budget.left == 1


async def dying(seen: Seen) -> Answer:
    return refusal(503, "CF-ServiceUnavailable")


async def test_a_dying_server_is_not_hammered_and_the_run_says_why_it_ended() -> None:
    wire = Wire(dying)
    bulk = Bulk(Apps(wire.caller(retry=RetryPolicy(base=0))), target="-", ceiling=100)
    report = await bulk.start([f"app-{n}" for n in range(1000)], concurrency=50)
    assert len(wire.seen) <= 1.5 * 1000
    assert report.counts["total"] == 1000
    assert report.counts["not_attempted"] > 800
    assert report.counts["failed"] + report.counts["not_attempted"] == 1000
    assert "budget of repetitions" in str(report[-1].error)
    assert report.requests.sent == len(wire.seen)


async def test_a_single_call_without_budget_raises_its_own_error() -> None:
    wire = Wire(dying)
    apps = Apps(wire.caller(retry=RetryPolicy(base=0, budget=0)))
    with pytest.raises(ServerError):
        await apps.start("app-1")
    assert len(wire.seen) == 1


async def test_a_few_failures_among_many_successes_never_empty_it() -> None:
    seen_before: set[str] = set()

    async def now_and_then(seen: Seen) -> Answer:
        if seen.path == "/v3/apps":
            return reply({"resources": []})
        number = int(seen.path.split("/")[3].removeprefix("app-"))
        if number % 12 == 0 and seen.path not in seen_before:
            seen_before.add(seen.path)
            return refusal(503, "CF-ServiceUnavailable")
        return reply(app_json(f"app-{number}"))

    wire = Wire(now_and_then)
    apps = Apps(wire.caller(retry=RetryPolicy(base=0, budget=5)))
    report = await Bulk(apps, target="-", ceiling=100).start([f"app-{n}" for n in range(2000)])
    assert {outcome.status for outcome in report} == {Status.OK}
