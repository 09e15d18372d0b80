"""Facts about a server. Source: https://v3-apidocs.cloudfoundry.org/#platform-info."""

from __future__ import annotations

from aioappsapi.models.base import Link, Struct


class RateLimits(Struct, frozen=True, kw_only=True, gc=False):
    """The number of requests that each user may send in a window of `reset_interval_in_minutes`."""

    enabled: bool = False
    general_limit: int | None = None
    reset_interval_in_minutes: int | None = None


class CliVersion(Struct, frozen=True, kw_only=True, gc=False):
    """The versions of the `cf` command that a server expects."""

    minimum: str | None = None
    recommended: str | None = None


class Info(Struct, frozen=True, kw_only=True, gc=False):
    """The answer of ``GET /v3/info``."""

    build: str | None = None
    cli_version: CliVersion | None = None
    custom: dict[str, object] | None = None
    description: str | None = None
    name: str | None = None
    version: int | None = None
    osbapi_version: str | None = None
    rate_limits: RateLimits | None = None
    links: dict[str, Link] = {}
