"""Spaces. Source: https://v3-apidocs.cloudfoundry.org/#spaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi._http.call import Caller
from aioappsapi.models.page import Page
from aioappsapi.models.space import Space
from aioappsapi.resources.endpoint import endpoint
from aioappsapi.resources.paging import Pager, page_size, split_queries

LIST: Final = endpoint("list spaces", "GET", "/v3/spaces", Page[Space], "list-spaces")
GET: Final = endpoint("get space", "GET", "/v3/spaces/{}", Space, "get-a-space")


class Spaces:
    """The operations on spaces."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(
        self,
        *,
        guids: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        organization_guids: Sequence[str] | None = None,
        per_page: int | None = None,
    ) -> Pager[Space]:
        """List the spaces that this login may see. Source: GET /v3/spaces."""
        long = {"guids": guids, "names": names, "organization_guids": organization_guids}
        return Pager(self._caller, LIST, split_queries(page_size(per_page), long))

    async def get(self, guid: str, *, deadline: float | None = None) -> Space:
        """Fetch a space. Raises NotFoundError. Source: GET /v3/spaces/{guid}."""
        return await self._caller.call(GET, guid, deadline=deadline)
