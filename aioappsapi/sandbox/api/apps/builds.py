"""Builds: how a package becomes a droplet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aioappsapi.sandbox.api import errors, list_query, ruby, validation
from aioappsapi.sandbox.api.access import DEVELOPERS, SUPPORTERS, Access
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.apps.lifecycles import (
    CNB,
    DOCKER,
    Lifecycle,
    app_lifecycle,
    check_lifecycle,
    lifecycle_of,
    lifecycle_problems,
    lifecycle_shape_problems,
)
from aioappsapi.sandbox.api.apps.packages import Packages
from aioappsapi.sandbox.api.apps.rollout import newest_web
from aioappsapi.sandbox.api.call import Call, text_at
from aioappsapi.sandbox.api.errors import ApiError
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.listing import APP_BUILDS, BUILDS, metadata_of, page_of, to_app
from aioappsapi.sandbox.api.outages import UP, stager_error
from aioappsapi.sandbox.api.places.usage import Usage
from aioappsapi.sandbox.api.platform.stacks import StackRefusedError, stack_warning
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.faults import Faults
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import App, guid
from aioappsapi.sandbox.world.randomness import rolls
from aioappsapi.sandbox.world.resources import Build, Droplet, Package
from aioappsapi.sandbox.world.shelf import Shelf
from aioappsapi.sandbox.world.state import World

_NO_PACKAGE: Final = (
    "Unable to use package. Ensure that the package exists and you have access to it."
)
_NOT_DETECTED: Final = (
    "NoAppDetectedError - An app was not successfully detected by any available buildpack"
)
_BUSY: Final = "Only one build can be STAGING at a time per application."
_NOT_READY: Final = "Bad request: Cannot stage package whose state is not ready."
_LEAST_MEMORY: Final = 1024
_FIELDS: Final = (
    "staging_memory_in_mb",
    "staging_disk_in_mb",
    "staging_log_rate_limit_bytes_per_second",
    "environment_variables",
    "lifecycle",
    "package",
    "metadata",
)


class Builds:
    """The routes of builds. `faults` returns the present faults."""

    def __init__(
        self,
        world: World,
        shelf: Shelf,
        access: Access,
        packages: Packages,
        usage: Usage,
        faults: Callable[[], Faults],
    ) -> None:
        self._world = world
        self._shelf = shelf
        self._access = access
        self._packages = packages
        self._usage = usage
        self._faults = faults

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET builds": self._list,
            "POST builds": self._create,
            "GET builds/*": self._show,
            "PATCH builds/*": self._update,
            "GET apps/*/builds": self._of_app,
        }

    def _list(self, call: Call) -> Answer:
        return self._page(call, call.reader(), list(self._shelf.builds.values()), BUILDS)

    def _of_app(self, call: Call, app_guid: str) -> Answer:
        token = call.reader()
        list_query.ListQuery(APP_BUILDS, list_query.decode(call.query))
        app = self._access.app(token, app_guid)
        rows = [build for build in self._shelf.builds.values() if build.app is app]
        return self._page(call, token, rows, APP_BUILDS)

    def _page(
        self, call: Call, token: Token, rows: list[Build], rules: list_query.ListRules
    ) -> Answer:
        def show(build: Build) -> Json:
            return _shown(call, build)

        filters = ("states", lambda row: row.state), ("package_guids", lambda row: row.package)
        return page_of(call, token, rules, rows, show, *filters)

    def _visible(self, token: Token, build_guid: str) -> Build:
        build = self._shelf.builds.get(build_guid)
        if build is None or not token.reads(build.app.space):
            raise errors.not_found("Build")
        return build

    def _show(self, call: Call, build_guid: str) -> Answer:
        build = self._visible(call.reader(), build_guid)
        self._shelf.count_read(build)
        return Answer(200, json_text(_shown(call, build)))

    def _update(self, call: Call, build_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        build = self._visible(token, build_guid)
        if "state" in fields:
            if not token.is_admin:
                raise errors.not_authorized()
        else:
            self._access.check_change(token, build.app.space, DEVELOPERS)
        validation.refuse(_update_problems(fields))
        validation.merge_metadata(fields, build.labels, build.annotations)
        build.touch()
        return Answer(200, json_text(_shown(call, build)))

    # Creating.

    def _create(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        validation.refuse(_problems(fields))
        package = self._package(token, text_at(fields, "package", "guid"))
        if package.type == "docker":
            self._access.check_flag(token, "diego_docker")
        wanted = lifecycle_of(fields, package.app.lifecycle)
        if wanted.kind == CNB:
            self._access.check_flag(token, "diego_cnb")
        check_lifecycle(self._world, wanted)
        lifecycle = _completed(wanted, package.app)
        warning = self._check(package, lifecycle)
        build = self._planned(fields, token, package, lifecycle)
        self._shelf.builds[build.guid] = build
        mode = call.diego or self._world.diego
        if mode != UP:
            # The build exists, but staging never begins.
            raise stager_error(mode, self._world.diego_error)
        error = self._error(package.app)
        self._shelf.begin(build, lambda: self._staged(build, package, error))
        return Answer(201, json_text(_shown(call, build)), headers=warning)

    def _package(self, token: Token, package_guid: str) -> Package:
        package = self._packages.find(token, package_guid)
        if package is None or not self._access.may_change(token, package.app.space, SUPPORTERS):
            raise errors.unprocessable(_NO_PACKAGE)
        self._access.check_writable(token, package.app.space)
        return package

    def _check(self, package: Package, lifecycle: Lifecycle) -> dict[str, str]:
        """Refuse a package that cannot be staged now; return headers that warn of its stack."""
        earlier = [b for b in self._shelf.builds.values() if b.app is package.app]
        stack = self._world.stacks.get(lifecycle.stack or "")
        try:
            warning = stack_warning(stack, fresh=not earlier)
        except StackRefusedError as error:
            raise ApiError(422, 250004, "CF-StackValidationFailed", str(error)) from error
        if any(build.state == "STAGING" for build in earlier):
            raise ApiError(422, 170017, "CF-StagingInProgress", _BUSY)
        if package.state != "READY":
            raise ApiError(400, 1004, "CF-BadRequest", _NOT_READY)
        return warning

    def _planned(self, fields: Json, token: Token, package: Package, lifecycle: Lifecycle) -> Build:
        app, web = package.app, newest_web(package.app)
        requested = fields.get("staging_memory_in_mb") or web.memory_in_mb
        memory = max(_LEAST_MEMORY, int(requested))
        if int(requested) >= _LEAST_MEMORY:
            self._usage.check_staging_memory(app, memory)
        least = self._world.least_staging_disk_in_mb
        disk = max(least, int(fields.get("staging_disk_in_mb") or web.disk_in_mb or 0))
        if disk > max(least, self._world.max_disk_in_mb):
            raise errors.unprocessable("disk limit exceeded")
        given = fields.get("staging_log_rate_limit_bytes_per_second")
        rate = web.log_rate if given is None else int(given)
        self._usage.check_staging_rate(app, rate)
        build = Build(guid=guid(self._world.rng), app=app, package=package.guid)
        build.memory_in_mb, build.disk_in_mb = memory, disk
        build.log_rate = rate
        build.lifecycle = {"type": lifecycle.kind, "data": lifecycle.data()}
        build.creator = _creator(token)
        validation.merge_metadata(fields, build.labels, build.annotations)
        return build

    def _error(self, app: App) -> str | None:
        """Return the error of the app's next build, or None if the build will succeed."""
        if self._shelf.staging_error is not None:
            return f"StagingError - Staging error: {self._shelf.staging_error}"
        number = sum(build.app is app for build in self._shelf.builds.values()) - 1
        (drawn,) = rolls(self._world.seed, "staging", app.guid, number, count=1)
        return _NOT_DETECTED if drawn < self._faults().staging_failed else None

    def _staged(self, build: Build, package: Package, error: str | None) -> None:
        if error is not None:
            build.state, build.error = "FAILED", error
            return
        droplet = Droplet(guid=guid(self._world.rng), app=build.app, package=package.guid)
        droplet.image, droplet.lifecycle = package.image, build.lifecycle["type"]
        data = build.lifecycle["data"]
        droplet.stack = data.get("stack")
        droplet.buildpacks = data.get("buildpacks") or droplet.buildpacks
        self._shelf.droplets[droplet.guid] = droplet
        build.state, build.droplet = "STAGED", droplet.guid


