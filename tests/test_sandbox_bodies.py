"""Rules of the server for bodies that were not recorded, one per test."""

from typing import Any

import pytest

from tests.sandbox_caller import Caller


def first_app(caller: Caller) -> str:
    return next(iter(caller.sandbox.apps))


def to(guid: str) -> dict[str, Any]:
    return {"data": {"guid": guid}}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (["a"], '["a"]'),
        ([None], "[nil]"),
        ({"a": 1}, "{:a=>1}"),
        ({"a-b": {"c": True}}, '{:"a-b"=>{:c=>true}}'),
        (-1.5, "-1.5"),
    ],
)
async def test_a_value_that_is_not_text_is_shown_as_ruby_shows_it(
    caller: Caller, value: Any, shown: str
) -> None:
    app = first_app(caller)

    _, error = await caller.change(
        "PATCH", f"/v3/apps/{app}", {"metadata": {"labels": {"a": value}}}
    )

    assert error["detail"].startswith(f"Metadata label value error: '{shown}' ")


async def test_labels_are_kept_as_text(caller: Caller) -> None:
    labels = {"whole": 1, "yes": True, "env": None}

    _, app = await caller.change(
        "PATCH", f"/v3/apps/{first_app(caller)}", {"metadata": {"labels": labels}}
    )

    assert app["metadata"]["labels"] == {"whole": "1", "yes": "true"}


@pytest.mark.parametrize(("kind", "most"), [("label", 50), ("annotation", 200)])
async def test_a_resource_has_a_maximum_of_labels_and_of_annotations(
    caller: Caller, kind: str, most: int
) -> None:
    path = f"/v3/apps/{first_app(caller)}"
    many: dict[str, str | None] = {f"a{number}": "x" for number in range(most)} | {"env": None}
    assert (await caller.change("PATCH", path, {"metadata": {f"{kind}s": many}}))[0] == 200

    status, error = await caller.change(
        "PATCH", path, {"metadata": {f"{kind}s": {"b": "x", "a1": "y"}}}
    )

    assert (status, error["title"]) == (422, f"CF-{kind.capitalize()}LimitExceeded")
    assert error["detail"] == (f"Failed to add 2 {kind}s because it would exceed maximum of {most}")
    kept = (await caller.get(path))["metadata"][f"{kind}s"]
    assert (len(kept), kept["a1"]) == (most, "x")


async def test_a_new_app_with_too_many_labels_is_not_created(caller: Caller) -> None:
    space = next(iter(caller.sandbox.spaces))
    labels = {f"a{number}": "x" for number in range(51)}
    fields = {"name": "many", "relationships": {"space": to(space)}, "metadata": {"labels": labels}}

    status, _ = await caller.change("POST", "/v3/apps", fields)

    assert status == 422
    assert "many" not in await caller.names("names=many")


async def test_an_empty_list_has_the_length_of_a_list(caller: Caller) -> None:
    app = first_app(caller)

    _, error = await caller.change("PATCH", f"/v3/processes/{app}", {"command": [], "user": 5})

    assert error["detail"] == (
        "Command must be a string, Command must be between 1 and 4096 characters, "
        "User must be a string"
    )


async def test_numbers_are_checked_in_the_order_of_the_message_not_of_the_body(
    caller: Caller,
) -> None:
    path = f"/v3/processes/{first_app(caller)}/actions/scale"

    _, error = await caller.change("POST", path, {"disk_in_mb": "x", "instances": "y"})

    assert error["detail"] == "Instances is not a number, Disk in mb is not a number"


async def test_a_lifecycle_type_must_be_known_and_a_text(caller: Caller) -> None:
    fields = {"lifecycle": {"type": 7}}

    _, error = await caller.change("PATCH", f"/v3/apps/{first_app(caller)}", fields)

    assert error["detail"] == (
        "Lifecycle type is not included in the list: buildpack, docker, cnb, "
        "Lifecycle type must be a string, Lifecycle data must be an object"
    )


async def test_what_the_server_falls_over_is_an_unknown_error(caller: Caller) -> None:
    app = first_app(caller)
    annotated = {"metadata": {"annotations": {"a": 1.5}}}
    package = {"type": "docker", "data": "x", "relationships": {"app": to(app)}}

    for method, path, fields in (
        ("PATCH", f"/v3/apps/{app}", annotated),
        ("POST", "/v3/packages", package),
        ("POST", "/v3/deployments", {"options": "  ", "relationships": {"app": to(app)}}),
    ):
        status, error = await caller.change(method, path, fields)
        assert (status, error["title"]) == (500, "UnknownError")


async def test_a_new_sidecar_needs_a_name_a_command_and_types(caller: Caller) -> None:
    path = f"/v3/apps/{first_app(caller)}/sidecars"

    _, error = await caller.change("POST", path, {"name": " ", "memory_in_mb": 0})

    assert error["detail"] == (
        "Name can't be blank, Command can't be blank, Command must be a string, "
        "Process types must be an array, Process types must have at least 1 process_type, "
        "Memory in mb must be greater than 0"
    )


