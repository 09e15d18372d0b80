"""Apps: creating and changing them, with their variables, features and permissions."""

from __future__ import annotations

from typing import Final

from aioappsapi.sandbox.api import errors, validation
from aioappsapi.sandbox.api.access import DEVELOPERS, SUPPORTERS, Access
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.apps.lifecycles import (
    BUILDPACK,
    CNB,
    DOCKER,
    Lifecycle,
    check_lifecycle,
    lifecycle_of,
    lifecycle_problems,
    lifecycle_shape_problems,
)
from aioappsapi.sandbox.api.call import Call, text_at
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.platform.stacks import stack_warning
from aioappsapi.sandbox.api.relationships import relationship_problems
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.api.views import HIDDEN
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import App, Space, timestamp
from aioappsapi.sandbox.world.realm import Realm

_FEATURES: Final = {
    "ssh": "Enable SSHing into the app.",
    "revisions": "Enable versioning of an application",
    "service-binding-k8s": "Enable k8s service bindings for the app",
    "file-based-vcap-services": "Enable file-based VCAP service bindings for the app",
}
_CREATION: Final = ("name", "relationships", "lifecycle", "environment_variables", "metadata")
_UPDATE: Final = ("name", "lifecycle", "metadata")
_BINDING: Final = ("service-binding-k8s", "file-based-vcap-services")
_NO_SPACE: Final = "Invalid space. Ensure that the space exists and you have access to it."


