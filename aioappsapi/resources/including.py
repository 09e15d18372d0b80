"""Lists of apps together with their spaces and organizations."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode

import msgspec

from aioappsapi._http.call import Caller
from aioappsapi._http.message import Query, Request
from aioappsapi._http.protocol import Operation
from aioappsapi.errors import BadRequestError
from aioappsapi.models.app import App
from aioappsapi.models.page import Included, Page
from aioappsapi.resources.organizations import Organizations
from aioappsapi.resources.paging import Pager
from aioappsapi.resources.spaces import Spaces


class AppPager(Pager[App]):
    """A list of apps that know their space and organization, if they were asked for.

    From a server without `include` they are fetched apart, two more requests a page.
    """

    def __init__(
        self,
        caller: Caller,
        operation: Operation[Page[App]],
        queries: Sequence[Query],
        include: Sequence[str] | None,
    ) -> None:
        super().__init__(caller, operation, queries)
        self._include = include or ()

    async def _fetch_now(self, request: Request) -> Page[App]:
        page = await self._fetch_including(request)
        join(page.resources, page.included)
        return page

    async def _fetch_including(self, request: Request) -> Page[App]:
        features = self._caller.features
        if self._include and not features.has("include"):
            return await self._fetch_apart(request)
        try:
            return await super()._fetch_now(request)
        except BadRequestError as refusal:
            if not self._include or not features.learn_from_refusal("include", refusal):
                raise
        return await self._fetch_apart(request)

    async def _fetch_apart(self, request: Request) -> Page[App]:
        page = await super()._fetch_now(_without_include(request))
        space_guids = {app.relationships.space.guid for app in page.resources} - {None}
        spaces = await Spaces(self._caller).list(guids=sorted(map(str, space_guids))).all()
        organizations = []
        if any("org" in what for what in self._include):
            guids = {space.relationships.organization.guid for space in spaces} - {None}
            pager = Organizations(self._caller).list(guids=sorted(map(str, guids)))
            organizations = await pager.all()
        included = Included(spaces=spaces, organizations=organizations)
        return msgspec.structs.replace(page, included=included)


def _without_include(request: Request) -> Request:
    path, _, query = request.path.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query) if name != "include"]
    query = urlencode(kept, safe=",:")
    return msgspec.structs.replace(request, path=f"{path}?{query}" if query else path)


def join(apps: Sequence[App], included: Included) -> None:
    """Give each app the space and the organization that came along.

    One dictionary per kind: O(apps + included), not a search per app. The structs are frozen for
    users; this runs before anybody has seen them.
    """
    if not included.spaces:
        return
    spaces = {space.guid: space for space in included.spaces}
    organizations = {one.guid: one for one in included.organizations}
    for app in apps:
        space = spaces.get(app.relationships.space.guid or "")
        if space is None:
            continue
        msgspec.structs.force_setattr(app, "included_space", space)
        organization = organizations.get(space.relationships.organization.guid or "")
        if organization is not None:
            msgspec.structs.force_setattr(app, "included_organization", organization)
