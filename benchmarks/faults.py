"""What becomes of runs when everything goes wrong.

Over real sockets to a sandbox that knows the truth: requests per app while a server answers 503
only, logins for a thousand refused tokens at once, restarts sent when an answer is lost, outcomes
that are wrong under chaos (on a virtual clock, because waiting takes minutes), apps that were
restarted twice, lost or wrongly called ok by runs that live several times with one journal, and the
time of a run under a rate limit against the ideal. Every figure has a bound; the exit status is 1
if one is passed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from collections import Counter
from typing import Any

from aioappsapi import Client, Limits, PasswordGrant, Report, RetryPolicy
from aioappsapi.sandbox import Faults, Sandbox
from tests.fakes import run_virtual
from tests.kills_and_resumes import Findings, kill_and_resume

SEEDS = 8  # each one round of chaos and some histories of several lives
LIVES_PER_SEED = 25
APPS = 1_000
QUICK = RetryPolicy(base=0.02, cap=0.2)


def client_of(cloud: Sandbox, **options: Any) -> Client:
    auth = PasswordGrant("admin", "admin")
    return Client(cloud.url, auth=auth, proxy="", limits=Limits(concurrency=1_000), **options)


async def dying_server() -> dict[str, float]:
    """Start a thousand apps where nothing but 503 comes."""
    faults = Faults(unavailable=1.0, reads=1.0, max_per_app=1_000_000)
    async with Sandbox(APPS, faults=faults) as cloud, client_of(cloud, retry=QUICK) as client:
        report = await client.bulk.start(list(cloud.apps))
        sent = sum(request.path_qs.startswith("/v3/") for request in cloud.requests)
    return {
        "requests per app under 100 % 503": sent / APPS,
        "apps without an outcome": APPS - report.counts["total"],
    }


async def refused_tokens() -> dict[str, float]:
    """Let a thousand calls meet an expired token at the same time."""
    async with Sandbox(APPS) as cloud, client_of(cloud) as client:
        await client.log_in()
        cloud.expire_tokens()
        before = cloud.logins
        await asyncio.gather(*map(client.apps.get, cloud.apps))
        return {"logins for 1,000 parallel 401s": cloud.logins - before}


async def lost_restart() -> dict[str, float]:
    """Restart an app through a gateway that loses every answer."""
    async with Sandbox(1, faults=Faults(bad_gateway=1.0)) as cloud, client_of(cloud) as client:
        await client.bulk.restart(list(cloud.apps))
        return {"POSTs for a restart that met a 502": cloud.count("POST", "/actions/restart")}


def wrong_outcomes(cloud: Sandbox, report: Report[Any], *, up: bool) -> int:
    """Count the apps that are called as asked and are not."""
    claimed = [outcome.key for outcome in report if outcome.done]
    if up:
        return sum(not cloud.running(key) for key in claimed)
    return sum(cloud.apps[key].state != "STOPPED" for key in claimed)


async def chaos(totals: Counter[str], seed: int) -> None:
    """Start, restart and stop everything, and count what is wrong."""
    clock = asyncio.get_running_loop().time
    async with Sandbox(APPS, seed=seed, faults=Faults.chaos(), clock=clock) as cloud:
        async with client_of(cloud, retry=QUICK) as client:
            await client.log_in()
            for action in ("start", "restart", "stop"):
                before = len(cloud.requests)
                run = getattr(client.bulk, action)
                report = await run(list(cloud.apps), wait="all", deadline=300, concurrency=100)
                seen = list(cloud.requests)[before:]
                sent = sum(request.path_qs.startswith("/v3/") for request in seen)
                totals["requests miscounted"] += abs(sent - report.requests.sent)
                totals["outcomes under chaos"] += len(report)
                wrong = wrong_outcomes(cloud, report, up=action != "stop")
                totals["outcomes wrong under chaos"] += wrong
        doubled = sum(app.applied["restart"] > 1 for app in cloud.apps.values())
        totals["restarts applied twice"] += doubled


def several_lives(seeds: int) -> dict[str, float]:
    """Let runs be killed, cancelled and resumed, and hold each of their reports to the truth."""
    verdicts: list[Findings] = []

    async def history(seed: int) -> None:
        verdicts.append(await kill_and_resume(seed))

    for seed in range(seeds * LIVES_PER_SEED):
        run_virtual(history(seed))
    return {
        "restarts applied twice in several lives": sum(one.twice for one in verdicts),
        "apps wrongly called ok in several lives": sum(one.false_ok for one in verdicts),
        "apps lost in several lives": sum(one.lost for one in verdicts),
    }


async def rate_limited() -> dict[str, float]:
    """Start four windows' worth of apps under a rate limit, alone.

    The end of a window is told in whole seconds, so windows have to be longer than a few.
    """
    limit, window, apps = 1_000, 30.0, 3_500
    faults = Faults(rate_limit=limit, rate_window=window)
    async with Sandbox(apps, faults=faults) as cloud, client_of(cloud) as client:
        await client.log_in()
        begun = time.monotonic()
        report = await client.bulk.start(list(cloud.apps))
        taken = time.monotonic() - begun
    requests = report.requests.sent
    ideal = (requests - 1) // limit * window
    refused = sum(request.status == 429 for request in cloud.requests)
    return {
        "time under a rate limit / ideal": taken / ideal,
        "apps lost under a rate limit": apps - report.counts["ok"],
        "429s met when alone": refused,
    }


BOUNDS = {
    "requests per app under 100 % 503": 1.5,
    "apps without an outcome": 0,
    "logins for 1,000 parallel 401s": 1,
    "POSTs for a restart that met a 502": 1,
    "outcomes wrong under chaos": 0,
    "restarts applied twice": 0,
    "requests miscounted": 0,
    "restarts applied twice in several lives": 0,
    "apps wrongly called ok in several lives": 0,
    "apps lost in several lives": 0,
    "time under a rate limit / ideal": 1.1,
    "apps lost under a rate limit": 0,
    "429s met when alone": 0,
}


async def single_figures() -> dict[str, float]:
    return await dying_server() | await refused_tokens() | await lost_restart()


def measure(seeds: int) -> dict[str, float]:
    totals: Counter[str] = Counter()
    for seed in range(seeds):
        run_virtual(chaos(totals, seed))
    return (
        asyncio.run(single_figures()) | totals | several_lives(seeds) | asyncio.run(rate_limited())
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="rounds of chaos (default: 8)")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    figures = {name: round(value, 3) for name, value in measure(options.seeds).items()}
    passed = {name: bound for name, bound in BOUNDS.items() if figures[name] > bound}
    print(json.dumps({"figures": figures, "bounds": BOUNDS, "passed": passed}, indent=1))
    return bool(passed)


if __name__ == "__main__":
    sys.exit(main())
