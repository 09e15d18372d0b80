"""The environment of an app: secrets, so no `repr` here shows a value.

Source: https://v3-apidocs.cloudfoundry.org/#get-environment-for-an-app
"""

from __future__ import annotations

from typing import TypeAlias

from aioappsapi.models.base import Link, Struct

# msgspec resolves no recursive alias; what is nested deeper stays plain JSON.
Json: TypeAlias = str | int | float | bool | dict[str, object] | list[object] | None


class EnvironmentVariables(Struct, frozen=True, kw_only=True, gc=False):
    """An app's own variables. Those set when it was created may be any JSON."""

    var: dict[str, Json] = {}
    links: dict[str, Link] = {}

    def __repr__(self) -> str:
        return f"<EnvironmentVariables of {len(self.var)}>"


class Environment(Struct, frozen=True, kw_only=True, gc=False):
    """Everything that an app finds in its environment.

    Without the permission `system_env_json` holds only a ``redacted_message``.
    """

    environment_variables: dict[str, Json] | None = None
    staging_env_json: dict[str, Json] | None = None
    running_env_json: dict[str, Json] | None = None
    system_env_json: dict[str, Json] | None = None
    application_env_json: dict[str, Json] | None = None

    def __repr__(self) -> str:
        return f"<Environment of {len(self.environment_variables or {})} variables>"
