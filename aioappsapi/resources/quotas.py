"""Quotas of organizations and spaces, and what is used of them.

Source: https://v3-apidocs.cloudfoundry.org/#organization-quotas and #space-quotas
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi._http.call import Caller
from aioappsapi.models.page import Page
from aioappsapi.models.quota import Quota, QuotaUsage, UsageSummary
from aioappsapi.resources.endpoint import endpoint
from aioappsapi.resources.paging import Pager, page_size, split_queries

LIST_FOR_ORGANIZATIONS: Final = endpoint(
    "list organization quotas",
    "GET",
    "/v3/organization_quotas",
    Page[Quota],
    "list-organization-quotas",
)
LIST_FOR_SPACES: Final = endpoint(
    "list space quotas", "GET", "/v3/space_quotas", Page[Quota], "list-space-quotas"
)
USAGE_OF_ORGANIZATION: Final = endpoint(
    "get usage of organization",
    "GET",
    "/v3/organizations/{}/usage_summary",
    UsageSummary,
    "get-usage-summary",
)
USAGE_OF_SPACE: Final = endpoint(
    "get usage of space",
    "GET",
    "/v3/spaces/{}/usage_summary",
    UsageSummary,
    "get-usage-summary-for-a-space",
)


class Quotas:
    """What organizations and spaces may use, and do."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list_for_organizations(
        self,
        *,
        guids: Sequence[str] | None = None,
        organization_guids: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        per_page: int | None = None,
    ) -> Pager[Quota]:
        """List the quotas of organizations. Source: GET /v3/organization_quotas."""
        long = {"guids": guids, "organization_guids": organization_guids, "names": names}
        queries = split_queries(page_size(per_page), long)
        return Pager(self._caller, LIST_FOR_ORGANIZATIONS, queries)

    def list_for_spaces(
        self,
        *,
        guids: Sequence[str] | None = None,
        organization_guids: Sequence[str] | None = None,
        space_guids: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        per_page: int | None = None,
    ) -> Pager[Quota]:
        """List the quotas of spaces; most spaces have none. Source: GET /v3/space_quotas."""
        long = {
            "guids": guids,
            "organization_guids": organization_guids,
            "space_guids": space_guids,
            "names": names,
        }
        return Pager(self._caller, LIST_FOR_SPACES, split_queries(page_size(per_page), long))

    async def get_usage_of_organization(
        self, guid: str, *, deadline: float | None = None
    ) -> QuotaUsage:
        """Fetch what an organization uses. Source: GET /v3/organizations/{guid}/usage_summary."""
        summary = await self._caller.call(USAGE_OF_ORGANIZATION, guid, deadline=deadline)
        return summary.usage_summary

    async def get_usage_of_space(self, guid: str, *, deadline: float | None = None) -> QuotaUsage:
        """Fetch what a space uses. Source: GET /v3/spaces/{guid}/usage_summary."""
        summary = await self._caller.call(USAGE_OF_SPACE, guid, deadline=deadline)
        return summary.usage_summary
