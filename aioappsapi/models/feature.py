"""Features, permissions and ssh of an app.

Source: https://v3-apidocs.cloudfoundry.org/#app-features
"""

from __future__ import annotations

from aioappsapi.models.base import Struct


class AppFeature(Struct, frozen=True, kw_only=True, gc=False):
    """A feature of an app that can be switched on and off, such as ``ssh`` or ``revisions``."""

    name: str
    description: str | None = None
    enabled: bool = False


class AppPermissions(Struct, frozen=True, kw_only=True, gc=False):
    """The parts of an app that this login may read."""

    read_basic_data: bool = False
    read_sensitive_data: bool = False


class SshEnabled(Struct, frozen=True, kw_only=True, gc=False):
    """Whether ssh into an app is enabled now. If not, `reason` says where it is disabled."""

    enabled: bool = False
    reason: str = ""