class AppRoutes:
    """The routes below /v3/apps that concern one app."""

    def __init__(self, realm: Realm, access: Access) -> None:
        self._realm = realm
        self._world = realm.world
        self._access = access

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "POST apps": self._create,
            "PATCH apps/*": self._update,
            "GET apps/*/env": self._environment,
            "GET apps/*/environment_variables": self._variables,
            "PATCH apps/*/environment_variables": self._set_variables,
            "GET apps/*/features": self._features,
            "GET apps/*/features/*": self._feature,
            "PATCH apps/*/features/*": self._set_feature,
            "GET apps/*/permissions": self._permissions,
            "GET apps/*/ssh_enabled": self._ssh_enabled,
        }

    # Creating and changing.

    def _create(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        validation.refuse(_creation_problems(fields))
        space = self._space(token, text_at(fields, "relationships", "space", "data", "guid"))
        self._access.check_change(token, space, DEVELOPERS)
        wanted = lifecycle_of(fields, BUILDPACK)
        if wanted.kind in {DOCKER, CNB}:
            self._access.check_flag(token, f"diego_{wanted.kind}")
        check_lifecycle(self._world, wanted)
        name, variables = fields["name"].strip(), fields.get("environment_variables")
        validation.refuse(
            [*validation.app_name_problems(name), *validation.environment_problems(variables or {})]
        )
        if self._taken(name, space):
            raise errors.uniqueness(f"App with the name '{name}' already exists.")
        validation.merge_metadata(fields, {}, {})
        warning = stack_warning(self._world.stacks.get(wanted.stack or ""), fresh=True)
        app = self._world.add_app(name, space=space, droplet=False, lifecycle=wanted.kind)
        app.environment, app.credentials = variables, wanted.credentials is not None
        _apply(app, fields, wanted, fresh=True)
        return Answer(201, call.views.app(app), headers=warning)

    def _space(self, token: Token, space_guid: str) -> Space:
        space = self._world.spaces.get(space_guid)
        if space is None or not token.reads(space):
            raise errors.unprocessable(_NO_SPACE)
        return space

    def _taken(self, name: str, space: Space, but: App | None = None) -> bool:
        name = name.lower()
        return any(
            app.space is space and app is not but and app.name.lower() == name
            for app in self._world.apps.values()
        )

    def _update(self, call: Call, app_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        validation.refuse(_update_problems(fields))
        app = self._access.app(token, app_guid)
        self._access.check_change(token, app.space, DEVELOPERS)
        wanted = lifecycle_of(fields, app.lifecycle)
        check_lifecycle(self._world, wanted)
        if wanted.kind != app.lifecycle:
            raise errors.unprocessable(
                f"Lifecycle type cannot be changed from {app.lifecycle} to {wanted.kind}"
            )
        if "name" in fields:
            self._rename(app, fields["name"])
        _apply(app, fields, wanted, fresh=False)
        if fields:
            app.updated_at = timestamp()
        # The server checks the state of the stack last.
        builds = self._realm.shelf.builds.values()
        fresh = not any(build.app is app for build in builds)
        warning = stack_warning(self._world.stacks.get(wanted.stack or ""), fresh=fresh)
        return Answer(200, call.views.app(app), headers=warning)

    def _rename(self, app: App, wanted: str | None) -> None:
        name = (wanted or "").strip()
        validation.refuse(validation.app_name_problems(name))
        if self._taken(name, app.space, but=app):
            raise errors.unprocessable(f"App with the name '{name}' already exists.")
        app.name = name

    # Variables.

    def _environment(self, call: Call, app_guid: str) -> Answer:
        token, app = self._access.with_secrets(call, app_guid)
        groups = self._world.environment_groups
        system: Json = {"VCAP_SERVICES": self._realm.marketplace.variables(app)}
        if not self._access.reads_secrets(token, app.space):
            system = {"redacted_message": HIDDEN}
        fields = {
            "environment_variables": app.environment,
            "staging_env_json": groups["staging"],
            "running_env_json": groups["running"],
            "system_env_json": system,
            "application_env_json": {"VCAP_APPLICATION": self._vcap_application(call, app)},
        }
        return Answer(200, json_text(fields))

    def _vcap_application(self, call: Call, app: App) -> Json:
        uris = self._realm.network.addresses(app)
        return {
            "cf_api": call.views.base,
            "limits": {"fds": 16384},
            "application_name": app.name,
            "application_uris": uris,
            "name": app.name,
            "space_name": app.space.name,
            "space_id": app.space.guid,
            "organization_id": app.space.organization.guid,
            "organization_name": app.space.organization.name,
            "uris": uris,
            "users": None,
            "application_id": app.guid,
        }

    def _variables(self, call: Call, app_guid: str) -> Answer:
        _, app = self._access.with_secrets(call, app_guid)
        return self._shown_variables(call, app)

    def _set_variables(self, call: Call, app_guid: str) -> Answer:
        fields = call.fields()
        _, app = self._access.changeable(call, app_guid)
        validation.check_variables(fields)
        self._realm.shelf.latest_revision(app)
        merged = (app.environment or {}) | fields["var"]
        # Variables that have been null since the creation go as well.
        app.environment = {name: value for name, value in merged.items() if value is not None}
        app.updated_at = timestamp()
        return self._shown_variables(call, app)

    def _shown_variables(self, call: Call, app: App) -> Answer:
        at = f"{call.views.base}/v3/apps/{app.guid}"
        links = {"self": {"href": f"{at}/environment_variables"}, "app": {"href": at}}
        return Answer(200, json_text({"var": app.environment or {}, "links": links}))

    # Features and permissions.

    def _features(self, call: Call, app_guid: str) -> Answer:
        app = self._access.readable(call, app_guid)
        # The links here have no host, and the list has no pages.
        here = {"href": f"/v3/apps/{app.guid}/features"}
        pagination = {
            "total_results": len(_FEATURES),
            "total_pages": 1,
            "first": here,
            "last": here,
            "next": None,
            "previous": None,
        }
        resources = [_feature(app, name) for name in _FEATURES]
        return Answer(200, json_text({"resources": resources, "pagination": pagination}))

    def _feature(self, call: Call, app_guid: str, name: str) -> Answer:
        app = self._access.readable(call, app_guid)
        return Answer(200, json_text(_feature(app, name)))

    def _set_feature(self, call: Call, app_guid: str, name: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        app = self._access.app(token, app_guid)
        _feature(app, name)
        roles = SUPPORTERS if name == "revisions" else DEVELOPERS
        self._access.check_change(token, app.space, roles)
        problems = validation.unknown_fields(fields, ("enabled",))
        if not isinstance(fields.get("enabled"), bool):
            problems.append("Enabled must be a boolean")
        validation.refuse(problems)
        _check_one_binding(app, name, enabled=fields["enabled"])
        app.features = (app.features or {}) | {name: fields["enabled"]}
        return Answer(200, json_text(_feature(app, name)))

    def _permissions(self, call: Call, app_guid: str) -> Answer:
        token = call.reader()
        app = self._access.app(token, app_guid)
        sensitive = self._access.reads_secrets(token, app.space)
        return Answer(200, json_text({"read_basic_data": True, "read_sensitive_data": sensitive}))

    def _ssh_enabled(self, call: Call, app_guid: str) -> Answer:
        app = self._access.readable(call, app_guid)
        reason = ""
        if not app.space.ssh:
            reason = f"ssh is disabled for space '{app.space.name}'"
        elif not app.has("ssh"):
            reason = "ssh is disabled for app"
        return Answer(200, json_text({"enabled": not reason, "reason": reason}))


def app_features(app: App) -> dict[str, bool]:
    """Return each feature of the app, and whether it is on."""
    return {name: app.has(name) for name in _FEATURES}


def _feature(app: App, name: str) -> Json:
    if name not in _FEATURES:
        raise errors.not_found("Feature")
    return {"name": name, "description": _FEATURES[name], "enabled": app.has(name)}


def _check_one_binding(app: App, name: str, *, enabled: bool) -> None:
    if enabled and name in _BINDING and any(app.has(n) for n in _BINDING if n != name):
        raise errors.unprocessable(
            "'file-based-vcap-services' and 'service-binding-k8s' features cannot be enabled "
            "at the same time."
        )


def _creation_problems(fields: Json) -> list[str]:
    problems = metadata_problems(fields) + validation.unknown_fields(fields, _CREATION)
    problems += relationship_problems(fields, "space")
    problems += lifecycle_problems(fields, needs_type=True)
    problems += validation.name_problems(fields.get("name"), nullable=False)
    if not isinstance(fields.get("environment_variables", {}), dict | None):
        problems.append("Environment variables must be an object")
    return problems + lifecycle_shape_problems(fields)


def _update_problems(fields: Json) -> list[str]:
    problems = metadata_problems(fields) + validation.unknown_fields(fields, _UPDATE)
    problems += lifecycle_problems(fields, needs_type=False)
    if "name" in fields:
        problems += validation.name_problems(fields["name"], nullable=True)
    return problems + lifecycle_shape_problems(fields)


def _apply(app: App, fields: Json, wanted: Lifecycle, *, fresh: bool) -> None:
    if wanted.buildpacks is not None:
        app.buildpacks = validation.masked(wanted.buildpacks)
    if wanted.sets_stack and not (fresh and wanted.stack is None):
        app.stack = wanted.stack
    app.annotations = {} if app.annotations is None else app.annotations
    validation.merge_metadata(fields, app.labels, app.annotations)
