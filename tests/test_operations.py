from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import pytest

from aioappsapi import Client, StaticToken
from aioappsapi.api.endpoint import Endpoints
from tools.operations import classes, modules, table

# The names of the twenty operations of the API's section on apps.
APPS = [
    "list",
    "create",
    "get",
    "update",
    "delete",
    "start",
    "stop",
    "restart",
    "get_current_droplet",
    "get_current_droplet_association",
    "set_current_droplet",
    "clear_buildpack_cache",
    "get_env",
    "get_environment_variables",
    "update_environment_variables",
    "list_features",
    "get_feature",
    "update_feature",
    "get_permissions",
    "get_ssh_enabled",
]


def test_the_client_has_every_operation_on_apps_and_the_table_names_it() -> None:
    client = Client("https://api.example.org", auth=StaticToken("t"))
    for name in APPS:
        assert callable(getattr(client.apps, name))
        assert f"`client.apps.{name}`" in table()
    assert len(APPS) == 20


METHODS = [
    (f"{cls.__name__}.{name}", method)
    for module in modules()
    for _, cls in classes(module)
    if issubclass(cls, Endpoints)
    for name, method in vars(cls).items()
    if inspect.isfunction(method) and not name.startswith("_")
]


@pytest.mark.parametrize(("name", "method"), METHODS, ids=[name for name, _ in METHODS])
def test_every_docstring_names_the_endpoints_of_its_method(
    name: str, method: Callable[..., object]
) -> None:
    source = inspect.getdoc(method) or ""
    named = re.findall(r"(?:GET|POST|PATCH|DELETE) /[^\s,]*", source.partition("Source: ")[2])
    assert named, f"{name}: its docstring ends with the source, like Source: GET /v3/apps."
    assert source.splitlines()[0].count(".") >= 1, "one line of meaning comes first"


@pytest.mark.parametrize(("name", "method"), METHODS, ids=[name for name, _ in METHODS])
def test_every_method_that_checks_its_values_takes_validate(
    name: str, method: Callable[..., object]
) -> None:
    text = inspect.getdoc(method) or ""
    checked = "InvalidInputError" in text and name != "Processes.terminate_instance"
    assert checked == ("validate" in inspect.signature(method).parameters)


def test_every_list_is_a_pager() -> None:
    lists = [(name, method) for name, method in METHODS if ".list" in name]
    assert len(lists) > 15
    for name, method in lists:
        assert "Pager" in inspect.signature(method).return_annotation, name
