"""Lists of apps together with their spaces and organizations."""

from __future__ import annotations

import asyncio
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
_AT_A_TIME: Final = 1_000  # apps: joined in half a millisecond


class AppPager(FallbackPager[App]):
    """A list of apps that know their space and organization, if `include` names them.

    If the server does not know `include`, they are fetched with two more requests per page. With
    ``org`` the server sends organizations without the spaces between them and the apps. If a page
    has several organizations, one more request fetches the spaces.
    """

    parameter = "include"

    async def _fetch(self, request: Request) -> Page[App]:
        page = await super()._fetch(request)
        if len(page.included.organizations) > 1 and not page.included.spaces:
            spaces = await self._spaces_of(page.resources)
            included = msgspec.structs.replace(page.included, spaces=spaces)
            page = msgspec.structs.replace(page, included=included)
        places = Places(page.included)
        for start in range(0, len(page.resources), _AT_A_TIME):
            if start:
                await asyncio.sleep(0)  # the event loop goes on meanwhile
            places.join(page.resources[start : start + _AT_A_TIME])
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


class Places:
    """Gives apps the spaces and organizations that came along with them."""

    def __init__(self, included: Included) -> None:
        # One dictionary per kind: O(apps + included), not a search per app.
        self._spaces = {space.guid: space for space in included.spaces}
        self._organizations = {one.guid: one for one in included.organizations}
        # Without spaces the organization of an app is unknown, unless there is only one.
        is_only = len(self._organizations) == 1 and not self._spaces
        self._only = included.organizations[0] if is_only else None

    def join(self, apps: Sequence[App]) -> None:
        """Set the space and the organization of each app.

        The structs are frozen for users; this runs before anybody has seen them.
        """
        for app in apps:
            organization = self._only
            if (space := self._spaces.get(app.relationships.space.guid or "")) is not None:
                msgspec.structs.force_setattr(app, "included_space", space)
                guid = space.relationships.organization.guid or ""
                organization = self._organizations.get(guid)
            if organization is not None:
                msgspec.structs.force_setattr(app, "included_organization", organization)
