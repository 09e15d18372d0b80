"""The sandbox's errors for bad queries and bodies, beyond the recordings.

The words are those of the real server's validators, of which the recordings show some.
"""

from typing import Any

import pytest

from tests.sandbox_caller import Caller

STAMP = "has an invalid timestamp format. Timestamps should be formatted as 'YYYY-MM-DDThh:mm:ssZ'"
INCLUDES = "Valid included resources are: 'space', 'org', 'space.organization'"
SHAPE = 'Space must be structured like this: "space: {"data": {"guid": "valid-guid"}}"'


@pytest.mark.parametrize(
    ("query", "problems"),
    [
        ("page=", ["Page must be a positive integer"]),
        ("per_page=x1", ["Per page must be a positive integer"]),
        ("per_page=6000x", ["Per page must be between 1 and 5000"]),
        (
            "include=foo,space,space,bar",
            [
                f"Invalid included resource: 'foo'. {INCLUDES}",
                "Duplicate included resource: 'space'",
                f"Invalid included resource: 'bar'. {INCLUDES}",
            ],
        ),
        (
            "created_ats[around]=noon",
            ["Created ats Invalid relational operator: 'around'", f"Created ats {STAMP}"],
        ),
        ("updated_ats=noon,night", [f"Updated ats {STAMP}"] * 2),
        ("label_selector=a%20%3D%20b", ["Invalid label_selector value"]),
        ("label_selector=a%3D1,%20b%3D2", ["Invalid label_selector value"]),
        ("label_selector=in%20(", ["Invalid label_selector value"]),
        ("label_selector=,", ["Missing label_selector value"]),
        ("label_selector=a/b/c", ["key has more than one '/'"]),
        ("label_selector=x/a", ["prefix 'x' must be in valid dns format"]),
        ("label_selector=a%20in%20(b,%20c)", ["' c' contains invalid characters"]),
        ("label_selector=-a", ["'-a' starts or ends with invalid characters"]),
        (
            "label_selector=" + ",".join("a" * 51),
            ["Too many label_selector requirements (maximum is 50)"],
        ),
    ],
)
async def test_a_bad_query_gets_all_of_its_errors_at_once(
    caller: Caller, query: str, problems: list[str]
) -> None:
    status, error = await caller.change("GET", f"/v3/apps?{query}")

    assert (status, error["title"]) == (400, "CF-BadQueryParameter")
    assert error["detail"] == "The query parameter is invalid: " + ", ".join(problems)


async def test_names_numbers_and_label_keys_are_parsed_leniently(caller: Caller) -> None:
    one, two, *_ = caller.sandbox.apps.values()
    one.name, two.name = "a+b", "c,d"
    assert await caller.names("names=a%2Bb") == ["a+b"]
    assert await caller.names("names=x,%20c%252Cd") == ["c,d"]
    assert len(await caller.names("per_page=3abc&page=1.5&order_by=")) == 3
    one.labels = {"example.org/team": "x"}
    assert await caller.names("label_selector=example.org/team%3Dx") == ["a+b"]


