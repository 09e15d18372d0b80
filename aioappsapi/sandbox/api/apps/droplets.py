"""Droplets: staged apps, the current droplet of an app, copies, uploads and downloads."""

from __future__ import annotations

import re
from typing import Final

from aioappsapi.sandbox.api import errors, list_query, validation
from aioappsapi.sandbox.api.access import DEVELOPERS, SUPPORTERS, Access, holds
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.apps.assigning import assign_droplet
from aioappsapi.sandbox.api.apps.uploads import EMPTY_ZIP, parts_of
from aioappsapi.sandbox.api.call import Call, text_at
from aioappsapi.sandbox.api.jobs import Jobs
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.listing import DROPLETS, metadata_of, page_of, to_app
from aioappsapi.sandbox.api.outages import UnknownError
from aioappsapi.sandbox.api.relationships import relationship_problems
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.api.views import HIDDEN, HIDDEN_IN_LISTS
from aioappsapi.sandbox.world.json_types import Json, JsonValue
from aioappsapi.sandbox.world.model import App, guid, guid_of
from aioappsapi.sandbox.world.resources import Droplet
from aioappsapi.sandbox.world.shelf import Shelf
from aioappsapi.sandbox.world.state import World

_NO_REMOVAL: Final = "Current droplet cannot be removed. Replace it with a preferred droplet."
_DEPLOYING: Final = (
    "Unable to assign current droplet while the app has a deployment in progress. "
    "Wait for the deployment to complete or cancel it."
)
_UPLOADED: Final = "Droplet may be uploaded only once. Create a new droplet to upload bits."
_NOT_FOR_DOCKER: Final = "Droplet creation is not available for apps with docker lifecycles."
_TGZ: Final = re.compile(r".*\.(tgz|tar\.gz)")
_DOWNLOADERS: Final = frozenset({"space_developer", "space_manager", "space_auditor"})
_OF_AN_APP: Final = ("app_guids", "organization_guids", "space_guids")


