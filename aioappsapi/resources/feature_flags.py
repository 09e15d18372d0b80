"""Feature flags of the platform. Source: https://v3-apidocs.cloudfoundry.org/#feature-flags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi._http.call import Caller
from aioappsapi.models.feature_flag import FeatureFlag, FeatureFlagList
from aioappsapi.resources.endpoint import endpoint

LIST: Final = endpoint(
    "list feature flags", "GET", "/v3/feature_flags", FeatureFlagList, "list-feature-flags"
)
GET: Final = endpoint(
    "get feature flag", "GET", "/v3/feature_flags/{}", FeatureFlag, "get-a-feature-flag"
)


class FeatureFlags:
    """The operations on feature flags, which are the platform's and not an app's."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def list(self, *, deadline: float | None = None) -> Sequence[FeatureFlag]:
        """Fetch all feature flags: there are a few dozen. Source: GET /v3/feature_flags."""
        query = {"per_page": "5000"}
        return (await self._caller.call(LIST, query=query, deadline=deadline)).resources

    async def get(self, name: str, *, deadline: float | None = None) -> FeatureFlag:
        """Fetch a feature flag, e.g. ``diego_docker``. Source: GET /v3/feature_flags/{name}."""
        return await self._caller.call(GET, name, deadline=deadline)
