"""Processes and their instances, from servers that embed instances and from others."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from aioappsapi import InvalidInputError, NotFoundError
from aioappsapi.api.processes import Processes
from tests.replay import Answer, Seen, Wire, refusal, reply
from tests.test_app_pager import OLD, old_server

STATS = reply({"resources": [{"index": 0, "state": "RUNNING"}]})


async def test_each_process_is_read_separately_if_embed_is_unknown() -> None:
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


def pages_of_processes(*, refuses_from: int) -> Wire:
    """Two pages of one process each; `embed` is refused from the n-th request for a page on."""
    asked = 0

    async def answering(seen: Seen) -> Answer:
        nonlocal asked
        if seen.path.endswith("/stats"):
            return STATS
        asked += "embed" in seen.target
        if "embed" in seen.target and asked >= refuses_from:
            return refusal(400, "CF-BadQueryParameter", 10005, OLD.format("embed"))
        number = 2 if "page=2" in seen.target else 1
        process: dict[str, object] = {"guid": f"p-{number}", "type": "web", "instances": 1}
        if "embed" in seen.target:
            process["process_instances"] = [{"index": 0, "state": "RUNNING"}]
        embed = "embed=process_instances&" if "embed" in seen.target else ""
        link = {"href": f"/v3/processes?{embed}page=2&app_guids=a%2Cb"}
        pagination = {"next": link if number == 1 else None}
        return reply({"pagination": pagination, "resources": [process]})

    return Wire(answering)


@pytest.mark.parametrize("refuses_from", [1, 2, 3])
async def test_every_page_has_instances_wherever_the_server_refuses_to_embed(
    refuses_from: int,
) -> None:
    wire = pages_of_processes(refuses_from=refuses_from)
    pager = Processes(wire.caller()).list(app_guids=["a", "b"], include=["instances"])
    found = await pager.all()
    assert [process.guid for process in found] == ["p-1", "p-2"]
    for process in found:
        assert isinstance(process.process_instances, list)
        assert [one.state for one in process.process_instances] == ["RUNNING"]
    if refuses_from == 2:
        assert wire.seen[2].target == "/v3/processes?page=2&app_guids=a,b"


async def test_without_include_instances_are_unset() -> None:
    wire = pages_of_processes(refuses_from=1)
    [process, _] = await Processes(wire.caller()).list(app_guids=["a"]).all()
    assert process.process_instances is msgspec.UNSET


async def test_an_unknown_include_is_refused() -> None:
    wire = pages_of_processes(refuses_from=1)
    with pytest.raises(InvalidInputError, match="'instances'"):
        Processes(wire.caller()).list(include=["app"])


async def test_the_processes_of_one_app_are_a_pager_with_its_guid_in_the_path() -> None:
    async def answering(seen: Seen) -> Answer:
        if "page=2" in seen.target:
            return refusal(404, "CF-ResourceNotFound", 10010, "App not found")
        link = {"href": "/v3/apps/app-1/processes?page=2"}
        process = {"guid": "p-1", "type": "web"}
        return reply({"pagination": {"next": link}, "resources": [process]})

    wire = Wire(answering)
    with pytest.raises(NotFoundError, match="list processes of app app-1"):
        await Processes(wire.caller()).list_for_app("app-1", per_page=1).all()
    assert [seen.target for seen in wire.seen] == [
        "/v3/apps/app-1/processes?per_page=1",
        "/v3/apps/app-1/processes?page=2",
    ]


async def test_stats_are_fetched_by_process_or_by_app_and_type() -> None:
    async def answering(seen: Seen) -> Answer:
        return STATS

    wire = Wire(answering)
    processes = Processes(wire.caller())
    await processes.get_stats("p-1")
    await processes.get_stats(app_guid="app-1")
    [instance] = await processes.get_stats(app_guid="app-1", type="worker")
    assert instance.state == "RUNNING"
    assert [seen.target for seen in wire.seen] == [
        "/v3/processes/p-1/stats",
        "/v3/apps/app-1/processes/web/stats",
        "/v3/apps/app-1/processes/worker/stats",
    ]


@pytest.mark.parametrize("wrong", [{}, {"guid": "p", "app_guid": "a"}])
async def test_stats_need_one_guid(wrong: dict[str, Any]) -> None:
    wire = pages_of_processes(refuses_from=1)
    with pytest.raises(TypeError, match="get_stats takes"):
        await Processes(wire.caller()).get_stats(**wrong)
    assert wire.seen == []


async def test_a_scale_is_checked_unless_validate_is_false() -> None:
    async def answering(seen: Seen) -> Answer:
        return reply({"guid": "p-1"})

    wire = Wire(answering)
    processes = Processes(wire.caller())
    with pytest.raises(InvalidInputError, match="0 or more"):
        await processes.scale("p-1", instances=-1)
    assert wire.seen == []
    await processes.scale("p-1", instances=-1, memory_in_mb=64, validate=False)
    assert wire.seen[0].body == b'{"instances":-1,"memory_in_mb":64}'
