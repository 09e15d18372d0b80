"""The root of the API, which says where everything is.

Source: https://v3-apidocs.cloudfoundry.org/#global-api-root
"""

from __future__ import annotations

from aioappsapi.models.base import Link, Struct


class RootLinks(Struct, frozen=True, kw_only=True, gc=False):
    """The addresses of the platform's servers, as far as this library needs them."""

    cloud_controller_v3: Link | None = None
    login: Link | None = None
    uaa: Link | None = None


class Root(Struct, frozen=True, kw_only=True, gc=False):
    """What `GET /` answers, without a token."""

    links: RootLinks
