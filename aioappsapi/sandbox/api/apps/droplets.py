"""Droplets: the staged apps, which of them is current, and copies of them."""

from __future__ import annotations

from typing import Final

from ...world.json_types import Json
from ...world.model import App, guid, guid_of, timestamp
from ...world.resources import Droplet, Shelf
from ...world.state import World
from .. import errors, list_query
from ..access import DEVELOPERS, Access
from ..answer import Answer, json_text
from ..call import Call
from ..jobs import Jobs
from ..listing import DROPLETS, metadata_of, page_of, to_app
from ..outages import UnknownError
from ..router import Handler

_HIDDEN: Final = "[PRIVATE DATA HIDDEN IN LISTS]"
_NO_REMOVAL: Final = "Current droplet cannot be removed. Replace it with a preferred droplet."
_NOT_OURS: Final = (
    "Unable to assign current droplet. Ensure the droplet exists and belongs to this app."
)
_DEPLOYING: Final = (
    "Unable to assign current droplet while the app has a deployment in progress. "
    "Wait for the deployment to complete or cancel it."
)
_NO_APP: Final = "Unable to use app. Ensure that the app exists and you have access to it."


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
            "POST droplets": self._copy,
            "GET droplets/*": self._show,
            "DELETE droplets/*": self._delete,
        }

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
        _, app = self._access.changeable(call, app_guid)
        wanted = _wanted(fields)
        self._shelf.current_droplet(app)
        droplet = self._shelf.droplets.get(wanted) if wanted else None
        if droplet is None or droplet.app is not app or droplet.state != "STAGED":
            raise errors.unprocessable(_NOT_OURS)
        if self._shelf.running_deployment(app) is not None:
            raise errors.unprocessable(_DEPLOYING)
        if app.droplet != droplet.guid:
            app.droplet = droplet.guid
            app.updated_at = timestamp()
        return _associated(call, app, droplet.guid)

    def _all(self) -> list[Droplet]:
        for app in self._world.apps.values():
            self._shelf.current_droplet(app)
        return list(self._shelf.droplets.values())

    def _list(self, call: Call) -> Answer:
        return self._page(call, self._all())

    def _of_app(self, call: Call, app_guid: str) -> Answer:
        app = self._access.readable(call, app_guid)
        self._shelf.current_droplet(app)
        rows = [d for d in self._shelf.droplets.values() if d.app is app]
        if list_query.decode(call.query).get("current") == "true":
            rows = [d for d in rows if d.guid == app.droplet]
        return self._page(call, rows)

    def _of_package(self, call: Call, package_guid: str) -> Answer:
        return self._page(call, [d for d in self._all() if d.package == package_guid])

    def _page(self, call: Call, rows: list[Droplet]) -> Answer:
        def show(droplet: Droplet) -> Json:
            return _shown(call, droplet, listed=True)

        states = ("states", lambda row: row.state)
        return page_of(call, call.reader(), DROPLETS, rows, show, states)

    def _visible(self, call: Call, droplet_guid: str) -> Droplet:
        token = call.reader()
        droplet = self._shelf.droplet(droplet_guid)
        if droplet is None or not token.reads(droplet.app.space):
            raise errors.not_found("Droplet")
        return droplet

    def _show(self, call: Call, droplet_guid: str) -> Answer:
        droplet = self._visible(call, droplet_guid)
        self._shelf.look_at(droplet)
        return Answer(200, json_text(_shown(call, droplet)))

    def _copy(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        source = self._visible(call, list_query.decode(call.query).get("source_guid", ""))
        app = self._world.apps.get(call.asked_app(fields))
        if app is None or not token.reads(app.space):
            raise errors.unprocessable(_NO_APP)
        self._access.check_change(token, app.space, DEVELOPERS)
        copy = Droplet(guid=guid(self._world.rng), app=app, state="COPYING", image=source.image)
        copy.process_types, copy.buildpacks = source.process_types, source.buildpacks
        self._shelf.droplets[copy.guid] = copy
        self._shelf.begin(copy, lambda: setattr(copy, "state", "STAGED"))
        return Answer(201, json_text(_shown(call, copy)))

    def _delete(self, call: Call, droplet_guid: str) -> Answer:
        droplet = self._visible(call, droplet_guid)
        self._access.check_change(call.writer(), droplet.app.space, DEVELOPERS)
        if droplet.app.droplet == droplet.guid:
            raise errors.unprocessable(
                "The droplet is currently used and cannot be deleted. Delete the app to remove it."
            )
        job = self._jobs.begin(
            "droplet.delete", None, lambda _: self._shelf.forget_droplet(droplet_guid)
        )
        return self._jobs.sent_to(call, job)


def _wanted(fields: Json) -> str | None:
    # The server falls over data that is no object.
    if "data" not in fields:
        return None
    data = fields["data"]
    if data is not None and not isinstance(data, dict):
        raise UnknownError
    if not data or not data.get("guid"):
        raise errors.unprocessable(_NO_REMOVAL)
    return str(data["guid"])


def _associated(call: Call, app: App, droplet_guid: str) -> Answer:
    at = f"{call.views.base}/v3/apps/{app.guid}"
    links = {
        "self": {"href": f"{at}/relationships/current_droplet"},
        "related": {"href": f"{at}/droplets/current"},
    }
    return Answer(200, json_text({"data": {"guid": droplet_guid}, "links": links}))


def _shown(call: Call, droplet: Droplet, *, listed: bool = False) -> Json:
    docker = droplet.app.lifecycle == "docker"
    types: dict[str, str] = {"redacted_message": _HIDDEN} if listed else droplet.process_types
    return {
        "guid": droplet.guid,
        "created_at": droplet.created_at,
        "updated_at": droplet.updated_at,
        "state": droplet.state,
        "error": None,
        "lifecycle": {"type": droplet.app.lifecycle, "data": {}},
        "checksum": None if docker or droplet.state != "STAGED" else _checksum(droplet),
        "buildpacks": None if docker else [_buildpack(n) for n in droplet.buildpacks],
        "stack": None if docker else droplet.app.stack,
        "image": droplet.image,
        "execution_metadata": _HIDDEN if listed else "",
        "process_types": types,
        "relationships": to_app(droplet.app.guid),
        "metadata": metadata_of(droplet),
        "links": _links(call.views.base, droplet, downloads=not docker),
    }


def _links(base: str, droplet: Droplet, *, downloads: bool) -> Json:
    at, app = f"{base}/v3/droplets/{droplet.guid}", f"{base}/v3/apps/{droplet.app.guid}"
    assign = {"href": f"{app}/relationships/current_droplet", "method": "PATCH"}
    links = {"self": {"href": at}, "app": {"href": app}, "assign_current_droplet": assign}
    if droplet.package is not None:
        links["package"] = {"href": f"{base}/v3/packages/{droplet.package}"}
    if downloads and droplet.state == "STAGED":
        links["download"] = {"href": f"{at}/download"}
    return links


def _checksum(droplet: Droplet) -> dict[str, str]:
    return {"type": "sha256", "value": guid_of("checksum", droplet.guid).replace("-", "") * 2}


def _buildpack(name: str) -> dict[str, str]:
    short = name.removesuffix("_buildpack")
    return {"name": name, "detect_output": short, "buildpack_name": short, "version": "1.8.0"}
