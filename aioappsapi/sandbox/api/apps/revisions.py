"""Revisions: what an app was at a time."""

from __future__ import annotations

from ...api.token import Token
from ...world.json_types import Json
from ...world.resources import Revision, Shelf
from ...world.state import World
from .. import errors
from ..access import Access
from ..answer import Answer, json_text
from ..call import Call
from ..listing import REVISIONS, metadata_of, page_of, to_app
from ..router import Handler


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
            "GET revisions/*/environment_variables": self._variables,
        }

    def _of_app(self, call: Call, app_guid: str) -> Answer:
        app = self._access.readable(call, app_guid)
        self._shelf.current_revision(app)
        return self._page(call, list(self._shelf.revisions_of(app)))

    def _deployed(self, call: Call, app_guid: str) -> Answer:
        app = self._access.readable(call, app_guid)
        revision = self._shelf.current_revision(app)
        runs = revision is not None and app.state == "STARTED"
        return self._page(call, [revision] if revision is not None and runs else [])

    def _page(self, call: Call, rows: list[Revision]) -> Answer:
        def show(revision: Revision) -> Json:
            return _shown(call, revision)

        versions = ("versions", lambda row: str(row.number))
        return page_of(call, call.reader(), REVISIONS, rows, show, versions)

    def _visible(self, token: Token, revision_guid: str) -> Revision:
        revision = self._shelf.revisions.get(revision_guid)
        if revision is None or not token.reads(revision.app.space):
            raise errors.not_found("Revision")
        return revision

    def _show(self, call: Call, revision_guid: str) -> Answer:
        return Answer(200, json_text(_shown(call, self._visible(call.reader(), revision_guid))))

    def _variables(self, call: Call, revision_guid: str) -> Answer:
        revision = self._visible(call.reader(), revision_guid)
        self._access.with_secrets(call, revision.app.guid)
        at = f"{call.views.base}/v3/revisions/{revision.guid}"
        links = {
            "self": {"href": f"{at}/environment_variables"},
            "revision": {"href": at},
            "app": {"href": f"{call.views.base}/v3/apps/{revision.app.guid}"},
        }
        return Answer(200, json_text({"var": revision.environment or {}, "links": links}))


def _shown(call: Call, revision: Revision) -> Json:
    base, app = call.views.base, revision.app
    at = f"{base}/v3/revisions/{revision.guid}"
    return {
        "guid": revision.guid,
        "version": revision.number,
        "droplet": {"guid": revision.droplet},
        "processes": {p.type: {"command": p.command} for p in app.processes},
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
        "deployable": True,
    }
