"""Revisions: droplet, variables and commands of an app at one time."""

from __future__ import annotations

from typing import Final

from aioappsapi.sandbox.api import errors, list_query, validation
from aioappsapi.sandbox.api.access import DEVELOPERS, Access
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.listing import ORDERS, REVISIONS, metadata_of, page_of, to_app
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import STARTED
from aioappsapi.sandbox.world.resources import Revision
from aioappsapi.sandbox.world.shelf import Shelf, revision_guid
from aioappsapi.sandbox.world.state import World

_DEPLOYED: Final = list_query.ListRules((), orders=ORDERS)


class Revisions:
    """The routes of revisions."""

    def __init__(self, world: World, shelf: Shelf, access: Access) -> None:
        self._world = world
        self._shelf = shelf
        self._access = access

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET apps/*/revisions": self._of_app,
            "GET apps/*/revisions/deployed": self._deployed,
            "GET revisions/*": self._show,
            "PATCH revisions/*": self._update,
            "GET revisions/*/environment_variables": self._variables,
        }

    def _of_app(self, call: Call, app_guid: str) -> Answer:
        token = call.reader()
        list_query.ListQuery(REVISIONS, list_query.decode(call.query))
        app = self._access.app(token, app_guid)
        return self._page(call, self._shelf.revisions_of(app))

    def _deployed(self, call: Call, app_guid: str) -> Answer:
        token = call.reader()
        list_query.ListQuery(_DEPLOYED, list_query.decode(call.query))
        app = self._access.app(token, app_guid)
        self._shelf.latest_revision(app)
        running = [process.revision for process in app.processes] if app.state == STARTED else []
        first = revision_guid(app, 1)
        deployed = {one or first for one in running}
        rows = [one for one in self._shelf.revisions_of(app) if one.guid in deployed]
        return self._page(call, rows, _DEPLOYED)

    def _page(
        self, call: Call, rows: list[Revision], rules: list_query.ListRules = REVISIONS
    ) -> Answer:
        def show(revision: Revision) -> Json:
            return self._fields(call, revision)

        versions = ("versions", lambda row: str(row.number))
        return page_of(call, call.reader(), rules, rows, show, versions)

    def _fields(self, call: Call, revision: Revision) -> Json:
        droplet = self._shelf.droplet(revision.droplet or "")
        deployable = droplet is not None and droplet.state == "STAGED"
        return _shown(call, revision) | {"deployable": deployable}

    def _visible(self, token: Token, wanted: str) -> Revision:
        revision = self._shelf.revision(wanted)
        if revision is None or not token.reads(revision.app.space):
            raise errors.not_found("Revision")
        return revision

    def _show(self, call: Call, wanted: str) -> Answer:
        return Answer(200, json_text(self._fields(call, self._visible(call.reader(), wanted))))

    def _update(self, call: Call, wanted: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        validation.check_only_metadata(fields)
        revision = self._visible(token, wanted)
        self._access.check_change(token, revision.app.space, DEVELOPERS)
        validation.merge_metadata(fields, revision.labels, revision.annotations)
        revision.touch()
        return Answer(200, json_text(self._fields(call, revision)))

    def _variables(self, call: Call, wanted: str) -> Answer:
        token = call.reader()
        revision = self._visible(token, wanted)
        if not self._access.reads_secrets(token, revision.app.space):
            raise errors.not_authorized()
        at = f"{call.views.base}/v3/revisions/{revision.guid}"
        links = {
            "self": {"href": f"{at}/environment_variables"},
            "revision": {"href": at},
            "app": {"href": f"{call.views.base}/v3/apps/{revision.app.guid}"},
        }
        return Answer(200, json_text({"var": revision.environment, "links": links}))


def _shown(call: Call, revision: Revision) -> Json:
    base, app = call.views.base, revision.app
    at = f"{base}/v3/revisions/{revision.guid}"
    return {
        "guid": revision.guid,
        "version": revision.number,
        "droplet": {"guid": revision.droplet},
        "processes": {kind: {"command": text} for kind, text in revision.commands.items()},
        "sidecars": revision.sidecars,
        "description": revision.description,
        "relationships": to_app(app.guid),
        "created_at": revision.created_at,
        "updated_at": revision.updated_at,
        "links": {
            "self": {"href": at},
            "app": {"href": f"{base}/v3/apps/{app.guid}"},
            "environment_variables": {"href": f"{at}/environment_variables"},
        },
        "metadata": metadata_of(revision),
    }