async def test_the_end_of_a_build_must_be_final(caller: Caller) -> None:
    app = first_app(caller)
    _, package = await caller.change(
        "POST", "/v3/packages", {"type": "bits", "relationships": {"app": to(app)}}
    )
    caller.sandbox.shelf.packages[package["guid"]].state = "READY"
    _, build = await caller.change("POST", "/v3/builds", {"package": {"guid": package["guid"]}})

    for fields, detail in (
        ({"state": "STAGING"}, "State 'STAGING' is not a valid state"),
        ({"state": "STAGED"}, "Lifecycle 'STAGED' builds require lifecycle data"),
        ({"state": "FAILED", "error": 1}, "Error must be a string"),
    ):
        _, error = await caller.change("PATCH", f"/v3/builds/{build['guid']}", fields)
        assert error["detail"] == detail


async def test_every_rule_of_a_domain_name_is_told_at_once(caller: Caller) -> None:
    _, error = await caller.change("POST", "/v3/domains", {"name": "_"})

    assert error["detail"] == (
        "Name is too short (minimum is 3 characters), Name does not comply with RFC 1035 "
        'standards, Name must contain at least one ".", '
        "Name must consist of alphanumeric characters and hyphens"
    )


async def test_a_role_needs_one_place_and_one_way_to_name_its_user(caller: Caller) -> None:
    space = next(iter(caller.sandbox.spaces))
    user = {"data": {"guid": "x", "origin": "uaa"}}
    fields = {
        "type": "organization_user",
        "relationships": {"user": user, "space": to(space), "organization": to("y")},
    }

    _, error = await caller.change("POST", "/v3/roles", fields)

    assert error["detail"] == (
        "Relationships User origin cannot be specified when identifying user by guid, "
        "Relationships User origin cannot be specified without specifying the username, "
        "Relationships Space cannot be provided with the organization role type: "
        "'organization_user'., "
        "Relationships cannot specify both an organization and a space."
    )


async def test_what_all_service_instances_need_is_checked_before_what_a_kind_needs(
    caller: Caller,
) -> None:
    links = {"space": to(next(iter(caller.sandbox.spaces)))}
    fields: dict[str, Any] = {"type": "managed", "name": "", "bogus": 1, "relationships": links}

    _, error = await caller.change("POST", "/v3/service_instances", fields)
    assert error["detail"] == "Name can't be blank"

    _, error = await caller.change("POST", "/v3/service_instances", fields | {"name": "x"})
    assert error["detail"] == (
        "Relationships Service plan can't be blank, Relationships Service plan must be "
        'structured like this: "service_plan: {"data": {"guid": "valid-guid"}}", '
        "Unknown field(s): 'bogus'"
    )


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        (
            {"health_check": {"type": "http", "data": {"timeout": 181}}},
            (
                "health_check_timeout Maximum exceeded: max 180s, health_check_http_endpoint HTTP "
                "health check endpoint is not a valid URI path: "
            ),
        ),
        (
            {"readiness_health_check": {"type": "http"}, "user": "root"},
            (
                "readiness_health_check_http_endpoint HTTP readiness health check endpoint is "
                "not a valid URI path: , user invalid (requested user 'root' not allowed, "
                "permitted users are: 'vcap', 'ContainerUser', 'TestUser')"
            ),
        ),
    ],
)
async def test_a_process_is_checked_as_it_would_be_kept(
    caller: Caller, fields: dict[str, Any], detail: str
) -> None:
    path = f"/v3/processes/{first_app(caller)}"
    before = await caller.get(path)

    _, error = await caller.change("PATCH", path, fields)

    assert error["detail"] == detail
    assert await caller.get(path) == before


async def test_the_sidecars_of_a_process_need_less_memory_than_it_has(caller: Caller) -> None:
    app = first_app(caller)
    sidecars = f"/v3/apps/{app}/sidecars"
    fields = {"name": "a", "command": "c", "process_types": ["web"], "memory_in_mb": 40}
    memory = caller.sandbox.apps[app].processes[0].memory_in_mb
    status, made = await caller.change("POST", sidecars, fields)
    assert status == 201

    _, error = await caller.change("POST", sidecars, fields | {"name": "b", "memory_in_mb": memory})
    assert error["detail"].endswith('too large to run with the dependent "web" process')
    _, error = await caller.change(
        "POST", f"/v3/processes/{app}/actions/scale", {"memory_in_mb": 40}
    )
    assert error["detail"].endswith("not large enough to run all of your sidecar processes")
    _, error = await caller.change("POST", sidecars, fields)
    assert error["detail"] == "Sidecar with name 'a' already exists for given app"
    status, _ = await caller.change("PATCH", f"/v3/sidecars/{made['guid']}", {"name": "a"})
    assert status == 200


async def test_a_task_is_checked_as_it_would_be_kept(caller: Caller) -> None:
    app = first_app(caller)
    await caller.change("POST", f"/v3/apps/{app}/actions/start")
    caller.sandbox.apps[app].space.organization.memory_limit = 1

    _, error = await caller.change(
        "POST", f"/v3/apps/{app}/tasks", {"command": "", "name": None, "user": "root"}
    )

    assert error["detail"].startswith(
        "name format, name presence, command presence, memory_in_mb exceeds organization memory "
        "quota, user invalid (requested user 'root'"
    )


