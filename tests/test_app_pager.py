"""Servers that lack a parameter: asked once, remembered, and worked around."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from aioappsapi import BadRequestError
from aioappsapi.api.apps import Apps
from aioappsapi.api.processes import Processes
from tests.replay import Answer, Seen, Wire, app_json, refusal, reply

OLD = "The query parameter is invalid: Unknown query parameter(s): '{}'. Valid parameters are: 'x'"
KORIFI = "The query parameter is invalid: Valid parameters are: 'names, guids'"


def page(*resources: object) -> Answer:
    return reply({"pagination": {"total_results": len(resources)}, "resources": resources})


def old_server(refused: str, said: str) -> Wire:
    """A server that refuses one parameter, with one app in one space of one organization."""

    async def answering(seen: Seen) -> Answer:
        parts = urlsplit(seen.target)
        if refused in parse_qs(parts.query):
            return refusal(400, "CF-BadQueryParameter", 10005, said)
        organization = {"organization": {"data": {"guid": "org-1"}}}
        return {
            "/v3/apps": page(app_json("app-1")),
            "/v3/spaces": page({"guid": "space-1", "name": "dev", "relationships": organization}),
            "/v3/organizations": page({"guid": "org-1", "name": "acme"}),
            "/v3/processes": page({"guid": "p-1", "type": "web", "instances": 2}),
            "/v3/processes/p-1/stats": reply(
                {"resources": [{"index": 0, "state": "RUNNING"}, {"index": 1, "state": "DOWN"}]}
            ),
        }[parts.path]

    return Wire(answering)


@pytest.mark.parametrize("said", [OLD.format("include"), KORIFI])
async def test_without_include_the_related_ones_are_fetched_apart(said: str) -> None:
    wire = old_server("include", said)
    apps = Apps(wire.caller())
    for _ in range(2):
        [app] = await apps.list(names=["a"], include=["space.organization"]).all()
        assert (app.space.name, app.organization.name) == ("dev", "acme")
    asked = [seen.target for seen in wire.seen]
    assert asked[0] == "/v3/apps?include=space.organization&names=a"
    # Refused once and remembered: each list then takes three requests.
    assert (
        asked[1:]
        == [
            "/v3/apps?names=a",
            "/v3/spaces?guids=space-1",
            "/v3/organizations?guids=org-1",
        ]
        * 2
    )


async def test_another_refusal_is_the_callers() -> None:
    wire = old_server("include", "The query parameter is invalid: Invalid included resource: 'x'")
    with pytest.raises(BadRequestError, match="Invalid included resource"):
        await Apps(wire.caller()).list(include=["space"]).all()
    assert len(wire.seen) == 1


async def test_without_embed_the_instances_are_asked_for_process_by_process() -> None:
    wire = old_server("embed", OLD.format("embed"))
    processes = Processes(wire.caller())
    for _ in range(2):
        pager = processes.list(app_guids=["app-1"], include=["instances"])
        [process] = await pager.all()
        assert isinstance(process.process_instances, list)
        assert [one.state for one in process.process_instances] == ["RUNNING", "DOWN"]
    assert [seen.target for seen in wire.seen] == [
        "/v3/processes?embed=process_instances&app_guids=app-1",
        *["/v3/processes?app_guids=app-1", "/v3/processes/p-1/stats"] * 2,
    ]
