"""The root of the API, with links to the platform's servers.

Source: https://v3-apidocs.cloudfoundry.org/#global-api-root
"""

from __future__ import annotations

from aioappsapi.models.base import Link, Struct


class MetaLink(Link, frozen=True, kw_only=True, gc=False):
    """A link with facts about its target, such as the version."""

    meta: dict[str, str] = {}


class RootLinks(Struct, frozen=True, kw_only=True, gc=False):
    """The addresses of the platform's servers."""

    self: Link | None = None
    cloud_controller_v2: MetaLink | None = None
    cloud_controller_v3: MetaLink | None = None
    network_policy_v0: Link | None = None
    network_policy_v1: Link | None = None
    login: Link | None = None
    uaa: Link | None = None
    credhub: Link | None = None
    routing: Link | None = None
    logging: Link | None = None
    log_cache: Link | None = None
    log_stream: Link | None = None
    app_ssh: MetaLink | None = None


class Root(Struct, frozen=True, kw_only=True, gc=False):
    """The answer of ``GET /``, which needs no token. `cf_on_k8s` is true for Korifi."""

    links: RootLinks
    cf_on_k8s: bool = False
