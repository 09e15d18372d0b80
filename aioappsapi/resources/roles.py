"""Roles: who may do what where. Source: https://v3-apidocs.cloudfoundry.org/#roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi._http.call import Caller
from aioappsapi.models.page import Page
from aioappsapi.models.user import Role
from aioappsapi.resources.endpoint import endpoint
from aioappsapi.resources.paging import Pager, comma_list, page_size, split_queries

LIST: Final = endpoint("list roles", "GET", "/v3/roles", Page[Role], "list-roles")


class Roles:
    """The operations on roles."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(
        self,
        *,
        user_guids: Sequence[str] | None = None,
        space_guids: Sequence[str] | None = None,
        organization_guids: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
        per_page: int | None = None,
    ) -> Pager[Role]:
        """List roles, of those that this login may see. Source: GET /v3/roles."""
        long = {
            "user_guids": user_guids,
            "space_guids": space_guids,
            "organization_guids": organization_guids,
        }
        query = {**comma_list("types", types), **page_size(per_page)}
        return Pager(self._caller, LIST, split_queries(query, long))