def _completed(wanted: Lifecycle, app: App) -> Lifecycle:
    """Return the lifecycle of a build, completed with the values of its app."""
    if wanted.kind == DOCKER:
        return wanted
    own = app_lifecycle(app)
    buildpacks = own.buildpacks if wanted.buildpacks is None else wanted.buildpacks
    return Lifecycle(wanted.kind, buildpacks, wanted.stack or own.stack)


def _problems(fields: Json) -> list[str]:
    problems = metadata_problems(fields)
    for name in ("staging_disk_in_mb", "staging_memory_in_mb"):
        problems += validation.number_problems(name, fields.get(name), 1, positive=True)
    rate = "staging_log_rate_limit_bytes_per_second"
    problems += validation.number_problems(rate, fields.get(rate), -1, 2**63 - 1)
    problems += validation.unknown_fields(fields, _FIELDS)
    problems += lifecycle_problems(fields, needs_type=False)
    package = fields.get("package")
    package_guid = package.get("guid") if isinstance(package, dict) else None
    if ruby.blank(package_guid):
        problems.append("Package guid can't be blank")
    problems += validation.guid_problems("Package guid", package_guid)
    return problems + lifecycle_shape_problems(fields, needs_type=True)


def _update_problems(fields: Json) -> list[str]:
    problems = metadata_problems(fields)
    problems += validation.unknown_fields(fields, ("state", "error", "lifecycle", "metadata"))
    state = fields.get("state")
    if "state" in fields and state not in ("FAILED", "STAGED"):
        problems.append(f"State '{ruby.text(state)}' is not a valid state")
    if state == "STAGED" and ruby.blank(fields.get("lifecycle")):
        problems.append("Lifecycle 'STAGED' builds require lifecycle data")
    fine = isinstance(fields.get("error"), str | None)
    return problems if fine else [*problems, "Error must be a string"]


def _creator(token: Token) -> tuple[str, str, str]:
    if token.user is None:
        return token.user_guid, token.user_guid, ""
    return token.user_guid, token.user.name, token.user.email


def _shown(call: Call, build: Build) -> Json:
    base = call.views.base
    links = {
        "self": {"href": f"{base}/v3/builds/{build.guid}"},
        "app": {"href": f"{base}/v3/apps/{build.app.guid}"},
    }
    if build.droplet is not None:
        links["droplet"] = {"href": f"{base}/v3/droplets/{build.droplet}"}
    return {
        "guid": build.guid,
        "created_at": build.created_at,
        "updated_at": build.updated_at,
        "state": build.state,
        "staging_memory_in_mb": build.memory_in_mb,
        "staging_disk_in_mb": build.disk_in_mb,
        "staging_log_rate_limit_bytes_per_second": build.log_rate,
        "error": build.error,
        "lifecycle": build.lifecycle,
        "package": {"guid": build.package},
        "droplet": {"guid": build.droplet} if build.droplet else None,
        "created_by": dict(zip(("guid", "name", "email"), build.creator, strict=True)),
        "relationships": to_app(build.app.guid),
        "metadata": metadata_of(build),
        "links": links,
    }
