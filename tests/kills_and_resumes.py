"""One run in several processes against the sandbox, with faults, kills and resumes.

A killed process loses what its journal has not flushed: its bytes are read at the moment of the
kill, the run is cancelled, and then the bytes are put back. Requests that were in flight may still
be carried out, as in reality. The sandbox knows what is true.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from aioappsapi import (
    Client,
    NotRunningError,
    Report,
    Status,
)
from aioappsapi.sandbox import Faults, Sandbox
from tests.clients import busy_client

DONE = {Status.OK, Status.ALREADY}
# How an earlier life ends; the last one always runs to its end.
ENDS = ("deadline", "stop", "stop at once", "cancel", "kill", "kill", "callback", "none")


class Findings(msgspec.Struct):
    """What was wrong in one history."""

    twice: int = 0
    false_ok: int = 0
    lost: int = 0
    wrong_counts: int = 0

    @property
    def is_right(self) -> bool:
        return self == Findings()


def some_faults(draw: random.Random) -> Faults:
    return replace(
        Faults(),
        latency=draw.choice([0.01, 0.2]),
        unavailable=draw.choice([0.0, 0.1]),
        reset_before=draw.choice([0.0, 0.1]),
        reset_after=draw.choice([0.0, 0.1]),
        bad_gateway=draw.choice([0.0, 0.1]),
        garbage=draw.choice([0.0, 0.05]),
        runner_unavailable=draw.choice([0.0, 0.1]),
        hollow_success=draw.choice([0.0, 0.05]),
        crash=draw.choice([0.0, 0.1]),
        startup=draw.choice([0.0, 2.0]),
        repair_after=draw.choice([1.0, 10_000.0]),
        rate_limited=draw.choice([0.0, 0.02]),
        retry_after=1,
    )


async def kill_and_resume(seed: int, apps: int = 100) -> Findings:
    """Let a run live up to five times, and hold each orderly end against the sandbox."""
    draw, loop, findings = random.Random(seed), asyncio.get_running_loop(), Findings()
    action = draw.choice(["start", "start", "stop", "restart", "restart"])
    kills_and_resumes, was_killed = draw.randint(1, 5), False
    sent: set[str] = set()  # apps of which bytes left, also where the server never read them
    with TemporaryDirectory() as folder:
        path = Path(folder, "run.journal")
        async with Sandbox(
            apps, seed=seed, faults=some_faults(draw), started=action != "start", clock=loop.time
        ) as cloud:
            for number in range(kills_and_resumes):
                last = number == kills_and_resumes - 1
                if last:
                    cloud.faults = Faults(startup=1.0)
                end = "none" if last else draw.choice(ENDS)
                was_killed |= end == "kill"
                wait = draw.choice(["none", "any", "all"])
                async with busy_client(cloud) as cf:
                    report = await live(cf, cloud, action, path, draw, end, wait)
                if report is not None:
                    sent |= {outcome.key for outcome in report if outcome.attempts}
                    hold_against(cloud, report, action, wait, findings)
                    if last:
                        hold_the_last(report, findings, None if was_killed else sent)
            findings.twice += sum(app.applied["restart"] > 1 for app in cloud.apps.values())
    return findings


async def live(
    cf: Client,
    cloud: Sandbox,
    action: Any,
    path: Path,
    draw: random.Random,
    end: str,
    wait: Any,
) -> Report[Any] | None:
    """Live once; return the report of an orderly end, None after a kill."""
    guids, ended = list(cloud.apps), 0
    moment = draw.uniform(0.0, 4.0)

    def on_outcome(outcome: Any) -> None:
        nonlocal ended
        ended += 1
        if end == "callback" and ended == 20:
            raise ZeroDivisionError

    run = cf.bulk.stream(
        action,
        guids,
        journal=path,
        resume=path.exists(),
        wait=wait,
        startup_timeout=20.0,
        crash_grace=draw.choice([0.0, 5.0]),
        concurrency=draw.choice([5, 30, 100]),
        deadline=moment if end == "deadline" and moment else None,
        on_outcome=on_outcome,
    )
    task = asyncio.create_task(run.run())
    saved: bytes | None = None
    if end != "none":
        await asyncio.wait([task], timeout=moment)
        if end == "kill":
            saved = path.read_bytes() if path.exists() else b""
            task.cancel()
        elif end == "cancel":
            task.cancel()
        elif end == "stop":
            run.stop("stopped")
        elif end == "stop at once":
            run.stop("stopped", grace=0.0)
    with suppress(asyncio.CancelledError, Exception):
        await task
    if saved is not None:
        path.write_bytes(saved)
        return None
    return run.report


def hold_against(
    cloud: Sandbox, report: Report[Any], action: str, wait: str, findings: Findings
) -> None:
    counts = report.counts
    total = counts.pop("total")
    findings.wrong_counts += not total == sum(counts.values()) == len(report) == len(cloud.apps)
    for outcome in report:
        if outcome.status in DONE:
            findings.false_ok += not is_true(cloud, outcome.key, action, wait)


def is_true(cloud: Sandbox, guid: str, action: str, wait: str) -> bool:
    app = cloud.apps[guid]
    if action == "restart" and app.applied["restart"] != 1:
        return False
    if app.state != ("STOPPED" if action == "stop" else "STARTED"):
        return False
    return wait == "none" or action == "stop" or cloud.running(guid)


def hold_the_last(report: Report[Any], findings: Findings, sent: set[str] | None) -> None:
    """After a life without faults nothing is left undone, but what nobody can know.

    In doubt is only an app that was `sent`, or that a killed process had noted (then `sent` is
    None). An app fails only by its instances.
    """
    for outcome in report:
        if outcome.status in {Status.NOT_ATTEMPTED, Status.CANCELLED}:
            findings.lost += 1
        elif outcome.status is Status.UNVERIFIED and sent is not None:
            findings.lost += outcome.key not in sent
        elif outcome.status is Status.FAILED:
            findings.lost += not isinstance(outcome.error, NotRunningError)
