from __future__ import annotations

from pathlib import Path

from aioappsapi import Client, StaticToken
from tests.operations import table

DOCS = Path(__file__).parent.parent / "docs" / "operations.md"

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


def test_the_documented_table_is_that_of_the_code() -> None:
    assert DOCS.read_text(encoding="utf-8").endswith("\n\n" + table())


def test_the_client_has_every_operation_on_apps_and_the_table_names_it() -> None:
    client = Client("https://api.example.org", auth=StaticToken("t"))
    for name in APPS:
        assert callable(getattr(client.apps, name))
        assert f"`client.apps.{name}`" in table()
    assert len(APPS) == 20
