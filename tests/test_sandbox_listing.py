"""The sandbox's resources, lists and filters against the recordings of a real server."""

import json

from tests.sandbox_caller import (
    Caller,
    assert_same_headers,
    recorded,
    shape,
)


async def test_resources_match_the_shape_of_the_recordings(caller: Caller) -> None:
    world = caller.sandbox
    app = world.add_app("web-shop", labels={"env": "prod", "team": "payments"})
    app.annotations = {"contact": "shop@example.com"}
    app.buildpacks = ["python_buildpack"]
    app.space.organization.labels = {"tier": "gold"}
    app.space.organization.annotations = {"contact": "ops@example.com"}
    docker = world.add_app("docker-api", lifecycle="docker", labels={"env": "dev"})
    bare = world.add_app("bare", droplet=False)
    space, org = app.space.guid, app.space.organization.guid
    for path, name in (
        (f"/v3/apps/{app.guid}", "get-app__as-auditor"),
        (f"/v3/apps/{app.guid}/", "get-app__trailing-slash"),
        (f"/v3/apps/{app.guid}.json", "get-app__with-format-suffix"),
        (f"/v3/apps/{app.guid}?include=org", "get-app__include-org"),
        (f"/v3/apps/{app.guid}?include=space,space.organization", "get-app__include-both"),
        (f"/v3/apps/{docker.guid}", "get-app__docker"),
        (
            "/v3/apps?names=web-shop,docker-api&include=space.organization&per_page=1",
            "list-apps__page-with-filters-links",
        ),
        (f"/v3/spaces?guids={space}", "spaces__list-names"),
        (f"/v3/spaces?guids={space}&include=org", "spaces__list-include-org"),
        (f"/v3/organizations/{org}", "organizations__get"),
        (f"/v3/organizations?guids={org}", "organizations__list"),
        ("/v3", "root__v3"),
        ("/", "root__global"),
    ):
        body = await caller.get(path)
        assert shape(body) == shape(json.loads(recorded(name)["body"])), path
    no_droplet = (await caller.get(f"/v3/apps/{bare.guid}"))["relationships"]["current_droplet"]
    assert no_droplet == {"data": {"guid": None}}


async def test_pages_link_to_the_next_page_with_the_whole_query(caller: Caller) -> None:
    query = (
        "include=space.organization&order_by=name&per_page=5&label_selector=env%20in%20(prod,dev)"
    )
    first = await caller.get(f"/v3/apps?{query}")
    assert first["pagination"]["total_results"] == 8
    assert first["pagination"]["previous"] is None
    following = first["pagination"]["next"]["href"]
    assert following == (
        f"{caller.sandbox.url}/v3/apps?include=space.organization"
        "&label_selector=env+in+%28prod%2Cdev%29&order_by=%2Bname&page=2&per_page=5"
    )
    second = await caller.get(following.removeprefix(caller.sandbox.url))
    assert second["pagination"]["next"] is None
    assert [app["name"] for page in (first, second) for app in page["resources"]] == sorted(
        app.name for app in caller.sandbox.apps.values() if app.labels["env"] != "staging"
    )
    assert len(first["included"]["spaces"]) == len(
        {app["relationships"]["space"]["data"]["guid"] for app in first["resources"]}
    )
    beyond = await caller.get("/v3/apps?page=9")
    assert (beyond["resources"], beyond["pagination"]["total_results"]) == ([], 0)


async def test_links_are_escaped_as_recorded(caller: Caller) -> None:
    _, text, _ = await caller.ask("GET", "/v3/apps?updated_ats[lt]=2099-01-01T00:00:00Z&per_page=1")
    assert "?page=1\\u0026per_page=1\\u0026updated_ats%5Blt%5D=2099-01-01T00%3A00%3A00Z" in text


async def test_filters_select_and_order_apps(caller: Caller) -> None:
    sandbox = caller.sandbox
    one, two, three, *_ = sandbox.apps.values()
    one.labels, two.labels, three.labels = {"a": "x"}, {"a": "y", "b": "z"}, {}
    three.lifecycle, two.stack = "docker", "cflinuxfs3"
    two.state = "STARTED"
    those = f"guids={three.guid},{one.guid},{two.guid}"
    for query, expected in (
        ("", [one, two, three]),
        ("names=app-00002,app-00009", [two]),
        (f"space_guids={one.space.guid}", [one]),
        ("lifecycle_type=docker", [three]),
        ("stacks=cflinuxfs3", [two]),
        ("stacks=", []),
        ("label_selector=a", [one, two]),
        ("label_selector=!a", [three]),
        ("label_selector=a%3Dx", [one]),
        ("label_selector=a%3D%3Dx", [one]),
        ("label_selector=a!%3Dx", [two, three]),
        ("label_selector=a%20in%20(x,y),b", [two]),
        ("label_selector=a%20notin%20(x)", [two, three]),
        ("order_by=-name", [three, two, one]),
        ("created_ats[gt]=2026-01-01T00:00:01Z", [two, three]),
        ("created_ats[gte]=2026-01-01T00:00:02Z&created_ats[lt]=2026-01-01T00:00:03Z", [two]),
        ("created_ats=2026-01-01T00:00:01Z,2026-01-01T00:00:03Z", [one, three]),
        ("updated_ats[lte]=2026-01-01T00:00:01Z", [one]),
    ):
        names = await caller.names(f"{those}&{query}" if query else those)
        assert names == [app.name for app in expected], query
    one.stack = three.stack = None
    assert await caller.names(f"{those}&stacks=") == [one.name], "docker apps have no such data"
    assert await caller.names(f"{those}&stacks=,cflinuxfs3") == [one.name, two.name]
    assert (await caller.names(f"{those}&order_by=-state"))[-1] == two.name
    assert (await caller.names(f"{those}&order_by=state"))[0] == two.name


async def test_users_see_only_apps_of_their_spaces(caller: Caller) -> None:
    everything = await caller.names("")
    await caller.login("developer")
    assert 0 < len(await caller.names("")) < len(everything)
    assert len((await caller.get("/v3/organizations"))["resources"]) == 1
    await caller.login("outsider")
    assert await caller.names("") == []
    assert (await caller.get("/v3/spaces"))["resources"] == []


async def test_a_query_that_is_too_long_is_refused_without_a_content_type(caller: Caller) -> None:
    for length, expected in ((10_240, 200), (10_241, 400)):
        query = "names=" + "a" * (length - 6)
        status, _, response = await caller.ask("GET", f"/v3/apps?{query}")
        assert status == expected
    assert "Content-Type" not in response.headers


async def test_a_head_request_has_no_body_and_keeps_its_request_id(caller: Caller) -> None:
    given = {"X-Vcap-Request-Id": "my-request-id"}
    status, text, response = await caller.ask("HEAD", "/v3/apps?per_page=1", headers=given)
    assert (status, text) == (200, "")
    assert_same_headers(response, recorded("list-apps__head"))
    assert response.headers["x-vcap-request-id"].startswith("my-request-id::")
    assert caller.sandbox.requests[-1].request_id == response.headers["x-vcap-request-id"]