@pytest.mark.parametrize(
    ("metadata", "problems"),
    [
        (None, ["must be an object"]),
        ({"tags": {}, "notes": 1}, ["has unexpected field(s): 'tags' 'notes'"]),
        (
            {"labels": [], "annotations": "x"},
            ["'labels' is not an object", "'annotations' is not an object"],
        ),
        (
            {"labels": {"": "v", "a": "-v"}},
            [
                "label key error: key cannot be empty string",
                "label value error: '-v' starts or ends with invalid characters",
            ],
        ),
        ({"labels": {"x.org/": "v"}}, ["label key error: key cannot be empty string"]),
        (
            {"labels": {"k" * 64: None}},
            ["label key error: 'kkkkkkkk...' is greater than 63 characters"],
        ),
        (
            {"annotations": {"no/dns": "v", "also/gone": None}},
            ["annotation key error: prefix 'no' must be in valid dns format"],
        ),
    ],
)
async def test_errors_of_metadata_come_before_other_errors(
    caller: Caller, metadata: Any, problems: list[str]
) -> None:
    [guid, *_] = caller.sandbox.apps
    body = {"metadata": metadata, "foo": 1}
    status, error = await caller.change("PATCH", f"/v3/apps/{guid}", body)

    said = [f"Metadata {problem}" for problem in problems]
    assert (status, error["detail"]) == (422, ", ".join([*said, "Unknown field(s): 'foo'"]))


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"relationships": {"space": None}}, f"Space can't be blank, Relationships {SHAPE}"),
        ({"relationships": {"space": {"data": "x"}}}, SHAPE),
        ({"relationships": {"space": {"data": {"guid": 7}}}}, ("Space guid must be a string, "
         "Relationships Space guid must be between 1 and 200 characters")),
        ({"lifecycle": None}, "Lifecycle data must be an object"),
        ({"lifecycle": {"type": "buildpack", "data": {"stack": "", "buildpacks": "x"}}},
         ("Lifecycle Stack must be between 1 and 4096 characters, "
         "Lifecycle Buildpacks must be an array")),
        ({"lifecycle": {"type": "buildpack", "data": {"buildpacks": [7, " "], "credentials": 1}}},
         ("Lifecycle Credentials must be an object, "
         "Lifecycle Buildpacks can only contain strings, "
         "Lifecycle Buildpacks entries must be between 1 and 4096 characters")),
    ],
)  # fmt: skip
async def test_an_app_with_bad_fields_is_refused(
    caller: Caller, changes: dict[str, Any], detail: str
) -> None:
    space = next(iter(caller.sandbox.spaces))
    body = {"name": "new", "relationships": {"space": {"data": {"guid": space}}}} | changes
    status, error = await caller.change("POST", "/v3/apps", body)

    assert (status, error["detail"].removeprefix("Relationships ")) == (422, detail)


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"cpu": "x"}, "Unknown field(s): 'cpu'"),
        ({"instances": 1.5}, "Instances must be an integer"),
        ({"instances": True, "memory_in_mb": [1]},
         "Instances is not a number, Memory in mb is not a number"),
        ({"memory_in_mb": 0}, "Memory in mb must be greater than 0"),
        ({"instances": 2**31}, "Instances must be less than or equal to 2147483647"),
        ({"log_rate_limit_in_bytes_per_second": -2},
         "Log rate limit in bytes per second must be greater than or equal to -1"),
    ],
)  # fmt: skip
async def test_scaling_with_bad_fields_is_refused(
    caller: Caller, fields: dict[str, Any], detail: str
) -> None:
    [guid, *_] = caller.sandbox.apps
    status, error = await caller.change("POST", f"/v3/processes/{guid}/actions/scale", fields)

    assert (status, error["detail"]) == (422, detail)


async def test_scaling_to_null_fails_as_on_the_real_server(caller: Caller) -> None:
    [guid, *_] = caller.sandbox.apps
    at = f"/v3/processes/{guid}/actions/scale"
    for name, status in (("instances", 500), ("memory_in_mb", 500), ("disk_in_mb", 202)):
        assert (await caller.change("POST", at, {name: None}))[0] == status


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"command": ""}, "Command must be between 1 and 4096 characters"),
        ({"health_check": {"data": {"timeout": 0, "interval": "x"}}},
         ("Health check timeout must be greater than or equal to 1, "
         "Health check interval is not a number")),
        ({"readiness_health_check": {"type": None}},
         'Readiness health check type must be "port", "process", or "http"'),
    ],
)  # fmt: skip
async def test_a_process_change_with_bad_fields_is_refused(
    caller: Caller, fields: dict[str, Any], detail: str
) -> None:
    [guid, *_] = caller.sandbox.apps
    status, error = await caller.change("PATCH", f"/v3/processes/{guid}", fields)

    assert (status, error["detail"]) == (422, detail)


async def test_bad_tasks_and_environment_variables_are_refused(caller: Caller) -> None:
    [guid, *_] = caller.sandbox.apps
    body: dict[str, Any] = {"command": "x", "memory_in_mb": 0, "disk_in_mb": "y"}
    _, error = await caller.change("POST", f"/v3/apps/{guid}/tasks", body)
    assert error["detail"] == "Disk in mb is not a number, Memory in mb must be greater than 0"
    body = {"var": {"vmc_x": "1", "Port": "2", "VCAP_A": "3"}}
    _, error = await caller.change("PATCH", f"/v3/apps/{guid}/environment_variables", body)
    said = "Var cannot start with VMC_, Var cannot set PORT, Var cannot start with VCAP_"
    assert error["detail"] == said


