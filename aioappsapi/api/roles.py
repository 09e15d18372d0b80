"""Roles of users in spaces and organizations. Source: https://v3-apidocs.cloudfoundry.org/#roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.api.pager import Pager
from aioappsapi.api.queries import list_queries
from aioappsapi.models.page import Page
from aioappsapi.models.role import Role

LIST: Final = endpoint("list roles", "GET", "/v3/roles", Page[Role], "list-roles")


class Roles(Endpoints):
    """The endpoints of roles."""

    def list(
        self,
        *,
        user_guids: Sequence[str] | None = None,
        space_guids: Sequence[str] | None = None,
        organization_guids: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
        per_page: int | None = None,
        validate: bool = True,
    ) -> Pager[Role]:
        """List the roles that this login may see.

        Raises InvalidInputError for a `per_page` out of bounds, unless `validate` is false.
        Source: GET /v3/roles.
        """
        queries = list_queries(
            {
                "user_guids": user_guids,
                "space_guids": space_guids,
                "organization_guids": organization_guids,
            },
            lists={"types": types},
            per_page=per_page,
            validate=validate,
        )
        return Pager(self._caller, LIST, queries)
