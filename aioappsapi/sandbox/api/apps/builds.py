"""Packages and builds: an app's source or image, and how it becomes a droplet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ...api.token import Token
from ...world.faults import Faults
from ...world.json_types import Json
from ...world.model import App, guid, guid_of
from ...world.randomness import rolls
from ...world.resources import Build, Droplet, Package, Shelf
from ...world.state import World
from .. import errors, validation
from ..access import DEVELOPERS, Access
from ..answer import Answer, json_text
from ..call import Call, dig
from ..errors import ApiError
from ..labels import metadata_problems
from ..listing import BUILDS, PACKAGES, metadata_of, page_of, to_app
from ..outages import UP, stager_unavailable
from ..router import Handler

_NO_APP: Final = "App is invalid. Ensure it exists and you have access to it."
_NO_PACKAGE: Final = (
    "Unable to use package. Ensure that the package exists and you have access to it."
)
_EMPTY_ZIP: Final = "PK\5\6" + "\0" * 18
_NOT_DETECTED: Final = (
    "NoAppDetectedError - An app was not successfully detected by any available buildpack"
)
_BUILD: Final = (
    "package",
    "lifecycle",
    "staging_memory_in_mb",
    "staging_disk_in_mb",
    "staging_log_rate_limit_bytes_per_second",
    "environment_variables",
    "metadata",
)
_BUSY: Final = "Only one build can be STAGING at a time per application."


class Builds:
    """The routes of packages and builds."""

    def __init__(
        self, world: World, shelf: Shelf, access: Access, faults: Callable[[], Faults]
    ) -> None:
        self._world = world
        self._shelf = shelf
        self._access = access
        self._faults = faults

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET packages": self._packages,
            "POST packages": self._create_package,
            "GET packages/*": self._package,
            "POST packages/*/upload": self._upload,
            "GET packages/*/download": self._download,
            "GET apps/*/packages": self._packages_of,
            "GET builds": self._builds,
            "POST builds": self._create_build,
            "GET builds/*": self._build,
            "GET apps/*/builds": self._builds_of,
        }

    # Packages.

    def _stocked(self) -> list[Package]:
        for app in self._world.apps.values():
            self._shelf.current_droplet(app)
        return list(self._shelf.packages.values())

    def _packages(self, call: Call) -> Answer:
        return self._package_page(call, self._stocked())

    def _packages_of(self, call: Call, app_guid: str) -> Answer:
        app = self._access.readable(call, app_guid)
        return self._package_page(call, [p for p in self._stocked() if p.app is app])

    def _package_page(self, call: Call, rows: list[Package]) -> Answer:
        def show(package: Package) -> Json:
            return _shown_package(call, package)

        wishes = ("states", lambda row: row.state), ("types", lambda row: row.type)
        return page_of(call, call.reader(), PACKAGES, rows, show, *wishes)

    def _visible_package(self, token: Token, package_guid: str) -> Package | None:
        package = self._shelf.packages.get(package_guid)
        if package is None:
            self._stocked()
            package = self._shelf.packages.get(package_guid)
        return package if package is not None and token.reads(package.app.space) else None

    def _package(self, call: Call, package_guid: str) -> Answer:
        package = self._visible_package(call.reader(), package_guid)
        if package is None:
            raise errors.not_found("Package")
        self._shelf.look_at(package)
        return Answer(200, json_text(_shown_package(call, package)))

    def _create_package(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        _check_package(fields)
        app = self._world.apps.get(call.asked_app(fields))
        if app is None or not token.reads(app.space):
            raise errors.unprocessable(_NO_APP)
        self._access.check_change(token, app.space, DEVELOPERS)
        source = fields.get("data") or {}
        package = Package(guid=guid(self._world.rng), app=app, type=fields["type"])
        package.image, package.username = source.get("image"), source.get("username")
        package.password = source.get("password")
        if package.type == "bits":
            package.state, package.uploaded = "AWAITING_UPLOAD", False
        validation.merge_metadata(fields, package.labels, package.annotations)
        self._shelf.packages[package.guid] = package
        return Answer(201, json_text(_shown_package(call, package)))

    def _upload(self, call: Call, package_guid: str) -> Answer:
        token = call.writer()
        package = self._visible_package(token, package_guid)
        if package is None:
            raise errors.not_found("Package")
        self._access.check_change(token, package.app.space, DEVELOPERS)
        if "multipart/form-data" not in call.content_type:
            raise errors.unprocessable("Upload must include either resources or bits")
        package.state, package.uploaded = "PROCESSING_UPLOAD", False
        self._shelf.begin(package, lambda: _uploaded(package))
        return Answer(200, json_text(_shown_package(call, package)))

    def _download(self, call: Call, package_guid: str) -> Answer:
        package = self._visible_package(call.reader(), package_guid)
        if package is None:
            raise errors.not_found("Package")
        headers = {
            "content-disposition": f'attachment; filename="{package.guid}"',
            "content-transfer-encoding": "binary",
        }
        return Answer(200, _EMPTY_ZIP, "application/octet-stream", headers=headers)

    # Builds.

    def _builds(self, call: Call) -> Answer:
        return self._build_page(call, list(self._shelf.builds.values()))

    def _builds_of(self, call: Call, app_guid: str) -> Answer:
        app = self._access.readable(call, app_guid)
        return self._build_page(call, [b for b in self._shelf.builds.values() if b.app is app])

    def _build_page(self, call: Call, rows: list[Build]) -> Answer:
        def show(build: Build) -> Json:
            return _shown_build(call, build)

        wishes = ("states", lambda row: row.state), ("package_guids", lambda row: row.package)
        return page_of(call, call.reader(), BUILDS, rows, show, *wishes)

    def _build(self, call: Call, build_guid: str) -> Answer:
        token = call.reader()
        build = self._shelf.builds.get(build_guid)
        if build is None or not token.reads(build.app.space):
            raise errors.not_found("Build")
        self._shelf.look_at(build)
        return Answer(200, json_text(_shown_build(call, build)))

    def _create_build(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        _check_build(fields)
        package = self._visible_package(token, dig(fields, "package", "guid"))
        if package is None:
            raise errors.unprocessable(_NO_PACKAGE)
        self._access.check_change(token, package.app.space, DEVELOPERS)
        earlier = [b for b in self._shelf.builds.values() if b.app is package.app]
        if any(build.state == "STAGING" for build in earlier):
            raise ApiError(422, 170017, "CF-StagingInProgress", _BUSY)
        if self._world.diego != UP or call.runner_down:
            raise stager_unavailable()
        build = Build(guid=guid(self._world.rng), app=package.app, package=package.guid)
        build.creator = _creator(token)
        validation.merge_metadata(fields, build.labels, build.annotations)
        self._shelf.builds[build.guid] = build
        error = self._error(package.app, len(earlier))
        self._shelf.begin(build, lambda: self._staged(build, package, error))
        return Answer(201, json_text(_shown_build(call, build)))

    def _error(self, app: App, number: int) -> str | None:
        """Return what the app's n-th build fails with, None if it does not."""
        if self._shelf.staging_error is not None:
            return f"StagingError - Staging error: {self._shelf.staging_error}"
        (lot,) = rolls(self._world.seed, "staging", app.guid, number, count=1)
        return _NOT_DETECTED if lot < self._faults().staging_failed else None

    def _staged(self, build: Build, package: Package, error: str | None) -> None:
        if error is not None:
            build.state, build.error = "FAILED", error
            return
        droplet = Droplet(guid=guid(self._world.rng), app=build.app, package=package.guid)
        droplet.image = package.image
        self._shelf.droplets[droplet.guid] = droplet
        build.state, build.droplet = "STAGED", droplet.guid


