"""Lists of apps together with their spaces and organizations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from aioappsapi._http.message import Request
from aioappsapi.api.organizations import Organizations
from aioappsapi.api.pager import FallbackPager
from aioappsapi.api.spaces import Spaces
from aioappsapi.models.app import App
from aioappsapi.models.page import Included, Page
from aioappsapi.models.space import Space

INCLUDABLE: Final = ("space", "org", "space.organization")


class AppPager(FallbackPager[App]):
    """A list of apps that know their space and organization, if `include` names them.

    Where the server does not know `include`, they are fetched with two more requests a page. With
    ``org`` the server sends organizations without the spaces that tie them to the apps; where a
    page has several of them, one more request fetches the spaces.
    """

    parameter = "include"

    async def _fetch(self, request: Request) -> Page[App]:
        page = await super()._fetch(request)
        if len(page.included.organizations) > 1 and not page.included.spaces:
            spaces = await self._spaces_of(page.resources)
            included = msgspec.structs.replace(page.included, spaces=spaces)
            page = msgspec.structs.replace(page, included=included)
        join(page.resources, page.included)
        return page

    async def _complete(self, page: Page[App]) -> Page[App]:
        spaces = await self._spaces_of(page.resources)
        organizations = []
        if any("org" in query.get(self.parameter, "") for query in self._queries):
            guids = {space.relationships.organization.guid for space in spaces} - {None}
            pager = Organizations(self._caller).list(guids=sorted(map(str, guids)))
            organizations = await pager.all()
        included = Included(spaces=spaces, organizations=organizations)
        return msgspec.structs.replace(page, included=included)

    async def _spaces_of(self, apps: Sequence[App]) -> list[Space]:
        guids = {app.relationships.space.guid for app in apps} - {None}
        return await Spaces(self._caller).list(guids=sorted(map(str, guids))).all()


def join(apps: Sequence[App], included: Included) -> None:
    """Give each app the space and the organization that came along.

    One dictionary per kind: O(apps + included), not a search per app. The structs are frozen for
    users; this runs before anybody has seen them.
    """
    spaces = {space.guid: space for space in included.spaces}
    organizations = {one.guid: one for one in included.organizations}
    # Without spaces nothing ties organizations to apps; a single one is that of all apps.
    only = included.organizations[0] if len(organizations) == 1 and not spaces else None
    for app in apps:
        organization = only
        if (space := spaces.get(app.relationships.space.guid or "")) is not None:
            msgspec.structs.force_setattr(app, "included_space", space)
            organization = organizations.get(space.relationships.organization.guid or "")
        if organization is not None:
            msgspec.structs.force_setattr(app, "included_organization", organization)
