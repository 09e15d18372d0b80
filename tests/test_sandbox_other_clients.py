"""Clients of other projects work with the sandbox as with a real Cloud Controller."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aioappsapi.sandbox import Sandbox, SandboxThread

with warnings.catch_warnings():
    # They warn of what they themselves import.
    warnings.simplefilter("ignore")
    import requests
    import schemathesis
    from cloudfoundry_client.client import CloudFoundryClient
    from hypothesis import HealthCheck, settings
    from schemathesis.checks import not_a_server_error

pytestmark = pytest.mark.filterwarnings("ignore")

EMPTY = Sandbox(0)
NO_PROXY = {"http": "", "https": ""}

DESCRIPTION = json.loads(
    (Path(__file__).parent / "openapi" / "capi-v3.json").read_text(encoding="utf-8")
)
# What is asked most is asked more often than the rest.
SCOPE = (
    r"^/v3/(apps|processes|jobs|spaces|organizations|droplets|packages|builds|deployments|tasks)"
    r"(/\{guid\})?(/actions/(start|stop|restart|scale|cancel|continue|clear_buildpack_cache)|"
    r"/env|/environment_variables|/features|/permissions|/ssh_enabled|/droplets/current|"
    r"/relationships/current_droplet|/processes|/stats)?$"
)


@pytest.fixture
def cloud() -> Iterator[Sandbox]:
    with SandboxThread(Sandbox(12, seed=4)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def tested() -> Iterator[Sandbox]:
    """The sandbox that gets all those requests, some of which delete what is in it."""
    with SandboxThread(Sandbox(12, seed=4)) as sandbox:
        yield sandbox


@pytest.fixture
def other(cloud: Sandbox) -> Any:
    client = CloudFoundryClient(cloud.url, verify=False, proxy=NO_PROXY)
    client.init_with_user_credentials("admin", "admin")
    return client


def test_another_client_lists_and_gets_apps(other: Any, cloud: Sandbox) -> None:
    apps = list(other.v3.apps.list(per_page=5))
    assert {app["guid"] for app in apps} == cloud.apps.keys()
    assert other.v3.apps.get(apps[0]["guid"])["name"] == apps[0]["name"]
    assert [one["name"] for one in other.v3.organizations.list(names="acme")] == ["acme"]
    assert len(list(other.v3.spaces.list())) == len(cloud.spaces)


def test_another_client_restarts_and_reads_the_environment(other: Any, cloud: Sandbox) -> None:
    [guid, *_] = cloud.apps
    assert other.v3.apps.restart(guid)["state"] == "STARTED"
    assert cloud.apps[guid].state == "STARTED"
    assert "system_env_json" in other.v3.apps.get_env(guid)


def test_another_client_runs_a_task_and_cancels_it(other: Any, cloud: Sandbox) -> None:
    [guid, *_] = cloud.apps
    task = other.v3.tasks.create(guid, command="rake db:migrate")
    assert task["state"] == "RUNNING"
    assert other.v3.tasks.cancel(task["guid"])["guid"] == task["guid"]
    assert task["guid"] in {one["guid"] for one in other.v3.tasks.list()}


def test_another_client_reads_every_other_resource(other: Any, cloud: Sandbox) -> None:
    v3 = other.v3
    v3.apps.restart(next(iter(cloud.apps)))  # so there is an audit event
    for manager in (
        v3.audit_events, v3.buildpacks, v3.domains, v3.feature_flags, v3.isolation_segments,
        v3.organization_quotas, v3.roles, v3.routes, v3.security_groups, v3.service_brokers,
        v3.service_credential_bindings, v3.service_instances, v3.service_offerings,
        v3.service_plans, v3.spaces, v3.stacks, v3.users,
    ):  # fmt: skip
        listed = list(manager.list(per_page=2))
        key = "name" if manager is v3.feature_flags else "guid"
        assert manager.get(listed[0][key])[key] == listed[0][key]
    home = next(iter(cloud.organizations))
    assert v3.organizations.get(home)["guid"] == home
    assert v3.organizations.get_usage_summary(home)["usage_summary"]["routes"] > 0
    [guid, *_] = cloud.apps
    assert [route["host"] for route in v3.apps.list_routes(guid)] == [cloud.apps[guid].name]
    assert v3.apps.get_manifest(guid).startswith("---\napplications:\n")


def test_another_client_switches_a_feature_and_reads_roles(other: Any, cloud: Sandbox) -> None:
    assert other.v3.feature_flags.update("diego_docker", enabled=False)["enabled"] is False
    assert cloud.flags["diego_docker"] is False
    other.v3.feature_flags.update("diego_docker", enabled=True)
    [outsider] = other.v3.users.list(usernames="outsider")
    assert list(other.v3.roles.list(user_guids=outsider["guid"])) == []


def test_another_client_recognizes_the_error_codes(other: Any) -> None:
    with pytest.raises(Exception, match="CF-ResourceNotFound"):
        other.v3.apps.get("00000000-0000-4000-8000-000000000000")


def test_another_client_refreshes_its_token(other: Any, cloud: Sandbox) -> None:
    before = cloud.logins
    cloud.expire_tokens()
    assert other.v3.apps.get(next(iter(cloud.apps)))["guid"] in cloud.apps
    assert cloud.logins == before + 1


# -- a tester that makes requests out of the API's description


def is_served(context: Any) -> bool:
    """Whether the sandbox has a route for the operation."""
    method, path = context.operation.method.upper(), context.operation.path
    call: Any = SimpleNamespace(method=method, parts=path.strip("/").split("/"))
    return EMPTY._api._router.match(call) is not None


# An operation that is not there has one answer, so its parameters are not tried at their limits.
RANDOM = schemathesis.Config.from_dict({"phases": {"coverage": {"enabled": False}}})
schema = schemathesis.openapi.from_dict(DESCRIPTION)
acting = schema.include(path_regex=SCOPE)
others = schema.exclude(path_regex=SCOPE).include(is_served)
absent = schemathesis.openapi.from_dict(DESCRIPTION, config=RANDOM)
absent = absent.exclude(path_regex=SCOPE).exclude(is_served)
LIMITS: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
}


@acting.parametrize()
@settings(max_examples=8, **LIMITS)
def test_no_request_to_an_app_endpoint_breaks_the_server(case: Any, tested: Sandbox) -> None:
    check(case, tested)


@others.parametrize()
@settings(max_examples=2, **LIMITS)
def test_no_request_to_any_other_endpoint_breaks_the_server(case: Any, tested: Sandbox) -> None:
    check(case, tested)


@absent.parametrize()
@settings(max_examples=2, **LIMITS)
def test_no_request_to_an_endpoint_that_is_not_there_breaks_the_server(
    case: Any, tested: Sandbox
) -> None:
    check(case, tested)


# A connection for each request would take longer than its answer.
SESSION = requests.Session()
SESSION.trust_env = False


@cache
def token_of(url: str) -> str:
    form = {"grant_type": "password", "username": "admin", "password": "admin"}
    address = f"{url}/uaa/oauth/token"
    answer = SESSION.post(address, data=form, auth=("cf", ""), timeout=120, proxies=NO_PROXY)
    return str(answer.json()["access_token"])


def check(case: Any, cloud: Sandbox) -> None:
    headers = {"Authorization": f"bearer {token_of(cloud.url)}"}
    response = case.call(base_url=cloud.url, headers=headers, session=SESSION, proxies=NO_PROXY)
    # So the real server answers to a query that is not UTF-8, or to scaling to null, and the
    # sandbox with it; a fault of its own has other words.
    known = ("administrator", '"title":"UnknownError"')
    if response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR and any(
        words in response.text for words in known
    ):
        return
    case.validate_response(response, checks=[not_a_server_error])