async def test_an_app_name_is_stripped_and_has_no_control_characters(caller: Caller) -> None:
    space = next(iter(caller.sandbox.spaces))
    fields: dict[str, Any] = {"name": " spaced ", "relationships": {"space": to(space)}}
    _, app = await caller.change("POST", "/v3/apps", fields)
    assert app["name"] == "spaced"

    bad = fields | {"name": "a\tb", "environment_variables": {"PORT": 1, "VCAP_A": 1}}
    _, error = await caller.change("POST", "/v3/apps", bad)

    assert error["detail"] == (
        'name format, environment_variables {:message=>"cannot set PORT"}, '
        'environment_variables {:message=>"cannot start with VCAP_"}'
    )


async def test_variables_without_a_value_go_with_the_next_change(caller: Caller) -> None:
    space = next(iter(caller.sandbox.spaces))
    fields = {"name": "n", "relationships": {"space": to(space)}}
    variables = {"environment_variables": {"EMPTY": None, "FULL": "x"}}
    _, app = await caller.change("POST", "/v3/apps", fields | variables)

    _, shown = await caller.change(
        "PATCH", f"/v3/apps/{app['guid']}/environment_variables", {"var": {"NEW": "y"}}
    )

    assert shown["var"] == {"FULL": "x", "NEW": "y"}


async def test_only_a_staged_droplet_becomes_current(caller: Caller) -> None:
    app = first_app(caller)
    _, droplet = await caller.change("POST", "/v3/droplets", {"relationships": {"app": to(app)}})

    _, error = await caller.change(
        "PATCH", f"/v3/apps/{app}/relationships/current_droplet", to(droplet["guid"])
    )

    assert error["detail"] == "droplet must be in staged state"


async def test_staging_needs_room_in_the_quotas(caller: Caller) -> None:
    app = caller.sandbox.apps[first_app(caller)]
    _, package = await caller.change(
        "POST", "/v3/packages", {"type": "bits", "relationships": {"app": to(app.guid)}}
    )
    caller.sandbox.shelf.packages[package["guid"]].state = "READY"
    fields = {"package": {"guid": package["guid"]}, "staging_memory_in_mb": 1024}

    app.space.memory_limit = 1023
    _, error = await caller.change("POST", "/v3/builds", fields)
    assert error["detail"] == "space's memory limit exceeded: staging requires 1024M memory"

    app.space.memory_limit, app.space.organization.log_rate_limit = None, 9
    rate = {"staging_log_rate_limit_bytes_per_second": 10}
    _, error = await caller.change("POST", "/v3/builds", fields | rate)
    assert error["detail"] == (
        "organization's log rate limit exceeded: staging requires 10 bytes per second"
    )


async def test_a_text_column_keeps_a_number_as_text(caller: Caller) -> None:
    app = first_app(caller)
    await caller.change("POST", f"/v3/apps/{app}/actions/start")

    _, task = await caller.change("POST", f"/v3/apps/{app}/tasks", {"name": 7, "command": "true"})

    assert task["name"] == "7"


async def test_a_host_belongs_to_the_space_that_used_it_first(caller: Caller) -> None:
    [route, *_] = (await caller.get("/v3/routes"))["resources"]
    domain = route["relationships"]["domain"]
    home = route["relationships"]["space"]["data"]["guid"]
    other = next(guid for guid in caller.sandbox.spaces if guid != home)
    links = {"space": to(other), "domain": domain}
    fields = {"host": route["host"], "path": "/other", "relationships": links}

    _, error = await caller.change("POST", "/v3/routes", fields)
    assert error["detail"] == "domain_id and host host_and_domain_taken_different_space"

    links["space"] = to(home)
    assert (await caller.change("POST", "/v3/routes", fields))[0] == 201


async def test_a_route_must_not_be_a_domain(caller: Caller) -> None:
    [domain, *_] = (await caller.get("/v3/domains"))["resources"]
    await caller.change("POST", "/v3/domains", {"name": f"sub.{domain['name']}"})
    space = next(iter(caller.sandbox.spaces))
    links = {"space": to(space), "domain": to(domain["guid"])}

    _, error = await caller.change("POST", "/v3/routes", {"host": "sub", "relationships": links})

    assert error["detail"] == f"Route conflicts with domain 'sub.{domain['name']}'."


async def test_a_job_links_to_its_resource_until_that_is_gone(caller: Caller) -> None:
    app = first_app(caller)
    _, package = await caller.change(
        "POST", "/v3/packages", {"type": "bits", "relationships": {"app": to(app)}}
    )
    _, _, response = await caller.ask("DELETE", f"/v3/packages/{package['guid']}")
    path = "/v3/" + response.headers["Location"].partition("/v3/")[2]

    first, last = await caller.get(path), await caller.get(path)

    assert first["links"]["package"]["href"].endswith(f"/v3/packages/{package['guid']}")
    assert (last["state"], last["links"].keys()) == ("COMPLETE", {"self"})
