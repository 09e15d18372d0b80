"""Organizations. Source: https://v3-apidocs.cloudfoundry.org/#organizations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.api.pager import Pager
from aioappsapi.api.queries import list_queries
from aioappsapi.models.organization import Organization
from aioappsapi.models.page import Page

LIST: Final = endpoint(
    "list organizations", "GET", "/v3/organizations", Page[Organization], "list-organizations"
)
GET: Final = endpoint(
    "get organization", "GET", "/v3/organizations/{}", Organization, "get-an-organization"
)


class Organizations(Endpoints):
    """The endpoints of organizations."""

    def list(
        self,
        *,
        guids: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        per_page: int | None = None,
        validate: bool = True,
    ) -> Pager[Organization]:
        """List the organizations that this login may see.

        Raises InvalidInputError for a `per_page` out of bounds, unless `validate` is false.
        Source: GET /v3/organizations.
        """
        queries = list_queries(
            {"guids": guids, "names": names}, per_page=per_page, validate=validate
        )
        return Pager(self._caller, LIST, queries)

    async def get(self, guid: str, *, deadline: float | None = None) -> Organization:
        """Fetch an organization. Raises NotFoundError. Source: GET /v3/organizations/{guid}."""
        return await self._caller.call(GET, guid, deadline=deadline)
