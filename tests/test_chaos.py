"""Runs under every fault: each app has one outcome, and `ok` is always true.

Server and client share one event loop with a virtual clock, over real sockets; the sandbox knows
what is true.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi import (
    DecodeError,
    Report,
    Status,
    UnprocessableError,
)
from aioappsapi.sandbox import Faults, Sandbox
from tests.clients import busy_client
from tests.fakes import run_virtual

DEADLINE = 600.0

faults = st.builds(
    replace,
    st.just(Faults.chaos()),
    crash=st.sampled_from([0.0, 0.05]),
    crash_once=st.sampled_from([0.0, 0.1]),
    startup=st.sampled_from([0.0, 2.0, 20.0]),
    repair_after=st.sampled_from([1.0, 30.0]),
    runner_unavailable=st.sampled_from([0.0, 0.1]),
    bad_gateway=st.sampled_from([0.0, 0.05]),
    reset_after=st.sampled_from([0.0, 0.05]),
    rate_limited_for=st.sampled_from([0.0, 1.0]),
    reads=st.sampled_from([0.0, 0.5]),
    max_per_app=st.sampled_from([2, 50]),
)


async def carried_out(action: str, profile: Faults, seed: int, wait: str, concurrency: int) -> None:
    """Carry one run out, and hold its report against what the sandbox knows."""
    loop = asyncio.get_running_loop()
    async with Sandbox(60, seed=seed, faults=profile, clock=loop.time) as cloud:
        async with busy_client(cloud, base=0.1, cap=2.0) as cf:
            await cf.log_in()
            guids, begun = list(cloud.apps), loop.time()
            report = await getattr(cf.bulk, action)(
                guids, wait=wait, deadline=DEADLINE, concurrency=concurrency
            )
            taken = loop.time() - begun
        check(cloud, report, guids, action, wait)
        assert taken <= DEADLINE + 1.0


def check(cloud: Sandbox, report: Report[Any], guids: list[str], action: str, wait: str) -> None:
    assert [outcome.key for outcome in report] == guids
    counts = report.counts
    assert counts.pop("total") == sum(counts.values()) == len(guids)
    asked = [r for r in cloud.requests if r.path_qs.startswith("/v3/")]
    assert report.requests.sent == len(asked)
    for outcome in report:
        app = cloud.apps[outcome.key]
        posts = sum(f"/{outcome.key}/actions/" in request.path_qs for request in asked)
        assert outcome.attempts == posts
        assert app.applied["restart"] <= 1
        if outcome.status is Status.OK:
            assert app.state == ("STOPPED" if action == "stop" else "STARTED")
            if wait == "all" and action != "stop":
                assert cloud.running(outcome.key)
        if outcome.status is Status.NOT_ATTEMPTED:
            assert not posts


@settings(max_examples=40, deadline=None)
@given(
    action=st.sampled_from(["start", "stop", "restart"]),
    profile=faults,
    seed=st.integers(0, 10_000),
    wait=st.sampled_from(["none", "any", "all"]),
    concurrency=st.sampled_from([1, 7, 60]),
)
def test_outcomes_are_true_whatever_fault_occurs(
    action: str, profile: Faults, seed: int, wait: str, concurrency: int
) -> None:
    run_virtual(carried_out(action, profile, seed, wait, concurrency))


@pytest.mark.parametrize("outage", ["refused", "bbs-503", "bbs-error"])
def test_a_false_200_is_never_ok(outage: str) -> None:
    """While the runner is away a start is written down and refused; its repetition is a 200."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        async with (
            Sandbox(20, clock=loop.time) as cloud,
            busy_client(cloud, base=0.1, cap=2.0) as cf,
        ):
            await cf.log_in()
            cloud.diego = outage
            report = await cf.bulk.start(list(cloud.apps))
            assert {outcome.status for outcome in report} == {Status.UNVERIFIED}
            assert {app.state for app in cloud.apps.values()} == {"STARTED"}

    run_virtual(run())


def test_starts_that_wait_are_ok_once_the_runner_is_back() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        async with (
            Sandbox(20, clock=loop.time) as cloud,
            busy_client(cloud, base=0.1, cap=2.0) as cf,
        ):
            await cf.log_in()
            cloud.diego = "bbs-503"
            run = asyncio.create_task(cf.bulk.start(list(cloud.apps), wait="all"))
            await asyncio.sleep(20)
            cloud.diego = "up"
            report = await run
            assert Counter(outcome.status for outcome in report) == {Status.OK: 20}
            assert all(cloud.running(guid) for guid in cloud.apps)
            assert all(outcome.time_to_running > 20 for outcome in report)

    run_virtual(run())


def test_a_success_that_cannot_be_read_is_verified_and_not_sent_again() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        faults = Faults(garbage=1.0, max_per_app=1)
        async with (
            Sandbox(5, clock=loop.time, faults=faults) as cloud,
            busy_client(cloud, base=0.1, cap=2.0) as cf,
        ):
            await cf.log_in()
            first, *others = cloud.apps
            seen = await cf.bulk.start(others, wait="all")
            assert {outcome.status for outcome in seen} == {Status.OK}
            assert all(outcome.value.state == "STARTED" for outcome in seen)
            assert (await cf.apps.start(first, wait="all")).state == "STARTED"
            assert cloud.count("POST", "/actions/start") == 5

    run_virtual(run())


def test_a_success_that_cannot_be_read_proves_nothing_by_itself() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        faults = Faults(garbage=1.0)
        async with (
            Sandbox(1, clock=loop.time, faults=faults) as cloud,
            busy_client(cloud, base=0.1, cap=2.0) as cf,
        ):
            (outcome,) = await cf.bulk.start(list(cloud.apps))
            assert outcome.status is Status.UNVERIFIED
            assert isinstance(outcome.error, DecodeError)
            assert outcome.attempts == 1

    run_virtual(run())


def test_a_refusal_settles_a_lost_attempt() -> None:
    """Repeating what has been done is accepted, so nobody has to look for 45 s."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        faults = Faults(bad_gateway=1.0, without_droplet=1.0, max_per_app=1)
        async with (
            Sandbox(3, clock=loop.time, faults=faults) as cloud,
            busy_client(cloud, base=0.1, cap=2.0) as cf,
        ):
            await cf.log_in()
            first, *others = cloud.apps
            begun = loop.time()
            report = await cf.bulk.start(others, wait="all")
            assert {outcome.status for outcome in report} == {Status.FAILED}
            assert all(outcome.attempts == 2 for outcome in report)
            with pytest.raises(UnprocessableError, match="Assign a droplet"):
                await cf.apps.start(first, wait="all")
            assert loop.time() - begun < 10

    run_virtual(run())
