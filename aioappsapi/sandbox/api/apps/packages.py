"""Packages: the source of an app, or the name of its Docker image."""

from __future__ import annotations

import json
from typing import Final

from aioappsapi.sandbox.api import errors, list_query, ruby, validation
from aioappsapi.sandbox.api.access import DEVELOPERS, Access
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.apps.uploads import EMPTY_ZIP, parts_of
from aioappsapi.sandbox.api.call import Call, text_at
from aioappsapi.sandbox.api.errors import ApiError
from aioappsapi.sandbox.api.jobs import Jobs
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.listing import PACKAGES, metadata_of, page_of, to_app
from aioappsapi.sandbox.api.outages import UnknownError
from aioappsapi.sandbox.api.relationships import relationship_problems
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json, JsonValue
from aioappsapi.sandbox.world.model import App, guid, guid_of
from aioappsapi.sandbox.world.resources import Package
from aioappsapi.sandbox.world.shelf import Shelf
from aioappsapi.sandbox.world.state import World

_NO_APP: Final = "App is invalid. Ensure it exists and you have access to it."
_NO_SOURCE: Final = "Source package is invalid. Ensure it exists and you have access to it."
_NOT_BITS: Final = "Package type must be bits."
_UPLOADED: Final = "Bits may be uploaded only once. Create a new package to upload different bits."
_SECRET: Final = "***"
_UPLOAD: Final = ("bits", "bits_path", "bits_name", "upload_start_time", "resources")
_OF_AN_APP: Final = ("app_guids", "organization_guids", "space_guids")


