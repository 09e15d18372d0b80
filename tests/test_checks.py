"""The checks refuse only values that the server would refuse."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

import pytest

from aioappsapi import InvalidInputError
from aioappsapi.api.apps import Apps
from aioappsapi.models import Lifecycle, LifecycleData
from tests.replay import Answer, Seen, Wire, app_json, reply

SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))


def accepting() -> Wire:
    async def answering(seen: Seen) -> Answer:
        return reply(app_json("app-1") if seen.path != "/v3/apps" or seen.body else PAGE)

    return Wire(answering)


PAGE: dict[str, object] = {"pagination": {}, "resources": []}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": ""}, "name is empty"),
        ({"name": "x" * 256}, "256 characters"),
        ({"labels": {"bad key!": "v"}}, "label key 'bad key!'"),
        ({"labels": {"a": "has space"}}, "label 'a' has the value 'has space'"),
        ({"labels": {"a": "v" * 64}}, "at most 63"),
        ({"labels": {"cloudfoundry.org/x": "v"}}, "reserved"),
        ({"labels": {"-.bad/x": "v"}}, "no DNS name"),
        ({"annotations": {"a": "v" * 5001}}, "5,000"),
        ({"lifecycle": Lifecycle(type="bogus")}, "lifecycle type='bogus'"),
        ({"environment_variables": {"PORT": "1"}}, "'PORT'"),
        ({"environment_variables": {"VCAP_FOO": "1"}}, "'VCAP_FOO'"),
        ({"environment_variables": {"": "1"}}, "empty name"),
    ],
)
async def test_an_app_that_the_server_would_refuse_is_refused_before_a_request(
    arguments: dict[str, Any], said: str
) -> None:
    wire = accepting()
    given = {"name": "web"} | arguments
    with pytest.raises(InvalidInputError, match=said):
        await Apps(wire.caller()).create(given.pop("name"), "space-1", **given)
    assert wire.seen == []
    given = {"name": "web"} | arguments
    await Apps(wire.caller()).create(given.pop("name"), "space-1", **given, validate=False)
    assert len(wire.seen) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"include": ["space", "space"]}, "twice"),
        ({"include": ["droplet"]}, "'droplet'"),
        ({"order_by": "memory"}, "order_by='memory'"),
        ({"lifecycle_type": "bogus"}, "lifecycle_type='bogus'"),
        ({"per_page": 6000}, "per_page=6000"),
        ({"created_ats": datetime(2026, 1, 1)}, "time zone"),  # noqa: DTZ001
        ({"created_ats": {"after": SINCE}}, "'after'"),
        ({"names": "web"}, "give a list"),
    ],
)
async def test_a_list_that_the_server_would_refuse_is_refused_before_a_request(
    arguments: dict[str, Any], said: str
) -> None:
    wire = accepting()
    with pytest.raises(InvalidInputError, match=said):
        Apps(wire.caller()).list(**arguments)
    assert wire.seen == []


async def test_every_filter_is_sent_in_the_form_of_the_api() -> None:
    wire = accepting()
    pager = Apps(wire.caller()).list(
        guids=["g1", "g2"],
        names=["a b", "ü"],
        stacks=["cflinuxfs4"],
        lifecycle_type="cnb",
        label_selector="env in (prod,dev),!old",
        created_ats={"gte": SINCE, "lt": datetime(2026, 2, 1, tzinfo=UTC)},
        updated_ats=[SINCE],
        order_by="-updated_at",
        include=["space", "space.organization"],
        per_page=5000,
        page=3,
    )
    assert await pager.all() == []
    query = dict(part.split("=", 1) for part in wire.seen[0].target.partition("?")[2].split("&"))
    assert {unquote(name): unquote(value) for name, value in query.items()} == {
        "guids": "g1,g2",
        "names": "a b,ü",
        "stacks": "cflinuxfs4",
        "lifecycle_type": "cnb",
        "label_selector": "env in (prod,dev),!old",
        "created_ats[gte]": "2026-01-02T01:04:05Z",
        "created_ats[lt]": "2026-02-01T00:00:00Z",
        "updated_ats": "2026-01-02T01:04:05Z",
        "order_by": "-updated_at",
        "include": "space,space.organization",
        "per_page": "5000",
        "page": "3",
    }
    assert query["guids"] == "g1,g2"


async def test_bodies_hold_only_the_given_fields() -> None:
    wire = accepting()
    apps = Apps(wire.caller())
    await apps.create("web", "space-1", lifecycle=Lifecycle(type="docker"))
    credentials: dict[str, object] = {"registry.example.com": {"token": "t0ken"}}
    cnb = LifecycleData(buildpacks=["docker://x"], stack="s", credentials=credentials)
    await apps.create("web", "space-1", lifecycle=Lifecycle(type="cnb", data=cnb))
    await apps.update("app-1", labels={"env": None}, annotations={"a": "b"})
    await apps.update_environment_variables("app-1", {"A": "1", "B": None})
    bodies = [json.loads(seen.body) for seen in wire.seen]
    space = {"space": {"data": {"guid": "space-1"}}}
    assert bodies == [
        {"name": "web", "relationships": space, "lifecycle": {"type": "docker", "data": {}}},
        {
            "name": "web",
            "relationships": space,
            "lifecycle": {
                "type": "cnb",
                "data": {"buildpacks": ["docker://x"], "stack": "s", "credentials": credentials},
            },
        },
        {"metadata": {"labels": {"env": None}, "annotations": {"a": "b"}}},
        {"var": {"A": "1", "B": None}},
    ]
    assert "t0ken" not in repr(cnb)


async def test_a_variable_that_is_not_a_string_is_named_without_its_value() -> None:
    wire = accepting()
    variables: dict[str, Any] = {"SECRET": 987654}
    with pytest.raises(InvalidInputError, match="'SECRET' is not a string") as caught:
        await Apps(wire.caller()).update_environment_variables("app-1", variables)
    assert "987654" not in str(caught.value)
