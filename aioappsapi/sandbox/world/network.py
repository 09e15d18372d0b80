"""Domains and routes, the addresses of apps."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import App, Organization, Space, guid_of
from aioappsapi.sandbox.world.resources import Resource
from aioappsapi.sandbox.world.state import World

SHARED: Final = "apps.sandbox.example"
INTERNAL: Final = "apps.internal"
_BEGIN: Final = "2026-01-01T00:00:00Z"
# The bits that mark a GUID as version 4 stay unchanged.
_FREE_BITS: Final = 0xFFFFFFFF_FFFF_0FFF_3FFF_FFFFFFFFFFFF


@dataclass(slots=True, kw_only=True)
class Domain(Resource):
    """A domain of routes; without an organization it is shared."""

    name: str
    internal: bool = False
    organization: Organization | None = None


@dataclass(slots=True, kw_only=True)
class Destination:
    """An app that a route leads to."""

    guid: str
    app: str
    process_type: str = "web"
    weight: int | None = None
    port: int = 8080
    protocol: str = "http1"
    created_at: str = _BEGIN

    @property
    def place(self) -> tuple[str, str, int]:
        """The key that is unique among the destinations of a route."""
        return self.app, self.process_type, self.port


@dataclass(slots=True, kw_only=True)
class Route(Resource):
    """An address with the destinations of its requests."""

    host: str
    domain: Domain
    space: Space
    path: str = ""
    port: int | None = None
    options: Json = field(default_factory=dict)
    destinations: list[Destination] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address as users write it."""
        host = f"{self.host}." if self.host else ""
        port = f":{self.port}" if self.port else ""
        return f"{host}{self.domain.name}{port}{self.path}"

    @property
    def apps(self) -> list[str]:
        """The GUIDs of the apps among its destinations."""
        return [destination.app for destination in self.destinations]


class Network:
    """All domains and routes, in dictionaries by GUID in the order of creation.

    A seeded app has a route with its name. It is created when it is read, with a GUID computed from
    the app's. `routes` holds all other routes, and seeded routes that were changed.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._settled: set[str] = set()
        self.routes: dict[str, Route] = {}
        self.domains: dict[str, Domain] = {}
        for name, internal in ((SHARED, False), (INTERNAL, True)):
            domain = Domain(guid=guid_of("domain", name), name=name, internal=internal)
            domain.created_at = domain.updated_at = _BEGIN
            self.domains[domain.guid] = domain

    def default_domain(self) -> Domain | None:
        """Return the default domain of new routes."""
        shared = (d for d in self.domains.values() if d.organization is None and not d.internal)
        return next(shared, None)

    def all_routes(self) -> Iterator[Route]:
        """Iterate over all routes."""
        yield from self._seeded(self._world.apps.values())
        yield from self.routes.values()

    def routes_of(self, app_guids: Collection[str]) -> list[Route]:
        """Return the routes to these apps."""
        apps = self._world.apps
        found = list(self._seeded(apps[guid] for guid in app_guids if guid in apps))
        wanted = set(app_guids)
        return found + [r for r in self.routes.values() if not wanted.isdisjoint(r.apps)]

    def addresses(self, app: App) -> list[str]:
        """Return the addresses of an app."""
        return [route.url for route in self.routes_of([app.guid])]

    def count_in(self, spaces: Collection[Space]) -> int:
        """Return how many routes these spaces have, without creating seeded routes."""
        homes = {space.guid for space in spaces}
        apps = self._world.apps.values()
        seeded = (app for app in apps if self._has_own(app) and app.space.guid in homes)
        kept = (route for route in self.routes.values() if route.space.guid in homes)
        return sum(1 for _ in seeded) + sum(1 for _ in kept)

    def route(self, route_guid: str) -> Route | None:
        """Return the route with this GUID."""
        found = self.routes.get(route_guid)
        if found is not None:
            return found
        try:
            app = self._world.apps.get(paired_guid(route_guid, "route"))
        except ValueError:
            return None
        return next(self._seeded([app]), None) if app is not None else None

    def store(self, route: Route) -> None:
        """Store a new or changed route."""
        self._settled.update(route.apps)
        self.routes[route.guid] = route

    def forget(self, route: Route) -> None:
        """Remove a route."""
        self._settled.update(route.apps)
        self.routes.pop(route.guid, None)

    def forget_app(self, app: App) -> None:
        """Remove a deleted app from the destinations of all routes."""
        for route in self.routes.values():
            route.destinations = [d for d in route.destinations if d.app != app.guid]

    def _seeded(self, apps: Iterable[App]) -> Iterator[Route]:
        domain = self.default_domain()
        if domain is not None:
            yield from (_route_to(app, domain) for app in apps if self._has_own(app))

    def _has_own(self, app: App) -> bool:
        return app.number <= self._world.seeded and app.guid not in self._settled


def _route_to(app: App, domain: Domain) -> Route:
    moment = app.created_at
    route = Route(
        guid=paired_guid(app.guid, "route"), host=app.name, domain=domain, space=app.space
    )
    route.created_at = route.updated_at = moment
    destination = Destination(
        guid=paired_guid(app.guid, "destination"), app=app.guid, created_at=moment
    )
    route.destinations = [destination]
    return route


def paired_guid(guid: str, kind: str) -> str:
    """Return a second GUID that is computed from a GUID; the twin of the twin is the first GUID.

    Raises ValueError if it is not a GUID.
    """
    digits = f"{int(guid.replace('-', ''), 16) ^ _mask(kind):032x}"
    parts = digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]
    return "-".join(parts)


@cache
def _mask(kind: str) -> int:
    digest = hashlib.blake2b(kind.encode(), digest_size=16).digest()
    return int.from_bytes(digest) & _FREE_BITS