@pytest.mark.parametrize(
    ("body", "status"),
    [(b'{"name":"\\ud800"}', 500), (b'{"name":NaN}', 400), (b'{"name":"\\ud83d\\ude00"}', 200)],
)
async def test_a_body_must_be_valid_utf_8_and_json(
    caller: Caller, body: bytes, status: int
) -> None:
    [guid, *_] = caller.sandbox.apps
    headers = {"Content-Type": "application/json"}
    answer = await caller.ask("PATCH", f"/v3/apps/{guid}", data=body, headers=headers)
    assert answer[0] == status


async def test_every_path_accepts_the_suffix_json(caller: Caller) -> None:
    [guid, *_] = caller.sandbox.apps
    for path in ("/v3/apps", f"/v3/apps/{guid}/env", f"/v3/processes/{guid}/stats"):
        plain, formed = await caller.get(path), await caller.get(f"{path}.json")
        assert plain.keys() == formed.keys()
    assert (await caller.ask("POST", f"/v3/apps/{guid}/actions/start.json"))[0] == 200
    assert caller.sandbox.apps[guid].state == "STARTED"


async def test_changing_a_health_check_keeps_its_other_fields(caller: Caller) -> None:
    [guid, *_] = caller.sandbox.apps
    for check in (
        {"type": "http", "data": {"timeout": 9, "endpoint": "/"}},
        {"data": {"endpoint": "/up"}},
    ):
        _, process = await caller.change("PATCH", f"/v3/processes/{guid}", {"health_check": check})
    assert process["health_check"]["type"] == "http"
    assert process["health_check"]["data"].items() >= {"timeout": 9, "endpoint": "/up"}.items()


async def test_a_single_resource_accepts_include_and_embed_like_its_list(caller: Caller) -> None:
    app = next(iter(caller.sandbox.apps.values()))
    space = await caller.get(f"/v3/spaces/{app.space.guid}?include=organization")
    assert [one["name"] for one in space["included"]["organizations"]] == ["acme"]
    assert "included" not in await caller.get(f"/v3/spaces/{app.space.guid}")
    process = await caller.get(f"/v3/processes/{app.guid}?embed=process_instances")
    assert [one["state"] for one in process["process_instances"]] == ["DOWN"]
    for path in (f"spaces/{app.space.guid}?embed=x", f"processes/{app.guid}?include=x"):
        status, error = await caller.change("GET", f"/v3/{path}")
        assert (status, "Unknown query parameter(s)" in error["detail"]) == (400, True)
    status, error = await caller.change("GET", f"/v3/apps/{app.guid}/processes/web?embed=all")
    assert error["detail"].endswith(
        "Invalid embedded resource: 'all'. Valid embedded resources are: 'process_instances'"
    )


@pytest.mark.parametrize(
    ("path", "fields", "detail"),
    [
        ("organizations", {}, "Name can't be blank"),
        ("organizations", {"name": 7, "suspended": 1},
         "Name must be a string, Suspended must be a boolean"),
        ("organizations", {"name": ""},
         ("Name is too short (minimum is 1 character), Name must not contain escaped characters, "
         "Name can't be blank")),
        ("organizations", {"name": "x" * 256}, "Name is too long (maximum is 255 characters)"),
        ("spaces", {"name": "a\nb"}, ("Relationships 'relationships' is not an object, "
         "Name must not contain escaped characters")),
        ("spaces", {"relationships": {"organization": {"data": {"guid": ""}}}},
         ("Relationships Organization guid must be between 1 and 200 characters, "
         "Name can't be blank")),
        ("packages", {"type": "bits", "data": {"image": "x"}},
         ("Data Data must be empty if provided for bits packages, "
         "Relationships 'relationships' is not an object")),
        ("packages", {"type": "zip", "relationships": {"app": {"data": {"guid": "x"}}}},
         "Type must be one of 'bits, docker'"),
    ],
)  # fmt: skip
async def test_organizations_spaces_and_packages_with_bad_fields_are_refused(
    caller: Caller, path: str, fields: dict[str, Any], detail: str
) -> None:
    status, error = await caller.change("POST", f"/v3/{path}", fields)
    assert (status, error["detail"]) == (422, detail)
