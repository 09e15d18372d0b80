"""Runs under chaos that end early and are resumed: the reports are true.

A kill is played inside the process: the journal keeps what was on disk in that moment, perhaps with
half a line more, and everything else that the run knew is forgotten.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi import (
    Client,
    Limits,
    Outcome,
    PasswordGrant,
    Report,
    RetryPolicy,
    RunAbortedError,
    Status,
    report_of,
)
from aioappsapi.sandbox import Faults, Sandbox
from tests.fakes import run_virtual

APPS = 40
TORN = b'{"event":"ended","key":"'
DESCRIPTORS = Path("/proc/self/fd")


class BrokenError(Exception):
    """What a callback raises."""


@dataclass(frozen=True)
class End:
    """How a run ends: by itself, or by something at a moment, or at an outcome."""

    kind: str = "itself"
    after: float = 0.0
    outcomes: int = 0
    share: float = 0.1


faults = st.builds(
    replace,
    st.just(Faults.chaos()),
    crash_once=st.sampled_from([0.0, 0.1]),
    startup=st.sampled_from([0.0, 2.0, 20.0]),
    latency=st.sampled_from([0.0, 0.3]),
    repair_after=st.sampled_from([1.0, 30.0]),
    runner_unavailable=st.sampled_from([0.01, 0.1]),
    bad_gateway=st.sampled_from([0.0, 0.1]),
    unavailable=st.sampled_from([0.0, 0.1]),
    reset_before=st.sampled_from([0.0, 0.05]),
    reset_after=st.sampled_from([0.0, 0.05]),
    token_expired=st.sampled_from([0.0, 0.05]),
    truncated=st.sampled_from([0.0, 0.05]),
    garbage=st.sampled_from([0.0, 0.05]),
    drip=st.sampled_from([0.0, 0.1]),
    drip_pause=st.sampled_from([0.001, 1.0]),
    retry_after=st.sampled_from([0, 7]),
    rate_limited_for=st.sampled_from([0.0, 5.0]),
    rate_limit=st.sampled_from([None, 30]),
    max_per_app=st.sampled_from([2, 50]),
)
ends = st.builds(
    End,
    st.sampled_from(["itself", "deadline", "cancel", "kill", "tear", "raise", "failures", "stop"]),
    after=st.one_of(st.floats(0.001, 3.0), st.floats(3.0, 60.0)),
    outcomes=st.integers(1, APPS),
    share=st.sampled_from([0.01, 0.1, 0.5]),
)


def read(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


class Story:
    """Runs on one sandbox and one journal, and what holds after each of them."""

    def __init__(self, cloud: Sandbox, journal: Path, action: str, wait: str) -> None:
        self.cloud = cloud
        self.journal = journal
        self.action = action
        self.wait = wait
        self.guids = list(cloud.apps)

    async def go(self, end: End, *, concurrency: int, resume: bool) -> None:
        """Carry a run out to its end, whatever that is, and hold what it says against the truth."""
        loop = asyncio.get_running_loop()
        auth = PasswordGrant("admin", "admin")
        retry, limits = RetryPolicy(base=0.1, cap=2.0), Limits(concurrency=60)
        async with Client(self.cloud.url, auth=auth, proxy="", retry=retry, limits=limits) as cf:
            with suppress(Exception):  # chaos may keep us from logging in now; the run tries again
                await cf.log_in()
            before, began = len(self.cloud.requests), loop.time()
            told: list[Outcome[Any]] = []

            def on_outcome(outcome: Outcome[Any]) -> None:
                told.append(outcome)
                if end.kind == "raise" and len(told) == end.outcomes:
                    raise BrokenError

            run = cf.bulk.stream(
                self.action,  # type: ignore[arg-type]
                self.guids,
                wait=self.wait,  # type: ignore[typeddict-item]
                deadline=end.after if end.kind == "deadline" else 900.0,
                max_failures=end.share if end.kind == "failures" else None,
                concurrency=concurrency,
                journal=self.journal,
                resume=resume,
                on_outcome=on_outcome,
                crash_grace=5.0,
            )
            task = asyncio.create_task(run.run())
            report = await self._ended(task, run, end)
            taken = loop.time() - began
            assert taken <= (end.after if end.kind == "deadline" else 900.0) + 0.1
        await asyncio.sleep(60)  # what is on its way arrives, and what was torn is closed
        self.check(report, whole=end.kind in {"itself", "failures"}, before=before)
        keys = [outcome.key for outcome in told]
        assert len(keys) == len(set(keys)), "nobody is told of twice"

    async def _ended(self, task: asyncio.Task[None], run: Any, end: End) -> Report[Any]:
        if end.kind in {"cancel", "kill", "tear", "stop"}:
            await asyncio.wait([task], timeout=end.after)
            if end.kind == "stop":
                run.stop(grace=1.0)
            elif not task.done():
                kept = read(self.journal)
                task.cancel()
                await asyncio.wait([task])
                if end.kind != "cancel":
                    write(self.journal, kept + (TORN if end.kind == "tear" else b""))
        try:
            await task
        except asyncio.CancelledError as cancelled:
            found = report_of(cancelled)
            assert found is not None
            return found
        except RunAbortedError as aborted:
            assert end.kind == "raise"
            assert isinstance(aborted.__cause__, BrokenError)
            return aborted.report
        report: Report[Any] = run.report
        return report

    def check(self, report: Report[Any], *, whole: bool, before: int) -> None:
        """Hold a report against what the sandbox knows."""
        assert [outcome.key for outcome in report] == self.guids
        seen = list(self.cloud.requests)[before:]
        arrived = sum(request.path_qs.startswith("/v3/") for request in seen)
        if whole:
            assert report.requests.sent == arrived
        assert report.requests.sent >= arrived
        posts = Counter(r.path_qs for r in seen if r.method == "POST")
        for outcome in report:
            app = self.cloud.apps[outcome.key]
            assert app.applied["restart"] <= 1
            if outcome.done:
                assert app.state == ("STOPPED" if self.action == "stop" else "STARTED")
                if self.wait != "none" and self.action != "stop":
                    assert self.cloud.running(outcome.key)
            if outcome.status is Status.NOT_ATTEMPTED:
                assert not posts[f"/v3/apps/{outcome.key}/actions/{self.action}"]


def opened() -> int:
    """Count the open files and sockets, where that can be seen."""
    return len(list(DESCRIPTORS.iterdir())) if DESCRIPTORS.exists() else 0


async def told(
    action: str, profile: Faults, seed: int, wait: str, concurrency: int, endings: list[End]
) -> None:
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    before = opened()
    with TemporaryDirectory() as folder:
        async with Sandbox(APPS, seed=seed, faults=profile, clock=loop.time) as cloud:
            story = Story(cloud, Path(folder, "run.journal"), action, wait)
            for number, end in enumerate([*endings, End()]):
                await story.go(end, concurrency=concurrency, resume=number > 0)
    await asyncio.sleep(1)
    assert not complaints
    assert opened() == before


@settings(max_examples=int(os.environ.get("CHAOS_EXAMPLES", "30")), deadline=None)
@given(
    action=st.sampled_from(["start", "stop", "restart"]),
    profile=faults,
    seed=st.integers(0, 10_000),
    wait=st.sampled_from(["none", "any", "all"]),
    concurrency=st.sampled_from([1, 7, 60]),
    endings=st.lists(ends, min_size=1, max_size=3),
)
def test_every_outcome_is_true_however_the_run_ends(
    action: str, profile: Faults, seed: int, wait: str, concurrency: int, endings: list[End]
) -> None:
    run_virtual(told(action, profile, seed, wait, concurrency, endings))
