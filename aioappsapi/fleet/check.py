"""A check of a login at a foundation: its user, its end, its roles and limits."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Final

import msgspec

from aioappsapi._http.message import RateLimit
from aioappsapi.auth.base import Claims
from aioappsapi.client import Client
from aioappsapi.errors import BadRequestError

_ADMIN: Final = "cloud_controller.admin"
_WRITE: Final = "cloud_controller.write"
_POWERS: Final = {
    _ADMIN: "admin",
    "cloud_controller.admin_read_only": "admin_read_only",
    "cloud_controller.global_auditor": "global_auditor",
}
# An optional parameter, by what does not work without it.
_PROBES: Final = (
    (
        "show the instances of many apps in one request; --wait takes two to four per app",
        "/v3/processes",
        {"embed": "process_instances"},
    ),
    (
        "show spaces and organizations with a list; they are read separately",
        "/v3/apps",
        {"include": "space"},
    ),
)
_PAGE: Final = 5000


class TargetCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A foundation as one login sees it.

    `user` is the name of a user or of a client. `roles` counts the roles of a user by their type,
    and has a 1 for each power over the whole platform, such as ``admin``. `rate_limit` is what the
    server announced last; admins usually have none. `cannot` lists in words what does not work.
    """

    api: str
    user: str | None = None
    roles: dict[str, int] = {}
    token_ends_at: datetime | None = None
    rate_limit: RateLimit | None = None
    server_version: str | None = None
    cannot: tuple[str, ...] = ()


async def check_target(client: Client) -> TargetCheck:
    """Log in, and ask what the login may do: ``await fleet.each(check_target)``.

    Raises the error for which the foundation cannot be used.
    """
    claims = await client.token_claims() or Claims()
    root = await client.info.root()
    link = root.links.cloud_controller_v3
    cannot, rate_limit = await _probe(client)
    if claims.scope and not {_ADMIN, _WRITE} & set(claims.scope):
        cannot = ("change anything: the token has no scope cloud_controller.write", *cannot)
    return TargetCheck(
        api=client.api_url,
        user=claims.user_name or claims.client_id,
        roles=await _roles(client, claims),
        token_ends_at=None if claims.exp is None else datetime.fromtimestamp(claims.exp, UTC),
        rate_limit=rate_limit,
        server_version=None if link is None else link.meta.get("version"),
        cannot=cannot,
    )


async def _probe(client: Client) -> tuple[tuple[str, ...], RateLimit | None]:
    cannot: list[str] = []
    with client.capture() as exchanges:
        for what, path, query in _PROBES:
            try:
                await client.request("GET", path, query={"per_page": "1", **query})
            except BadRequestError:
                cannot.append(what)
    return tuple(cannot), exchanges.last.rate_limit


async def _roles(client: Client, claims: Claims) -> dict[str, int]:
    powers = {power: 1 for scope, power in _POWERS.items() if scope in claims.scope}
    if powers or claims.user_id is None:
        return powers
    pager = client.roles.list(user_guids=[claims.user_id], per_page=_PAGE)
    return dict(sorted(Counter([role.type async for role in pager]).items()))
