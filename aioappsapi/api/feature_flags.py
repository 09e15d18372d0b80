"""Feature flags of the platform. Source: https://v3-apidocs.cloudfoundry.org/#feature-flags."""

from __future__ import annotations

from typing import Final

from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.api.pager import Pager
from aioappsapi.api.queries import list_queries
from aioappsapi.models.feature_flag import FeatureFlag
from aioappsapi.models.page import Page

LIST: Final = endpoint(
    "list feature flags", "GET", "/v3/feature_flags", Page[FeatureFlag], "list-feature-flags"
)
GET: Final = endpoint(
    "get feature flag", "GET", "/v3/feature_flags/{}", FeatureFlag, "get-a-feature-flag"
)


class FeatureFlags(Endpoints):
    """The endpoints of feature flags, which belong to the platform and not to an app."""

    def list(self, *, per_page: int | None = None, validate: bool = True) -> Pager[FeatureFlag]:
        """List all feature flags: there are a few dozen.

        Raises InvalidInputError for a `per_page` out of bounds, unless `validate` is false.
        Source: GET /v3/feature_flags.
        """
        return Pager(self._caller, LIST, list_queries(per_page=per_page, validate=validate))

    async def get(self, name: str, *, deadline: float | None = None) -> FeatureFlag:
        """Fetch a feature flag, such as ``diego_docker``.

        Raises NotFoundError. Source: GET /v3/feature_flags/{name}.
        """
        return await self._caller.call(GET, name, deadline=deadline)
