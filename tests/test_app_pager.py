"""Apps with their spaces and organizations, also from servers that do not know `include`."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from aioappsapi import BadRequestError, NotIncludedError
from aioappsapi.api.apps import Apps
from tests.replay import Answer, Seen, Server, Wire, app_json, recording, refusal, reply

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
async def test_related_resources_are_fetched_separately_if_include_is_unknown(said: str) -> None:
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


async def test_a_refusal_for_another_reason_is_raised() -> None:
    wire = old_server("include", "The query parameter is invalid: Invalid included resource: 'x'")
    with pytest.raises(BadRequestError, match="Invalid included resource"):
        await Apps(wire.caller()).list(include=["space"]).all()
    assert len(wire.seen) == 1


# -- organizations without their spaces


def two_organizations() -> Wire:
    """A server with one app in each of two organizations, which ``include=org`` brings along."""

    async def answering(seen: Seen) -> Answer:
        parts = urlsplit(seen.target)
        if parts.path == "/v3/spaces":
            return page(space("space-1", "org-1"), space("space-2", "org-2"))
        organizations = [{"guid": "org-1", "name": "acme"}, {"guid": "org-2", "name": "bits"}]
        apps = [of_space("app-1", "space-1"), of_space("app-2", "space-2")]
        if "per_page=1" in parts.query:
            apps, organizations = apps[:1], organizations[:1]
        return reply(
            {
                "pagination": {"next": None},
                "resources": apps,
                "included": {"organizations": organizations},
            }
        )

    return Wire(answering)


def space(guid: str, organization: str) -> dict[str, object]:
    relationships = {"organization": {"data": {"guid": organization}}}
    return {"guid": guid, "name": f"name of {guid}", "relationships": relationships}


def of_space(guid: str, space: str) -> dict[str, object]:
    return app_json(guid, relationships={"space": {"data": {"guid": space}}})


async def test_include_org_fills_the_organization_of_each_app() -> None:
    wire = two_organizations()
    apps = await Apps(wire.caller()).list(include=["org"]).all()
    assert [app.organization.name for app in apps] == ["acme", "bits"]
    assert [seen.target for seen in wire.seen] == [
        "/v3/apps?include=org",
        "/v3/spaces?guids=space-1,space-2",
    ]


async def test_a_single_organization_takes_no_extra_request() -> None:
    wire = two_organizations()
    app = await Apps(wire.caller()).list(include=["org"]).first()
    assert app is not None
    assert app.organization.name == "acme"
    assert len(wire.seen) == 1


async def test_organizations_are_fetched_separately_if_include_is_unknown() -> None:
    wire = old_server("include", KORIFI)
    [app] = await Apps(wire.caller()).list(include=["org"]).all()
    assert app.organization.name == "acme"


async def test_one_app_gets_its_organization_from_include_org() -> None:
    async def answering(seen: Seen) -> Answer:
        included = {"organizations": [{"guid": "org-1", "name": "acme"}]}
        return reply({**app_json("app-1"), "included": included})

    wire = Wire(answering)
    app = await Apps(wire.caller()).get("app-1", include=["org"])
    assert app.organization.name == "acme"
    assert [seen.target for seen in wire.seen] == ["/v3/apps/app-1?include=org"]


# -- related resources that came along


async def test_included_space_and_organization_are_joined() -> None:
    one = recording("list-apps__include-space.organization")
    async with Server(lambda _: _answer(one.answer)) as server, server.client() as client:
        app = await client.apps.list(include=["space.organization"]).first()
    assert app is not None
    data = one.json
    assert app.space.guid == data["resources"][0]["relationships"]["space"]["data"]["guid"]
    assert app.space.name == data["included"]["spaces"][0]["name"]
    assert app.organization.name == data["included"]["organizations"][0]["name"]
    assert app.space.relationships.organization.guid == app.organization.guid


async def _answer(answer: Answer) -> Answer:
    return answer


async def test_each_app_gets_its_own_space() -> None:
    def of(guid: str, space: str) -> dict[str, object]:
        return app_json(guid, relationships={"space": {"data": {"guid": space}}})

    body = {
        "pagination": {"next": None},
        "resources": [of("a", "s2"), of("b", "s1"), of("c", "s2"), of("d", "unknown")],
        "included": {
            "spaces": [
                {"guid": "s1", "name": "one", "relationships": {}},
                {
                    "guid": "s2",
                    "name": "two",
                    "relationships": {"organization": {"data": {"guid": "o"}}},
                },
            ],
            "organizations": [{"guid": "o", "name": "org"}],
        },
    }
    apps = Apps(Wire(lambda _: _answer(reply(body))).caller())
    a, b, c, d = await apps.list(include=["space.organization"]).all()
    assert (a.space.name, b.space.name, c.space.name) == ("two", "one", "two")
    assert a.organization.name == "org"
    with pytest.raises(NotIncludedError):
        _ = b.organization
    with pytest.raises(NotIncludedError):
        _ = d.space


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("space", "The space was not included: ask for it with include=['space']."),
        (
            "organization",
            "The organization was not included: ask for it with include=['space.organization'].",
        ),
    ],
)
async def test_a_resource_that_was_not_included_says_how_to_get_it(name: str, text: str) -> None:
    apps = Apps(Wire(lambda _: _answer(page(app_json("a")))).caller())
    (app,) = await apps.list().all()
    with pytest.raises(NotIncludedError) as caught:
        getattr(app, name)
    assert str(caught.value) == text
    assert not hasattr(app, name)
