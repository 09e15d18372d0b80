"""The server's own description. Source: https://v3-apidocs.cloudfoundry.org/#root and #info."""

from __future__ import annotations

from typing import Final

from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.models.info import Info as PlatformInfo
from aioappsapi.models.info import RateLimits
from aioappsapi.models.root import Root

ROOT: Final = endpoint("get root", "GET", "/", Root, "global-api-root")
INFO: Final = endpoint("get info", "GET", "/v3/info", PlatformInfo, "get-platform-info")


class Info(Endpoints):
    """The endpoints that describe the server."""

    async def root(self, *, deadline: float | None = None) -> Root:
        """Fetch the links of the API. The rate limit does not count it. Source: GET /."""
        return await self._caller.call(ROOT, deadline=deadline)

    async def get(self, *, deadline: float | None = None) -> PlatformInfo:
        """Fetch the platform's description and, on newer servers, its rate limits.

        Source: GET /v3/info.
        """
        return await self._caller.call(INFO, deadline=deadline)

    async def rate_limits(self, *, deadline: float | None = None) -> RateLimits | None:
        """Fetch the number of requests that a user may send; None if the server does not say.

        Source: GET /v3/info.
        """
        return (await self.get(deadline=deadline)).rate_limits

    async def server_version(self, *, deadline: float | None = None) -> str | None:
        """Fetch the version of the API, e.g. ``3.228.0``; None if the server does not say.

        Source: GET /.
        """
        link = (await self.root(deadline=deadline)).links.cloud_controller_v3
        return None if link is None else link.meta.get("version")

    async def is_korifi(self, *, deadline: float | None = None) -> bool:
        """Check whether the server is Korifi, a Cloud Foundry API on Kubernetes. Source: GET /."""
        return (await self.root(deadline=deadline)).cf_on_k8s
