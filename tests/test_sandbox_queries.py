"""Rules of the server for queries that were not recorded, one per test."""

import pytest

from tests.sandbox_caller import Caller

PROBLEMS = "The query parameter is invalid: "


async def detail_of(caller: Caller, path: str) -> str:
    _, error = await caller.change("GET", path)
    return str(error["detail"]).removeprefix(PROBLEMS)


async def test_the_selector_is_checked_before_unknown_parameters(caller: Caller) -> None:
    detail = await detail_of(caller, "/v3/builds?bogus=1&label_selector=a%20b")

    assert detail.startswith("Invalid label_selector value, Unknown query parameter(s): 'bogus'.")


async def test_creation_is_checked_before_the_update_in_whatever_order_they_come(
    caller: Caller,
) -> None:
    detail = await detail_of(caller, "/v3/apps?updated_ats=x&created_ats=y")

    assert detail.startswith("Created ats has an invalid timestamp")


@pytest.mark.parametrize("name", ["guids", "names", "space_guids"])
async def test_a_filter_without_operators_must_be_an_array(caller: Caller, name: str) -> None:
    detail = await detail_of(caller, f"/v3/apps?{name}[not]=x")

    assert detail == f"{name.replace('_', ' ').capitalize()} must be an array"


async def test_a_day_that_does_not_exist_passes_the_check_and_ends_in_an_unknown_error(
    caller: Caller,
) -> None:
    status, error = await caller.change("GET", "/v3/apps?created_ats[lt]=2026-13-01T00:00:00Z")

    assert (status, error["title"]) == (500, "UnknownError")


async def test_the_last_row_of_a_page_has_a_maximum(caller: Caller) -> None:
    detail = await detail_of(caller, f"/v3/apps?page={2**63}")

    assert detail == f"Maximum result (page * per_page) must be less than {2**63 - 1}"


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("stacks?default=yes", "Default must be 'true' or 'false'"),
        ("buildpacks?lifecycle=docker", 'Lifecycle must be either "buildpack" or "cnb"'),
        ("apps/{app}/revisions?deployable=true", "Deployable must be a boolean"),
        (
            "processes/{app}?x[y]=1",
            "Unknown query parameter(s): 'x'. Valid parameters are: 'embed'",
        ),
        (
            "builds?lifecycle_type=x",
            (
                "Unknown query parameter(s): 'lifecycle_type'. Valid parameters are: 'page', "
                "'per_page', 'order_by', 'created_ats', 'updated_ats', 'guids', 'app_guids', "
                "'package_guids', 'states', 'label_selector'"
            ),
        ),
    ],
)
async def test_a_list_checks_its_own_parameters_and_no_others(
    caller: Caller, path: str, detail: str
) -> None:
    app = next(iter(caller.sandbox.apps))

    assert await detail_of(caller, f"/v3/{path.format(app=app)}") == detail


async def test_the_selector_of_routes_is_not_checked(caller: Caller) -> None:
    routes = await caller.get("/v3/routes?label_selector=x/y/z")
    status, _ = await caller.change("GET", "/v3/routes?label_selector=a%20b")

    assert (routes["resources"], status) == ([], 500)


@pytest.mark.parametrize(
    "path",
    [
        "apps/none/revisions",
        "apps/none/revisions/deployed",
        "apps/none/routes",
        "apps/none/sidecars",
        "organizations/none/users",
        "spaces/none/users",
    ],
)
async def test_the_query_is_checked_before_the_resource_is_looked_up(
    caller: Caller, path: str
) -> None:
    detail = await detail_of(caller, f"/v3/{path}?page=0")

    assert detail == "Page must be a positive integer"


async def test_the_destinations_of_a_route_are_filtered(caller: Caller) -> None:
    route = next(iter((await caller.get("/v3/routes"))["resources"]))
    at = f"/v3/routes/{route['guid']}/destinations"
    [destination] = (await caller.get(at))["destinations"]

    assert (await caller.get(f"{at}?guids={destination['guid']},x"))["destinations"]
    assert (await caller.get(f"{at}?app_guids=x"))["destinations"] == []
    assert (await caller.change("GET", f"{at}?page=1"))[0] == 422


async def test_usage_events_begin_after_an_event_that_exists(caller: Caller) -> None:
    _, error = await caller.change("GET", "/v3/app_usage_events?after_guid=x")

    assert error["detail"] == "After guid filter must be a valid app usage event guid."


@pytest.mark.parametrize(("order", "reverse"), [("updated_at", False), ("-updated_at", True)])
async def test_rows_of_the_same_moment_are_ordered_by_guid_in_the_same_direction(
    caller: Caller, order: str, reverse: bool
) -> None:
    for app in caller.sandbox.apps.values():
        app.updated_at = "2026-01-02T00:00:00Z"

    rows = (await caller.get(f"/v3/apps?order_by={order}"))["resources"]

    assert [row["guid"] for row in rows] == sorted(caller.sandbox.apps, reverse=reverse)


async def test_the_filter_of_stacks_finds_only_apps_built_by_buildpacks(caller: Caller) -> None:
    first, second, *_ = caller.sandbox.apps.values()
    first.lifecycle = "cnb"

    names = await caller.names(f"stacks={second.stack}")

    assert second.name in names
    assert first.name not in names


async def test_paging_links_repeat_values_without_the_spaces_between_them(caller: Caller) -> None:
    page = await caller.get("/v3/apps?names=a,%20b")

    assert "names=a%2Cb" in page["pagination"]["first"]["href"]


async def test_the_apps_of_a_stack_are_listed(caller: Caller) -> None:
    [stack, *_] = (await caller.get("/v3/stacks"))["resources"]

    page = await caller.get(f"/v3/stacks/{stack['guid']}/apps?names=x,app-00001&order_by=name")

    link = page["pagination"]["first"]["href"]
    assert link.partition("?")[2] == "order_by=%2Bname&page=1&per_page=50"
    assert {app["lifecycle"]["data"]["stack"] for app in page["resources"]} <= {stack["name"]}
    assert (await caller.change("GET", "/v3/stacks/x/apps"))[0] == 404
