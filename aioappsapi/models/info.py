"""What a server says of itself. Source: https://v3-apidocs.cloudfoundry.org/#platform-info."""

from __future__ import annotations

from aioappsapi.models.base import Link, Struct


class RateLimits(Struct, frozen=True, kw_only=True, gc=False):
    """How many requests a user may send in a window of so many minutes."""

    enabled: bool = False
    general_limit: int | None = None
    reset_interval_in_minutes: int | None = None


class CliVersion(Struct, frozen=True, kw_only=True, gc=False):
    """Which versions of the `cf` command go with a server."""

    minimum: str | None = None
    recommended: str | None = None


class Info(Struct, frozen=True, kw_only=True, gc=False):
    """What `GET /v3/info` answers."""

    build: str | None = None
    cli_version: CliVersion | None = None
    custom: dict[str, object] | None = None
    description: str | None = None
    name: str | None = None
    version: int | None = None
    osbapi_version: str | None = None
    rate_limits: RateLimits | None = None
    links: dict[str, Link] = {}