def _check_build(fields: Json) -> None:
    problems = metadata_problems(fields)
    for name in ("staging_disk_in_mb", "staging_memory_in_mb"):
        problems += validation.number_problems(name, fields.get(name), 1, positive=True)
    problems += validation.unknown_fields(fields, _BUILD)
    package = fields.get("package")
    package_guid = package.get("guid") if isinstance(package, dict) else None
    if not package_guid:
        problems.append("Package guid can't be blank")
    if not isinstance(package_guid, str):
        problems.append("Package guid must be a string")
    if not isinstance(package_guid, str) or not 1 <= len(package_guid) <= 200:
        problems.append("Package guid must be between 1 and 200 characters")
    validation.refuse(problems)


def _check_package(fields: Json) -> None:
    problems = validation.unknown_fields(fields, ("type", "data", "relationships", "metadata"))
    kind, data = fields.get("type"), fields.get("data")
    if not isinstance(data, dict | None):
        problems.append("Data must be an object")
    elif kind == "docker" and not dig(data, "image"):
        problems.append("Data Image required")
    elif kind == "bits" and data:
        problems.append("Data must be empty if provided for bits packages")
    problems += validation.relationship_problems(fields, "app")
    if kind not in ("bits", "docker"):
        problems.append("Type must be one of 'bits, docker'")
    validation.refuse(metadata_problems(fields) + problems)


def _uploaded(package: Package) -> None:
    package.state, package.uploaded = "READY", True


def _creator(token: Token) -> tuple[str, str, str]:
    name = token.user.name if token.user is not None else token.user_guid
    return token.user_guid, name, f"{name}@sandbox.example"


def _shown_package(call: Call, package: Package) -> Json:
    return {
        "guid": package.guid,
        "created_at": package.created_at,
        "updated_at": package.updated_at,
        "type": package.type,
        "data": _package_data(package),
        "state": package.state,
        "relationships": to_app(package.app.guid),
        "metadata": metadata_of(package),
        "links": _package_links(call.views.base, package),
    }


def _package_data(package: Package) -> Json:
    if package.type == "docker":
        secret = None if package.password is None else "***"
        return {"image": package.image, "username": package.username, "password": secret}
    value = guid_of("bits", package.guid).replace("-", "") * 2 if package.uploaded else None
    return {"error": None, "checksum": {"type": "sha256", "value": value}}


def _package_links(base: str, package: Package) -> Json:
    at = f"{base}/v3/packages/{package.guid}"
    links: dict[str, dict[str, str]] = {"self": {"href": at}}
    if package.type == "bits":
        links["upload"] = {"href": f"{at}/upload", "method": "POST"}
        links["download"] = {"href": f"{at}/download"}
    return links | {"app": {"href": f"{base}/v3/apps/{package.app.guid}"}}


def _shown_build(call: Call, build: Build) -> Json:
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
        "staging_memory_in_mb": 1024,
        "staging_disk_in_mb": 4096,
        "staging_log_rate_limit_bytes_per_second": 1048576,
        "error": build.error,
        "lifecycle": _build_lifecycle(build),
        "package": {"guid": build.package},
        "droplet": {"guid": build.droplet} if build.droplet else None,
        "created_by": dict(zip(("guid", "name", "email"), build.creator, strict=True)),
        "relationships": to_app(build.app.guid),
        "metadata": metadata_of(build),
        "links": links,
    }


def _build_lifecycle(build: Build) -> Json:
    app = build.app
    if app.lifecycle == "docker":
        return {"type": "docker", "data": {}}
    data = {"buildpacks": app.buildpacks or [], "stack": app.stack}
    return {"type": app.lifecycle, "data": data}
