"""Builds: how to begin them and how to wait for them."""

from __future__ import annotations

import pytest

from aioappsapi import DeadlineError, InvalidInputError
from aioappsapi.api.builds import Builds
from aioappsapi.errors import BuildFailedError
from tests.fakes import virtual
from tests.replay import Answer, Wire, reply
from tests.test_jobs import playing


def build(state: str, **fields: object) -> Answer:
    return reply({"guid": "b", "state": state, **fields})


def builds(*answers: Answer) -> tuple[Wire, Builds]:
    wire = Wire(playing(answers))
    return wire, Builds(wire.caller())


@virtual
async def test_a_build_is_polled_until_it_is_staged() -> None:
    wire, client = builds(
        build("STAGING"), build("STAGING"), build("STAGED", droplet={"guid": "d"})
    )
    begun = await client.create("package-1")
    staged = await client.wait(begun, deadline=60)
    assert staged.droplet is not None
    assert staged.droplet.guid == "d"
    assert [seen.target for seen in wire.seen] == ["/v3/builds", "/v3/builds/b", "/v3/builds/b"]


@pytest.mark.parametrize("error", ["StagingError - no buildpack", None])
@virtual
async def test_a_failed_build_raises_the_servers_reason(error: str | None) -> None:
    _, client = builds(build("FAILED", error=error))
    with pytest.raises(BuildFailedError) as caught:
        await client.wait("b")
    assert str(caught.value) == f"build b failed: {error or 'the server gives no reason'}"
    assert caught.value.guid == "b"


@virtual
async def test_a_build_that_outlasts_the_deadline_raises() -> None:
    _, client = builds(build("STAGING"))
    with pytest.raises(DeadlineError, match="not finished within 20 s; seen last: STAGING"):
        await client.wait("b", deadline=20)


@virtual
async def test_labels_are_checked_unless_validate_is_false() -> None:
    wire, client = builds(build("STAGING"))
    with pytest.raises(InvalidInputError, match="label"):
        await client.create("package-1", labels={"a b": "c"})
    assert wire.seen == []
    await client.create("package-1", labels={"a b": "c"}, validate=False)
    assert b'"a b":"c"' in wire.seen[0].body
