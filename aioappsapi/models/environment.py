"""The environment of an app. It holds secrets, so no repr here shows a value.

Source: https://v3-apidocs.cloudfoundry.org/#get-environment-for-an-app
"""

from __future__ import annotations

from typing import TypeAlias

from aioappsapi.models.base import Link, Struct

# msgspec cannot resolve a recursive alias, so deeper values are `object`.
Json: TypeAlias = str | int | float | bool | dict[str, object] | list[object] | None


class EnvironmentVariables(Struct, frozen=True, kw_only=True, gc=False):
    """The variables that users set for an app.

    Values are text, except for those set when the app was created: these may be any JSON.
    """

    var: dict[str, Json] = {}
    links: dict[str, Link] = {}

    def __repr__(self) -> str:
        return f"<EnvironmentVariables of {len(self.var)}>"


class Environment(Struct, frozen=True, kw_only=True, gc=False):
    """All variables that an app gets, by origin.

    A login that may not read secrets gets only a ``redacted_message`` in `system_env_json`.
    """

    environment_variables: dict[str, Json] | None = None
    staging_env_json: dict[str, Json] | None = None
    running_env_json: dict[str, Json] | None = None
    system_env_json: dict[str, Json] | None = None
    application_env_json: dict[str, Json] | None = None

    def __repr__(self) -> str:
        return f"<Environment of {len(self.environment_variables or {})} variables>"