class Packages:
    """The routes of packages."""

    def __init__(self, world: World, shelf: Shelf, access: Access, jobs: Jobs) -> None:
        self._world = world
        self._shelf = shelf
        self._access = access
        self._jobs = jobs

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET packages": self._list,
            "POST packages": self._create,
            "GET packages/*": self._show,
            "PATCH packages/*": self._update,
            "DELETE packages/*": self._delete,
            "POST packages/*/upload": self._upload,
            "GET packages/*/download": self._download,
            "GET apps/*/packages": self._of_app,
        }

    def find(self, token: Token, package_guid: str) -> Package | None:
        """Return the package if the token shows it."""
        package = self._shelf.packages.get(package_guid)
        if package is None:
            self._stocked()
            package = self._shelf.packages.get(package_guid)
        return package if package is not None and token.reads(package.app.space) else None

    # Reading.

    def _stocked(self) -> list[Package]:
        for app in self._world.apps.values():
            self._shelf.current_droplet(app)
        return list(self._shelf.packages.values())

    def _list(self, call: Call) -> Answer:
        return self._page(call, call.reader(), self._stocked(), PACKAGES)

    def _of_app(self, call: Call, app_guid: str) -> Answer:
        token = call.reader()
        rules = list_query.nested(PACKAGES, *_OF_AN_APP)
        list_query.ListQuery(rules, list_query.decode(call.query))
        app = self._access.app(token, app_guid)
        return self._page(call, token, [p for p in self._stocked() if p.app is app], rules)

    def _page(
        self, call: Call, token: Token, rows: list[Package], rules: list_query.ListRules
    ) -> Answer:
        def show(package: Package) -> Json:
            return _fields(call, package)

        filters = ("states", lambda row: row.state), ("types", lambda row: row.type)
        return page_of(call, token, rules, rows, show, *filters)

    def _visible(self, token: Token, package_guid: str) -> Package:
        package = self.find(token, package_guid)
        if package is None:
            raise errors.not_found("Package")
        return package

    def _changeable(self, token: Token, package_guid: str) -> Package:
        package = self._visible(token, package_guid)
        self._access.check_change(token, package.app.space, DEVELOPERS)
        return package

    def _show(self, call: Call, package_guid: str) -> Answer:
        package = self._visible(call.reader(), package_guid)
        self._shelf.count_read(package)
        return Answer(200, json_text(_fields(call, package)))

    def _download(self, call: Call, package_guid: str) -> Answer:
        token = call.reader()
        package = self._visible(token, package_guid)
        if not self._access.reads_secrets(token, package.app.space):
            raise errors.not_authorized()
        if package.type != "bits":
            raise errors.unprocessable(_NOT_BITS)
        if package.state != "READY":
            raise errors.unprocessable("Package has no bits to download.")
        headers = {
            "content-disposition": f'attachment; filename="{package.guid}"',
            "content-transfer-encoding": "binary",
        }
        return Answer(200, EMPTY_ZIP, "application/octet-stream", headers=headers)

    # Creating and changing.

    def _create(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        source = list_query.decode(call.query).get("source_guid")
        made = self._fresh(token, fields) if source is None else self._copy(token, fields, source)
        self._shelf.packages[made.guid] = made
        return Answer(201, json_text(_fields(call, made)))

    def _app(self, token: Token, fields: Json) -> App:
        app = self._world.apps.get(text_at(fields, "relationships", "app", "data", "guid"))
        if app is None or not token.reads(app.space):
            raise errors.unprocessable(_NO_APP)
        self._access.check_change(token, app.space, DEVELOPERS)
        return app

    def _fresh(self, token: Token, fields: Json) -> Package:
        validation.refuse(_problems(fields))
        app = self._app(token, fields)
        kind = str(fields["type"])
        if kind != "docker" and app.lifecycle == "docker":
            raise errors.unprocessable("Cannot create bits package for a Docker app.")
        if kind != "bits" and app.lifecycle == "buildpack":
            raise errors.unprocessable("Cannot create Docker package for a buildpack app.")
        source = fields.get("data") or {}
        package = Package(guid=guid(self._world.rng), app=app, type=kind)
        package.image, package.username = source.get("image"), source.get("username")
        if kind == "bits":
            package.state, package.uploaded = "AWAITING_UPLOAD", False
        validation.merge_metadata(fields, package.labels, package.annotations)
        return package

    def _copy(self, token: Token, fields: Json, source_guid: str) -> Package:
        app = self._app(token, fields)
        source = self.find(token, source_guid)
        if source is None:
            raise errors.unprocessable(_NO_SOURCE)
        self._access.check_change(token, source.app.space, DEVELOPERS)
        if source.app is app:
            raise errors.unprocessable("Source and destination app cannot be the same")
        copy = Package(guid=guid(self._world.rng), app=app, type=source.type, image=source.image)
        if copy.type == "bits":
            copy.state, copy.uploaded = "COPYING", False
            self._shelf.begin(copy, lambda: _uploaded(copy))
        return copy

    def _update(self, call: Call, package_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        known = ("username", "password", "metadata")
        validation.refuse(metadata_problems(fields) + validation.unknown_fields(fields, known))
        package = self._visible(token, package_guid)
        if package.type != "docker" and (fields.get("username") or fields.get("password")):
            raise errors.unprocessable("Cannot update Docker credentials for a buildpack app.")
        self._access.check_change(token, package.app.space, DEVELOPERS)
        if fields.get("username") is not None:
            package.username = fields["username"]
        validation.merge_metadata(fields, package.labels, package.annotations)
        package.touch()
        return Answer(200, json_text(_fields(call, package)))

    def _delete(self, call: Call, package_guid: str) -> Answer:
        package = self._changeable(call.writer(), package_guid)
        job = self._jobs.begin(
            "package.delete",
            ("package", package.guid),
            lambda _: self._shelf.forget_package(package.guid),
        )
        return self._jobs.accepted(call, job)

    def _upload(self, call: Call, package_guid: str) -> Answer:
        form = call.fields() or parts_of(call)
        token = call.writer()
        self._access.check_flag(token, "app_bits_upload")
        validation.refuse(_upload_problems(form))
        package = self._changeable(token, package_guid)
        if package.type != "bits":
            raise errors.unprocessable(_NOT_BITS)
        if package.state != "AWAITING_UPLOAD":
            raise ApiError(400, 150004, "CF-PackageBitsAlreadyUploaded", _UPLOADED)
        package.state = "PROCESSING_UPLOAD"
        self._shelf.begin(package, lambda: _uploaded(package))
        return Answer(200, json_text(_fields(call, package)))


def _problems(fields: Json) -> list[str]:
    known = ("relationships", "type", "data", "metadata")
    problems = metadata_problems(fields) + validation.unknown_fields(fields, known)
    kind, data = fields.get("type"), fields.get("data")
    if kind == "docker":
        problems += [f"Data {problem}" for problem in _image_problems(data)]
    elif kind == "bits" and data not in (None, {}):
        problems.append("Data Data must be empty if provided for bits packages")
    problems += relationship_problems(fields, "app")
    if kind not in ("bits", "docker"):
        problems.append("Type must be one of 'bits, docker'")
    return problems


def _image_problems(data: JsonValue) -> list[str]:
    if not isinstance(data, dict | None) and data is not False:
        # The server falls over data that is no object.
        raise UnknownError
    given = data if isinstance(data, dict) else {}
    image = given.get("image")
    problems = [] if isinstance(image, str) else ["Image must be a string"]
    if ruby.blank(image):
        problems.append("Image required")
    return problems + validation.unknown_fields(given, ("image", "username", "password"))


def _upload_problems(form: Json) -> list[str]:
    resources = form.get("resources")
    if resources:
        try:
            json.loads(resources)
        except (TypeError, ValueError):
            return ["Resources must be valid JSON."]
    problems = validation.unknown_fields(form, _UPLOAD)
    if not (form.get("bits") or form.get("bits_path") or resources):
        problems.append("Upload must include either resources or bits")
    return problems


def _uploaded(package: Package) -> None:
    package.state, package.uploaded = "READY", True


def _fields(call: Call, package: Package) -> Json:
    return {
        "guid": package.guid,
        "created_at": package.created_at,
        "updated_at": package.updated_at,
        "type": package.type,
        "data": _data(package),
        "state": package.state,
        "relationships": to_app(package.app.guid),
        "metadata": metadata_of(package),
        "links": _links(call.views.base, package),
    }


def _data(package: Package) -> Json:
    if package.type == "docker":
        secret = package.username and _SECRET
        return {"image": package.image, "username": package.username, "password": secret}
    value = guid_of("bits", package.guid).replace("-", "") * 2 if package.uploaded else None
    return {"error": None, "checksum": {"type": "sha256", "value": value}}


def _links(base: str, package: Package) -> Json:
    at = f"{base}/v3/packages/{package.guid}"
    links: dict[str, dict[str, str]] = {"self": {"href": at}}
    if package.type == "bits":
        links["upload"] = {"href": f"{at}/upload", "method": "POST"}
        links["download"] = {"href": f"{at}/download"}
    return links | {"app": {"href": f"{base}/v3/apps/{package.app.guid}"}}
