"""Spaces. Source: https://v3-apidocs.cloudfoundry.org/#spaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.api.pager import Pager
from aioappsapi.api.queries import list_queries
from aioappsapi.models.page import Page
from aioappsapi.models.space import Space

LIST: Final = endpoint("list spaces", "GET", "/v3/spaces", Page[Space], "list-spaces")
GET: Final = endpoint("get space", "GET", "/v3/spaces/{}", Space, "get-a-space")


class Spaces(Endpoints):
    """The endpoints of spaces."""

    def list(
        self,
        *,
        guids: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        organization_guids: Sequence[str] | None = None,
        per_page: int | None = None,
        validate: bool = True,
    ) -> Pager[Space]:
        """List the spaces that this login may see.

        Raises InvalidInputError for a `per_page` out of bounds, unless `validate` is false.
        Source: GET /v3/spaces.
        """
        queries = list_queries(
            {"guids": guids, "names": names, "organization_guids": organization_guids},
            per_page=per_page,
            validate=validate,
        )
        return Pager(self._caller, LIST, queries)

    async def get(self, guid: str, *, deadline: float | None = None) -> Space:
        """Fetch a space. Raises NotFoundError. Source: GET /v3/spaces/{guid}."""
        return await self._caller.call(GET, guid, deadline=deadline)
