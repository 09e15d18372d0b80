"""Deployments: their requests, and how to wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from aioappsapi import DeadlineError, InvalidInputError, NotFoundError
from aioappsapi.api.deployments import Deployments
from aioappsapi.errors import DeploymentFailedError
from tests.fakes import virtual
from tests.replay import Answer, Wire, refusal, reply
from tests.test_jobs import playing


def deployment(value: str, reason: str, error: str | None = None) -> Answer:
    status = {"value": value, "reason": reason, "details": {"error": error}}
    return reply({"guid": "d", "status": status, "strategy": "rolling"})


DEPLOYING = deployment("ACTIVE", "DEPLOYING")


def deployments(answers: Sequence[Answer | Exception]) -> tuple[Wire, Deployments]:
    wire = Wire(playing(answers))
    return wire, Deployments(wire.caller())


@virtual
async def test_a_deployment_is_polled_until_it_is_deployed() -> None:
    wire, client = deployments([DEPLOYING] * 3 + [deployment("FINALIZED", "DEPLOYED")])
    ended = await client.wait("d", deadline=60)
    assert ended.status.reason == "DEPLOYED"
    assert [seen.target for seen in wire.seen] == ["/v3/deployments/d"] * 4


@virtual
async def test_the_answer_of_create_can_be_waited_for() -> None:
    wire, client = deployments([DEPLOYING, deployment("FINALIZED", "DEPLOYED")])
    begun = await client.create("app-1", strategy="rolling")
    assert (await client.wait(begun)).status.value == "FINALIZED"
    assert [seen.method for seen in wire.seen] == ["POST", "GET"]


@virtual
async def test_a_canary_that_pauses_ends_the_wait() -> None:
    _, client = deployments([DEPLOYING, deployment("ACTIVE", "PAUSED")])
    assert (await client.wait("d")).status.reason == "PAUSED"


@pytest.mark.parametrize("reason", ["CANCELED", "SUPERSEDED"])
@virtual
async def test_a_deployment_that_ended_otherwise_is_an_error(reason: str) -> None:
    _, client = deployments([DEPLOYING, deployment("FINALIZED", reason)])
    with pytest.raises(
        DeploymentFailedError, match=f"deployment d is not deployed: .*{reason}"
    ) as c:
        await client.wait("d")
    assert (c.value.guid, c.value.reason) == ("d", reason)


@virtual
async def test_an_error_of_a_running_deployment_is_shown_only_at_the_deadline() -> None:
    stuck = deployment("ACTIVE", "DEPLOYING", "InstancesUnavailable")
    _, client = deployments([stuck, DEPLOYING, deployment("FINALIZED", "DEPLOYED")])
    assert (await client.wait("d")).status.reason == "DEPLOYED"
    wire, client = deployments([stuck])
    with pytest.raises(DeadlineError) as caught:
        await client.wait("d", deadline=30)
    assert str(caught.value) == (
        "wait for deployment d: not finished within 30 s; "
        "seen last: ACTIVE DEPLOYING (InstancesUnavailable)."
    )
    assert len(wire.seen) < 12, "the pauses grow"


@virtual
async def test_a_deployment_that_was_deleted_with_its_app_is_not_found() -> None:
    gone = refusal(404, "CF-ResourceNotFound", 10010, "Deployment not found")
    _, client = deployments([DEPLOYING, gone])
    with pytest.raises(NotFoundError):
        await client.wait("d")


@pytest.mark.parametrize(
    "wrong",
    [
        {"strategy": "blue-green"},
        {"max_in_flight": 0},
        {"droplet_guid": "d", "revision_guid": "r"},
    ],
)
@virtual
async def test_invalid_options_are_sent_only_without_validation(
    wrong: dict[str, Any],
) -> None:
    wire, client = deployments([DEPLOYING])
    with pytest.raises(InvalidInputError):
        await client.create("app-1", **wrong)
    assert wire.seen == []
    await client.create("app-1", **wrong, validate=False)
    assert len(wire.seen) == 1
