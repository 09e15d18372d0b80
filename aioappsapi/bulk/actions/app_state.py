"""The data of an app that a run needs: its name, its state, its space and organization.

That is a tenth of an app's JSON. Links, labels and the rest are skipped while it is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from aioappsapi._http.call import Caller
from aioappsapi.api.endpoint import endpoint
from aioappsapi.api.pager import FallbackPager
from aioappsapi.api.queries import list_queries
from aioappsapi.models.base import Relationship, Resource, Struct
from aioappsapi.models.page import Included, Page


class StateRelationships(Struct, frozen=True, kw_only=True, gc=False):
    """The space of an app."""

    space: Relationship = Relationship()


class AppState(Resource, frozen=True, kw_only=True, gc=False):
    """The fields of an app that a run needs."""

    name: str = ""
    state: str = ""
    relationships: StateRelationships = StateRelationships()


class KnownApp(msgspec.Struct, frozen=True, gc=False):
    """An app, and the names of its space and organization if they are known."""

    app: AppState
    space: str | None = None
    organization: str | None = None


_LIST: Final = endpoint("list apps", "GET", "/v3/apps", Page[AppState], "list-apps")


_NOWHERE: Final = (None, None)


class _StatePager(FallbackPager[AppState]):
    """A list of states. If the server does not know `include`, the names stay unknown."""

    parameter = "include"

    async def _complete(self, page: Page[AppState]) -> Page[AppState]:
        return page


async def read_states(caller: Caller, keys: Sequence[str]) -> dict[str, KnownApp]:
    """Read the states of up to 200 apps, with their spaces and organizations, in one request.

    Source: GET /v3/apps, with ``include=space.organization``.
    """
    queries = list_queries({"guids": keys}, per_page=len(keys), include="space.organization")
    known: dict[str, KnownApp] = {}
    async for page in _StatePager(caller, _LIST, queries).pages():
        places = _places(page.included)
        for app in page.resources:
            data = app.relationships.space.data  # fast path: what `space.guid` does
            place = places.get(data.guid or "", _NOWHERE) if data else _NOWHERE
            known[app.guid] = KnownApp(app, *place)
    return known


def _places(included: Included) -> dict[str, tuple[str, str | None]]:
    """Return the names of each space and its organization, by the space's GUID."""
    owners = {one.guid: one.name for one in included.organizations}
    return {
        space.guid: (space.name, owners.get(space.relationships.organization.guid or ""))
        for space in included.spaces
    }