class Droplets:
    """The routes of droplets."""

    def __init__(self, world: World, shelf: Shelf, access: Access, jobs: Jobs) -> None:
        self._world = world
        self._shelf = shelf
        self._access = access
        self._jobs = jobs

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET apps/*/droplets/current": self._current,
            "GET apps/*/relationships/current_droplet": self._association,
            "PATCH apps/*/relationships/current_droplet": self._assign,
            "GET apps/*/droplets": self._of_app,
            "GET packages/*/droplets": self._of_package,
            "GET droplets": self._list,
            "POST droplets": self._create,
            "GET droplets/*": self._show,
            "PATCH droplets/*": self._update,
            "DELETE droplets/*": self._delete,
            "POST droplets/*/upload": self._upload,
            "GET droplets/*/download": self._download,
        }

    # The current droplet.

    def _current_of(self, call: Call, app_guid: str) -> Droplet:
        app = self._access.readable(call, app_guid)
        droplet = self._shelf.current_droplet(app)
        if droplet is None:
            raise errors.not_found("Droplet")
        return droplet

    def _current(self, call: Call, app_guid: str) -> Answer:
        return Answer(200, json_text(_shown(call, self._current_of(call, app_guid))))

    def _association(self, call: Call, app_guid: str) -> Answer:
        droplet = self._current_of(call, app_guid)
        return _associated(call, droplet.app, droplet.guid)

    def _assign(self, call: Call, app_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        wanted = _wanted(fields)
        app = self._access.app(token, app_guid)
        self._access.check_change(token, app.space, SUPPORTERS)
        if self._shelf.running_deployment(app) is not None:
            raise errors.unprocessable(_DEPLOYING)
        self._shelf.current_droplet(app)
        droplet = self._shelf.droplets.get(wanted) if wanted else None
        assign_droplet(self._shelf, app, droplet)
        return _associated(call, app, wanted or "")

    # Reading.

    def _all(self) -> list[Droplet]:
        for app in self._world.apps.values():
            self._shelf.current_droplet(app)
        return list(self._shelf.droplets.values())

    def _list(self, call: Call) -> Answer:
        return self._page(call, call.reader(), self._all(), list_query.nested(DROPLETS, "current"))

    def _of_app(self, call: Call, app_guid: str) -> Answer:
        token = call.reader()
        rules = list_query.nested(DROPLETS, *_OF_AN_APP)
        given = list_query.decode(call.query)
        list_query.ListQuery(rules, dict(given))
        if given.get("current", "true") != "true":
            raise errors.bad_query(["Current only accepts the value 'true'"])
        app = self._access.app(token, app_guid)
        self._shelf.current_droplet(app)
        rows = [d for d in self._shelf.droplets.values() if d.app is app]
        if "current" in given:
            rows = [d for d in rows if d.guid == app.droplet]
        return self._page(call, token, rows, rules)

    def _of_package(self, call: Call, package_guid: str) -> Answer:
        token = call.reader()
        rows = self._all()
        package = self._shelf.packages.get(package_guid)
        rules = list_query.nested(DROPLETS, "current")
        list_query.ListQuery(rules, list_query.decode(call.query))
        if package is None or not token.reads(package.app.space):
            raise errors.not_found("Package")
        return self._page(call, token, [d for d in rows if d.package == package_guid], rules)

    def _page(
        self, call: Call, token: Token, rows: list[Droplet], rules: list_query.ListRules
    ) -> Answer:
        def show(droplet: Droplet) -> Json:
            return _shown(call, droplet, hidden=HIDDEN_IN_LISTS)

        return page_of(call, token, rules, rows, show, ("states", lambda row: row.state))

    def _visible(self, token: Token, droplet_guid: str) -> Droplet:
        droplet = self._shelf.droplet(droplet_guid)
        if droplet is None or not token.reads(droplet.app.space):
            raise errors.not_found("Droplet")
        return droplet

    def _show(self, call: Call, droplet_guid: str) -> Answer:
        token = call.reader()
        droplet = self._visible(token, droplet_guid)
        self._shelf.count_read(droplet)
        secrets = self._access.reads_secrets(token, droplet.app.space)
        return Answer(200, json_text(_shown(call, droplet, hidden="" if secrets else HIDDEN)))

    def _download(self, call: Call, droplet_guid: str) -> Answer:
        token = call.reader()
        droplet = self._visible(token, droplet_guid)
        space = droplet.app.space
        managers = holds(token, space.organization, frozenset({"org_manager"}))
        if not (token.sees_everything or managers or holds(token, space, _DOWNLOADERS)):
            raise errors.not_authorized()
        if droplet.lifecycle == "docker":
            raise errors.unprocessable("Cannot download droplets with 'docker' lifecycle.")
        if droplet.state != "STAGED":
            raise errors.unprocessable("Only staged droplets can be downloaded.")
        headers = {"content-disposition": f'attachment; filename="{droplet.guid}"'}
        return Answer(200, EMPTY_ZIP, "application/octet-stream", headers=headers)

    # Creating and changing.

    def _create(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        source = list_query.decode(call.query).get("source_guid")
        made = self._fresh(token, fields) if source is None else self._copy(token, fields, source)
        return Answer(201, json_text(_shown(call, made)))

    def _copy(self, token: Token, fields: Json, source_guid: str) -> Droplet:
        validation.refuse(_copy_problems(fields))
        source = self._visible(token, source_guid)
        app = self._access.app(token, text_at(fields, "relationships", "app", "data", "guid"))
        self._access.check_change(token, app.space, DEVELOPERS)
        if source.state != "STAGED":
            raise errors.unprocessable("source droplet is not staged")
        if source.lifecycle != app.lifecycle:
            raise errors.unprocessable("source and destination lifecycle types do not match")
        copy = Droplet(guid=guid(self._world.rng), app=app, state="COPYING", image=source.image)
        copy.process_types, copy.buildpacks = source.process_types, source.buildpacks
        copy.lifecycle, copy.stack, copy.detected = source.lifecycle, source.stack, False
        self._shelf.droplets[copy.guid] = copy
        if copy.lifecycle == "docker":
            copy.state = "STAGED"
        else:
            self._shelf.begin(copy, lambda: setattr(copy, "state", "STAGED"))
        return copy

    def _fresh(self, token: Token, fields: Json) -> Droplet:
        validation.refuse(_creation_problems(fields))
        app_guid = text_at(fields, "relationships", "app", "data", "guid")
        app = self._world.apps.get(app_guid)
        if app is None or not token.reads(app.space):
            raise errors.unprocessable(
                f'App with guid "{app_guid}" does not exist, or you do not have access to it.'
            )
        self._access.check_change(token, app.space, DEVELOPERS)
        if app.lifecycle != "buildpack":
            raise errors.unprocessable(_NOT_FOR_DOCKER)
        made = Droplet(guid=guid(self._world.rng), app=app, state="AWAITING_UPLOAD", uploaded=False)
        made.process_types = (
            fields["process_types"]
            if validation.given(fields.get("process_types"))
            else {"web": ""}
        )
        made.buildpacks = []
        self._shelf.droplets[made.guid] = made
        return made

    def _update(self, call: Call, droplet_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        droplet = self._visible(token, droplet_guid)
        if "image" in fields:
            if not token.is_admin:
                raise errors.not_authorized()
        else:
            self._access.check_change(token, droplet.app.space, DEVELOPERS)
        problems = metadata_problems(fields)
        if not isinstance(fields.get("image"), str | None):
            problems.append("Image must be a string")
        validation.refuse(problems + validation.unknown_fields(fields, ("image", "metadata")))
        if "image" in fields:
            if droplet.state != "STAGED" or droplet.lifecycle != "docker":
                raise UnknownError
            droplet.image = fields["image"]
        validation.merge_metadata(fields, droplet.labels, droplet.annotations)
        droplet.touch()
        return Answer(200, json_text(_shown(call, droplet)))

    def _upload(self, call: Call, droplet_guid: str) -> Answer:
        token = call.writer()
        problems = _upload_problems(parts_of(call))
        if problems:
            raise errors.unprocessable(f"Uploaded droplet file is invalid: {', '.join(problems)}")
        droplet = self._visible(token, droplet_guid)
        self._access.check_change(token, droplet.app.space, DEVELOPERS)
        if droplet.state != "AWAITING_UPLOAD":
            raise errors.unprocessable(_UPLOADED)
        droplet.state = "PROCESSING_UPLOAD"
        job = self._jobs.begin(
            "droplet.upload", ("droplet", droplet.guid), lambda _: _uploaded(droplet)
        )
        headers = {"location": f"{call.views.base}/v3/jobs/{job.guid}"}
        return Answer(202, json_text(_shown(call, droplet)), headers=headers)

    def _delete(self, call: Call, droplet_guid: str) -> Answer:
        token = call.writer()
        droplet = self._visible(token, droplet_guid)
        self._access.check_change(token, droplet.app.space, DEVELOPERS)
        if droplet.app.droplet == droplet.guid:
            raise errors.unprocessable(
                f'The droplet is currently used by app with guid "{droplet.app.guid}".'
            )
        job = self._jobs.begin(
            "droplet.delete",
            ("droplet", droplet_guid),
            lambda _: self._shelf.forget_droplet(droplet_guid),
        )
        return self._jobs.accepted(call, job)


def _wanted(fields: Json) -> str | None:
    # The server answers 500 to data that is not an object.
    if "data" not in fields:
        return None
    data = fields["data"]
    if data is not None and not isinstance(data, dict):
        raise UnknownError
    if not data or data.get("guid") is None:
        raise errors.unprocessable(_NO_REMOVAL)
    return str(data["guid"])


def _copy_problems(fields: Json) -> list[str]:
    links = fields.get("relationships")
    app = links.get("app") if isinstance(links, dict) else None
    problems = validation.unknown_fields(fields, ("relationships",))
    if not isinstance(app, dict):
        problems.append("App must be an object")
    data = app.get("data") if isinstance(app, dict) else None
    return problems + validation.guid_problems(
        "App guid", data.get("guid") if isinstance(data, dict) else None
    )


def _creation_problems(fields: Json) -> list[str]:
    problems = validation.unknown_fields(fields, ("relationships", "process_types"))
    problems += relationship_problems(fields, "app")
    return problems + _type_problems(fields.get("process_types"))


def _type_problems(types: JsonValue) -> list[str]:
    if not validation.given(types):
        return []
    if not isinstance(types, dict):
        return ["Process types must be an object"]
    problems = ["Process types key must not be empty"] if "" in types else []
    if not all(isinstance(command, str) for command in types.values()):
        problems.append("Process types value must be a string")
    return problems


def _upload_problems(parts: dict[str, str]) -> list[str]:
    problems = []
    unknown = "', '".join(name for name in parts if name not in ("bits", "bits_path", "bits_name"))
    if unknown:
        problems.append(f"Unknown field(s): '{unknown}'")
    name = parts.get("bits") or parts.get("bits_name")
    if not name:
        problems.append("A droplet tgz file must be uploaded as 'bits'")
    elif not _TGZ.fullmatch(name):
        problems.append(f"{name} is not a tgz")
    return problems


def _uploaded(droplet: Droplet) -> None:
    droplet.state, droplet.uploaded = "STAGED", True


def _associated(call: Call, app: App, droplet_guid: str) -> Answer:
    at = f"{call.views.base}/v3/apps/{app.guid}"
    links = {
        "self": {"href": f"{at}/relationships/current_droplet"},
        "related": {"href": f"{at}/droplets/current"},
    }
    return Answer(200, json_text({"data": {"guid": droplet_guid}, "links": links}))


def _shown(call: Call, droplet: Droplet, *, hidden: str = "") -> Json:
    """Return the members of a droplet; `hidden` replaces the values that need more rights."""
    docker = droplet.lifecycle == "docker"
    types: JsonValue = {"redacted_message": hidden} if hidden else droplet.process_types
    has_bits = droplet.uploaded and droplet.state == "STAGED" and not docker
    return {
        "guid": droplet.guid,
        "created_at": droplet.created_at,
        "updated_at": droplet.updated_at,
        "state": droplet.state,
        "error": droplet.error,
        "lifecycle": {"type": droplet.lifecycle, "data": {}},
        "checksum": _checksum(droplet) if has_bits else None,
        "buildpacks": None
        if docker
        else [_buildpack(n, droplet.detected) for n in droplet.buildpacks],
        "stack": None if docker else droplet.stack,
        "image": droplet.image,
        "execution_metadata": hidden,
        "process_types": types,
        "relationships": to_app(droplet.app.guid),
        "metadata": metadata_of(droplet),
        "links": _links(call.views.base, droplet),
    }


def _links(base: str, droplet: Droplet) -> Json:
    at, app = f"{base}/v3/droplets/{droplet.guid}", f"{base}/v3/apps/{droplet.app.guid}"
    assign = {"href": f"{app}/relationships/current_droplet", "method": "PATCH"}
    links = {"self": {"href": at}, "app": {"href": app}, "assign_current_droplet": assign}
    if droplet.package is not None:
        links["package"] = {"href": f"{base}/v3/packages/{droplet.package}"}
    if droplet.state == "AWAITING_UPLOAD":
        links["upload"] = {"href": f"{at}/upload", "method": "POST"}
    if droplet.lifecycle == "buildpack" and droplet.state == "STAGED":
        links["download"] = {"href": f"{at}/download"}
    return links


def _checksum(droplet: Droplet) -> dict[str, str]:
    return {"type": "sha256", "value": guid_of("checksum", droplet.guid).replace("-", "") * 2}


def _buildpacks(droplet: Droplet) -> list[Json]:
    return [_buildpack(name, droplet.detected) for name in droplet.buildpacks]


def _buildpack(name: str, detected: bool) -> Json:
    """Return a buildpack with its detection output, which a copy of the droplet does not have."""
    short = name.removesuffix("_buildpack") if detected else None
    version = "1.8.0" if detected else None
    return {"name": name, "detect_output": short, "buildpack_name": short, "version": version}
