"""Feature flags of a platform. Source: https://v3-apidocs.cloudfoundry.org/#feature-flags."""

from __future__ import annotations

from datetime import datetime

from aioappsapi.models.base import Link, Struct


class FeatureFlag(Struct, frozen=True, kw_only=True, gc=False):
    """A function that an operator can disable for all users but admins, e.g. ``diego_docker``."""

    name: str
    enabled: bool = True
    updated_at: datetime | None = None
    custom_error_message: str | None = None
    links: dict[str, Link] = {}
