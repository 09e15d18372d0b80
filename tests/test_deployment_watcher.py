"""Deployments are judged by polls; the API is a fake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from aioappsapi import DeploymentFailedError, NotRunningError, PlacementError
from aioappsapi.models import (
    AppOwned,
    Deployment,
    DeploymentStatus,
    InstanceStats,
    Metadata,
    Process,
    ProcessInstance,
    Ref,
    Relationship,
)
from aioappsapi.models.deployment import DeployedProcess, StatusDetails
from aioappsapi.models.process import ProcessRelationships
from aioappsapi.waiting.deployment_watcher import DeploymentWatcher
from aioappsapi.waiting.finding import Finding, Proof
from aioappsapi.waiting.follower import LABEL
from aioappsapi.waiting.readers import Readers
from tests.fakes import FakeTransport, caller, virtual

Status = tuple[str, str]
ACTIVE, DEPLOYED = ("ACTIVE", "DEPLOYING"), ("FINALIZED", "DEPLOYED")


class Cloud:
    """Deployments and processes of apps, as functions of the seconds since the beginning."""

    def __init__(self) -> None:
        self.zero = asyncio.get_running_loop().time()
        self.status: Callable[[float], Status] = lambda now: ACTIVE if now < 5 else DEPLOYED
        self.processes: Callable[[str, float], list[Process]] = lambda key, now: [process(key)]
        self.stats: list[InstanceStats] = []
        self.requests: list[str] = []
        self.cancelled_at: float | None = None
        self.readers = Readers(
            caller=caller(FakeTransport()),
            apps=SimpleNamespace(list=self._no_apps),  # type: ignore[arg-type]
            processes=SimpleNamespace(list=self._processes, get_stats=self._stats),  # type: ignore[arg-type]
            events=SimpleNamespace(list=self._no_events),  # type: ignore[arg-type]
        )

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time() - self.zero

    def watcher(self, wait: Any = "none", **options: Any) -> DeploymentWatcher:
        how: dict[str, Any] = {"patience": 120.0, "crash_grace": 20.0} | options
        return DeploymentWatcher(self.readers, self, wait, **how)

    async def list(
        self, *, app_guids: Sequence[str], status_values: Sequence[str] | None, per_page: int
    ) -> AsyncIterator[Deployment]:
        self.requests.append("deployments")
        value, reason = self.status(self.now)
        if self.cancelled_at is not None:
            value, reason = "FINALIZED", "CANCELED"
        if status_values is None or value in status_values:
            for key in app_guids:
                yield deployment(key, value, reason)

    async def cancel(self, guid: str) -> None:
        self.requests.append("cancel")
        self.cancelled_at = self.now

    async def continue_(self, guid: str) -> None:
        self.requests.append("continue")

    async def _processes(self, *, app_guids: Sequence[str], **_: Any) -> AsyncIterator[Process]:
        self.requests.append("processes")
        for key in app_guids:
            for one in self.processes(key, self.now):
                yield one

    async def _stats(self, guid: str) -> Sequence[InstanceStats]:
        self.requests.append("stats")
        return self.stats

    async def _no_apps(self, **_: Any) -> AsyncIterator[Any]:
        for one in ():
            yield one

    def _no_events(self, **_: Any) -> Any:
        async def first() -> None:
            return None

        return SimpleNamespace(first=first)


def deployment(key: str, value: str, reason: str) -> Deployment:
    return Deployment(
        guid=f"d-{key}",
        status=DeploymentStatus(
            value=value,
            reason=reason,
            details=StatusDetails(last_successful_healthcheck=datetime(2026, 1, 1, tzinfo=UTC)),
        ),
        new_processes=[DeployedProcess(guid=f"new-{key}", type="web")],
        relationships=AppOwned(app=Relationship(data=Ref(guid=key))),
        metadata=Metadata(labels={LABEL: f"name-{key}"}),
    )


def process(
    key: str, *states: str, type_: str = "web", guid: str | None = None, since: int = 1
) -> Process:
    states = states or ("RUNNING",)
    return Process(
        guid=guid or f"new-{key}",
        type=type_,
        instances=len(states),
        process_instances=[
            ProcessInstance(index=n, state=state, since=since) for n, state in enumerate(states)
        ],
        relationships=ProcessRelationships(app=Relationship(data=Ref(guid=key))),
    )


async def watched(watcher: DeploymentWatcher, cloud: Cloud, *keys: str) -> list[Finding]:
    findings: list[Finding] = []
    for key in keys:
        watcher.watch(
            key, f"restart {key}", made=f"name-{key}", sent_at=asyncio.get_running_loop().time()
        )
    watcher.complete()
    await watcher.run(findings.append)
    return findings


@virtual
async def test_one_list_request_per_poll_follows_200_deployments() -> None:
    cloud = Cloud()
    cloud.status = lambda now: ACTIVE if now < 4 else DEPLOYED
    keys = [f"a-{number}" for number in range(400)]
    findings = await watched(cloud.watcher(), cloud, *keys)
    assert {finding.proof for finding in findings} == {Proof.PROVED}
    assert {finding.made for finding in findings} == {f"d-{key}" for key in keys}
    # Three or four polls of two batches, and one list of those that ended.
    assert cloud.requests.count("deployments") <= 2 * 5
    assert "processes" not in cloud.requests


@virtual
async def test_other_processes_are_waited_for_after_deployed() -> None:
    cloud = Cloud()

    def processes(key: str, now: float) -> list[Process]:
        # The old worker instance still shows for a while, then its successor comes up.
        if now < 10:
            worker = process(key, "RUNNING", type_="worker", guid="w", since=500)
        else:
            worker = process(key, "STARTING" if now < 30 else "RUNNING", type_="worker", guid="w")
        return [process(key), worker]

    cloud.processes = processes
    (finding,) = await watched(cloud.watcher("all"), cloud, "a")
    assert finding.proof is Proof.PROVED
    assert cloud.now >= 30


@virtual
async def test_new_instances_that_never_get_requests_fail_and_are_cancelled() -> None:
    cloud = Cloud()
    cloud.status = lambda now: ACTIVE
    cloud.stats = [InstanceStats(index=0, state="RUNNING", routable=False)]
    (finding,) = await watched(cloud.watcher(), cloud, "a")
    assert finding.proof is Proof.DISPROVED
    assert isinstance(finding.error, NotRunningError)
    assert "not ready for requests" in str(finding.error)
    assert "the old instances run again" in str(finding.error)
    assert cloud.requests.count("cancel") == 1


@virtual
async def test_new_instances_without_a_cell_fail_with_the_servers_reason() -> None:
    cloud = Cloud()
    cloud.status = lambda now: ACTIVE
    cloud.processes = lambda key, now: [
        process(key, "DOWN" if cloud.cancelled_at is None else "RUNNING")
    ]
    cloud.stats = [InstanceStats(index=0, state="DOWN", details="insufficient resources: memory")]
    (finding,) = await watched(cloud.watcher(), cloud, "a")
    assert isinstance(finding.error, PlacementError)
    assert "insufficient resources: memory" in str(finding.error)


@virtual
async def test_after_a_cancel_old_instances_that_stay_down_are_reported() -> None:
    cloud = Cloud()
    cloud.status = lambda now: ACTIVE
    cloud.processes = lambda key, now: [process(key, "CRASHED", since=int(now))]
    (finding,) = await watched(cloud.watcher(), cloud, "a")
    assert finding.proof is Proof.DISPROVED
    assert "was cancelled. Old instances:" in str(finding.error)


@virtual
async def test_instances_that_are_unroutable_for_a_moment_do_not_fail() -> None:
    cloud = Cloud()
    cloud.status = lambda now: ACTIVE if now < 12 else DEPLOYED
    cloud.stats = [InstanceStats(index=0, state="RUNNING", routable=False)]
    (finding,) = await watched(cloud.watcher(), cloud, "a")
    assert finding.proof is Proof.PROVED
    assert "cancel" not in cloud.requests


@virtual
async def test_a_missing_deployment_means_that_the_app_was_deleted() -> None:
    cloud = Cloud()
    cloud.status = lambda now: ("GONE", "GONE")
    watcher = cloud.watcher()
    findings: list[Finding] = []
    watcher.watch("a", "restart a", made="another", sent_at=0.0)
    watcher.complete()
    await watcher.run(findings.append)
    assert isinstance(findings[0].error, DeploymentFailedError)
    assert "the app was deleted" in str(findings[0].error)


@virtual
async def test_a_lost_answer_without_a_deployment_is_unproved_with_its_own_error() -> None:
    cloud = Cloud()
    doubt = NotRunningError("lost")
    watcher = cloud.watcher()
    findings: list[Finding] = []
    watcher.watch("a", "restart a", made="another", sent_at=0.0, doubt=doubt)
    watcher.complete()
    await watcher.run(findings.append)
    assert findings[0].proof is Proof.UNPROVED
    assert findings[0].error is doubt
