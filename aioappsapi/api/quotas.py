"""Quotas of organizations and spaces, and their usage.

Source: https://v3-apidocs.cloudfoundry.org/#organization-quotas and #space-quotas
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, overload

from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.api.pager import Pager
from aioappsapi.api.queries import list_queries
from aioappsapi.models.base import Struct
from aioappsapi.models.page import Page
from aioappsapi.models.quota import Quota, QuotaUsage


class _UsageSummary(Struct, frozen=True, kw_only=True, gc=False):
    usage_summary: QuotaUsage


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
    _UsageSummary,
    "get-usage-summary",
)
USAGE_OF_SPACE: Final = endpoint(
    "get usage of space",
    "GET",
    "/v3/spaces/{}/usage_summary",
    _UsageSummary,
    "get-usage-summary-for-a-space",
)


class Quotas(Endpoints):
    """The endpoints of quotas."""

    def list_for_organizations(
        self,
        *,
        guids: Sequence[str] | None = None,
        organization_guids: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        per_page: int | None = None,
        validate: bool = True,
    ) -> Pager[Quota]:
        """List the quotas of organizations.

        Raises InvalidInputError for a `per_page` out of bounds, unless `validate` is false.
        Source: GET /v3/organization_quotas.
        """
        queries = list_queries(
            {"guids": guids, "organization_guids": organization_guids, "names": names},
            per_page=per_page,
            validate=validate,
        )
        return Pager(self._caller, LIST_FOR_ORGANIZATIONS, queries)

    def list_for_spaces(
        self,
        *,
        guids: Sequence[str] | None = None,
        organization_guids: Sequence[str] | None = None,
        space_guids: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        per_page: int | None = None,
        validate: bool = True,
    ) -> Pager[Quota]:
        """List the quotas of spaces; most spaces have none.

        Raises InvalidInputError for a `per_page` out of bounds, unless `validate` is false.
        Source: GET /v3/space_quotas.
        """
        queries = list_queries(
            {
                "guids": guids,
                "organization_guids": organization_guids,
                "space_guids": space_guids,
                "names": names,
            },
            per_page=per_page,
            validate=validate,
        )
        return Pager(self._caller, LIST_FOR_SPACES, queries)

    @overload
    async def get_usage(
        self, *, organization_guid: str, deadline: float | None = None
    ) -> QuotaUsage: ...

    @overload
    async def get_usage(self, *, space_guid: str, deadline: float | None = None) -> QuotaUsage: ...

    async def get_usage(
        self,
        *,
        organization_guid: str | None = None,
        space_guid: str | None = None,
        deadline: float | None = None,
    ) -> QuotaUsage:
        """Fetch the present usage of an organization or a space. Pass exactly one GUID.

        Raises NotFoundError, and TypeError unless one GUID is given.
        Source: GET /v3/organizations/{guid}/usage_summary, GET /v3/spaces/{guid}/usage_summary.
        """
        if organization_guid is not None and space_guid is None:
            call = self._caller.call(USAGE_OF_ORGANIZATION, organization_guid, deadline=deadline)
        elif space_guid is not None and organization_guid is None:
            call = self._caller.call(USAGE_OF_SPACE, space_guid, deadline=deadline)
        else:
            raise TypeError("get_usage takes an organization_guid or a space_guid.")
        return (await call).usage_summary
