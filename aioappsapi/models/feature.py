"""Features, permissions and ssh of an app.

Source: https://v3-apidocs.cloudfoundry.org/#app-features
"""

from __future__ import annotations

from aioappsapi.models.base import Struct


class AppFeature(Struct, frozen=True, kw_only=True, gc=False):
    """A feature of an app, such as ``ssh`` or ``revisions``."""

    name: str
    description: str | None = None
    enabled: bool = False


class AppPermissions(Struct, frozen=True, kw_only=True, gc=False):
    """What this login may read of an app."""

    read_basic_data: bool = False
    read_sensitive_data: bool = False


class SshEnabled(Struct, frozen=True, kw_only=True, gc=False):
    """Whether ssh into an app works now; `reason` says where it is switched off."""

    enabled: bool = False
    reason: str = ""
