"""Organizations. Source: https://v3-apidocs.cloudfoundry.org/#organizations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi._http.call import Caller
from aioappsapi.models.organization import Organization
from aioappsapi.models.page import Page
from aioappsapi.resources.endpoint import endpoint
from aioappsapi.resources.paging import Pager, page_size, split_queries

LIST: Final = endpoint(
    "list organizations", "GET", "/v3/organizations", Page[Organization], "list-organizations"
)
GET: Final = endpoint(
    "get organization", "GET", "/v3/organizations/{}", Organization, "get-an-organization"
)


class Organizations:
    """The operations on organizations."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(
        self,
        *,
        guids: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        per_page: int | None = None,
    ) -> Pager[Organization]:
        """List the organizations that this login may see. Source: GET /v3/organizations."""
        long = {"guids": guids, "names": names}
        return Pager(self._caller, LIST, split_queries(page_size(per_page), long))

    async def get(self, guid: str, *, deadline: float | None = None) -> Organization:
        """Fetch an organization. Raises NotFoundError. Source: GET /v3/organizations/{guid}."""
        return await self._caller.call(GET, guid, deadline=deadline)
