"""Routes: addresses and the apps that they lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aioappsapi.sandbox.api import errors, list_query, validation
from aioappsapi.sandbox.api.access import SUPPORTERS, Access, holds
from aioappsapi.sandbox.api.answer import Answer, json_text, no_content
from aioappsapi.sandbox.api.call import Call, text_at
from aioappsapi.sandbox.api.jobs import Jobs
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.list_query import ListRules
from aioappsapi.sandbox.api.listing import common_fields, listed, metadata_of, to_one
from aioappsapi.sandbox.api.network.domains import domain_fields
from aioappsapi.sandbox.api.network.route_checks import (
    destination_problems,
    new_route_problems,
    option_problems,
)
from aioappsapi.sandbox.api.query_problems import unknown_parameters
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import Space, guid, timestamp
from aioappsapi.sandbox.world.network import Destination, Domain, Network, Route
from aioappsapi.sandbox.world.state import World

_ROUTES: Final = ListRules(
    (
        "hosts",
        "space_guids",
        "organization_guids",
        "domain_guids",
        "paths",
        "app_guids",
        "include",
        "label_selector",
        "ports",
        "service_instance_guids",
    ),
    includes=("domain", "space", "space.organization", "route_policies"),
    orders=("created_at", "updated_at"),
    checks_labels=False,
)
_LONGEST_NAME: Final = 253


class RouteRoutes:
    """The routes of routes."""

    def __init__(self, world: World, network: Network, access: Access, jobs: Jobs) -> None:
        self._world = world
        self._network = network
        self._access = access
        self._jobs = jobs

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET routes": self._list,
            "GET apps/*/routes": self._of_app,
            "GET routes/*": self._show,
            "POST routes": self._create,
            "PATCH routes/*": self._update,
            "DELETE routes/*": self._delete,
            "GET routes/*/destinations": self._destinations,
            "POST routes/*/destinations": self._insert,
            "PATCH routes/*/destinations": self._replace,
            "DELETE routes/*/destinations/*": self._remove,
        }

    # Reading.

    def _list(self, call: Call) -> Answer:
        return self._listed(call, call.reader(), list_query.decode(call.query))

    def _of_app(self, call: Call, app_guid: str) -> Answer:
        token = call.reader()
        # The links of the pages name the app as one more filter.
        given = list_query.decode(call.query) | {"app_guids": app_guid}
        list_query.ListQuery(_ROUTES, dict(given))
        self._access.app(token, app_guid)
        return self._listed(call, token, given)

    def _listed(self, call: Call, token: Token, given: dict[str, str]) -> Answer:
        # fast path: the routes of a few apps need no loop over all routes.
        apps = given.get("app_guids", "").split(",")
        found = self._network.routes_of(apps) if apps != [""] else self._network.all_routes()
        return listed(
            call,
            _ROUTES,
            [route for route in found if _sees(token, route)],
            lambda route: _fields(call, route),
            ("hosts", lambda route: route.host),
            ("paths", lambda route: route.path),
            ("ports", lambda route: None if route.port is None else str(route.port)),
            ("app_guids", lambda route: route.apps),
            ("domain_guids", lambda route: route.domain.guid),
            ("space_guids", lambda route: route.space.guid),
            ("organization_guids", lambda route: route.space.organization.guid),
            ("service_instance_guids", lambda _: None),
            include=lambda query, rows: _included(call, query.includes, rows),
            given=given,
        )

    def _found(self, token: Token, route_guid: str) -> Route:
        route = self._network.route(route_guid)
        if route is None or not _sees(token, route):
            raise errors.not_found("Route")
        return route

    def _show(self, call: Call, route_guid: str) -> Answer:
        token = call.reader()
        wanted = list_query.requested_names(call.query, _ROUTES, also=("guid",))
        route = self._found(token, route_guid)
        extra = {"included": _included(call, wanted, [route])} if wanted else {}
        return Answer(200, json_text(_fields(call, route) | extra))

    def _destinations(self, call: Call, route_guid: str) -> Answer:
        token = call.reader()
        given = list_query.decode(call.query)
        bases = dict.fromkeys(name.partition("[")[0] for name in given)
        if problems := unknown_parameters(bases, ("guids", "app_guids")):
            raise errors.unprocessable(", ".join(problems))
        return _shown_destinations(call, self._found(token, route_guid), given)

    # Creating and changing.

    def _create(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        if not token.is_admin:
            self._access.check_flag(token, "route_creation")
        validation.refuse(new_route_problems(fields))
        links = fields["relationships"]
        space = self._world.spaces.get(text_at(links, "space", "data", "guid"))
        domain = self._network.domains.get(text_at(links, "domain", "data", "guid"))
        if space is None:
            raise errors.unprocessable(_invalid("space"))
        if domain is None:
            raise errors.unprocessable(_invalid("domain"))
        self._access.check_change(token, space, SUPPORTERS)
        if fields.get("host") == "*" and domain.organization is None and not token.is_admin:
            raise errors.unprocessable(
                "You do not have sufficient permissions to create a route with a wildcard host on "
                "a domain not scoped to an organization."
            )
        route = self._new(fields, space, domain)
        self._network.store(route)
        return Answer(201, json_text(_fields(call, route)))

    def _new(self, fields: Json, space: Space, domain: Domain) -> Route:
        route = Route(
            guid=guid(self._world.rng),
            host=(fields.get("host") or "").lower(),
            path=fields.get("path") or "",
            options={k: v for k, v in (fields.get("options") or {}).items() if v is not None},
            domain=domain,
            space=space,
        )
        if domain.organization not in (None, space.organization):
            raise errors.unprocessable(
                f"Invalid domain. Domain '{domain.name}' is not available in organization "
                f"'{space.organization.name}'."
            )
        full = f"{route.host}.{domain.name}"
        if any(other.name == full for other in self._network.domains.values()):
            raise errors.unprocessable(f"Route conflicts with domain '{full}'.")
        if fields.get("port"):
            raise errors.unprocessable("Routes with protocol 'http' do not support ports.")
        if domain.internal and route.host == "*":
            raise errors.unprocessable("Wildcard hosts are not supported for internal domains.")
        if domain.internal and route.path:
            raise errors.unprocessable("Paths are not supported for internal domains.")
        if not route.host and domain.organization is None:
            raise errors.unprocessable(
                "Missing host. Routes in shared domains must have a host defined."
            )
        if len(full) > _LONGEST_NAME:
            raise errors.unprocessable(
                f"Host combined with domain name must be no more than {_LONGEST_NAME} characters."
            )
        if any(_same_address(route, other) for other in self._network.all_routes()):
            given = {"host": route.host, "path": route.path}
            known = " and ".join(f"{name} '{text}'" for name, text in given.items() if text)
            having = f" with {known}" if known else ""
            raise errors.unprocessable(f"Route already exists{having} for domain '{domain.name}'.")
        if any(_reserves(other, route) for other in self._network.all_routes()):
            # The server has no words for it.
            raise errors.unprocessable("domain_id and host host_and_domain_taken_different_space")
        validation.merge_metadata(fields, route.labels, route.annotations)
        return route

    def _changeable(self, call: Call, route_guid: str) -> Route:
        token = call.writer()
        route = self._found(token, route_guid)
        self._access.check_change(token, route.space, SUPPORTERS)
        return route

    def _update(self, call: Call, route_guid: str) -> Answer:
        fields = call.fields()
        call.writer()
        problems = metadata_problems(fields) + option_problems(fields)
        validation.refuse(problems + validation.unknown_fields(fields, ("metadata", "options")))
        route = self._changeable(call, route_guid)
        validation.merge_metadata(fields, route.labels, route.annotations)
        validation.merge(route.options, fields.get("options") or {})
        route.touch()
        self._network.store(route)
        return Answer(200, json_text(_fields(call, route)))

    def _delete(self, call: Call, route_guid: str) -> Answer:
        route = self._changeable(call, route_guid)
        job = self._jobs.begin(
            "route.delete", ("route", route.guid), lambda _: self._network.forget(route)
        )
        return self._jobs.accepted(call, job)

    def _insert(self, call: Call, route_guid: str) -> Answer:
        requested = call.fields()
        call.writer()
        validation.refuse(destination_problems(requested, replace=False))
        route = self._changeable(call, route_guid)
        wanted = self._requested(call, requested, route)
        if any(one.weight for one in route.destinations):
            raise errors.unprocessable(
                "Destinations cannot be inserted when there are weighted destinations already "
                "configured."
            )
        known = {one.place for one in route.destinations}
        self._network.store(route)
        route.destinations += [one for one in wanted if one.place not in known]
        self._network.store(route)
        return _shown_destinations(call, route)

    def _replace(self, call: Call, route_guid: str) -> Answer:
        requested = call.fields()
        call.writer()
        validation.refuse(destination_problems(requested, replace=True))
        route = self._changeable(call, route_guid)
        kept = {(*one.place, one.weight): one for one in route.destinations}
        wanted = self._requested(call, requested, route)
        self._network.store(route)
        route.destinations = [kept.get((*one.place, one.weight), one) for one in wanted]
        self._network.store(route)
        return _shown_destinations(call, route)

    def _requested(self, call: Call, fields: Json, route: Route) -> list[Destination]:
        made = [_destination(row, guid(self._world.rng)) for row in fields["destinations"]]
        apps, token = self._world.apps, call.token()
        unknown = [one.app for one in made if one.app not in apps]
        if unknown:
            raise errors.unprocessable(
                f"App(s) with guid(s) {_listed_guids(unknown)} do not exist."
            )
        hidden = [one.app for one in made if not token.reads(apps[one.app].space)]
        if hidden:
            raise errors.unprocessable(
                f"App(s) with guid(s) {_listed_guids(hidden)} you do not have access."
            )
        if any(apps[one.app].space is not route.space for one in made):
            raise errors.unprocessable(
                "Routes destinations must be in either the route's space or the route's shared "
                "spaces"
            )
        if len({one.place for one in made}) < len(made):
            raise errors.unprocessable("Destinations cannot contain duplicate entries")
        return made

    def _remove(self, call: Call, route_guid: str, destination_guid: str) -> Answer:
        route = self._changeable(call, route_guid)
        kept = [d for d in route.destinations if d.guid != destination_guid]
        if any(d.weight for d in route.destinations if d.guid == destination_guid):
            raise errors.unprocessable("Weighted destinations cannot be deleted individually.")
        if len(kept) == len(route.destinations):
            raise errors.unprocessable(
                "Unable to unmap route from destination. Ensure the route has a destination "
                "with this guid."
            )
        self._network.store(route)
        route.destinations = kept
        return no_content()


def _sees(token: Token, route: Route) -> bool:
    home = route.space.organization
    return token.reads(route.space) or holds(token, home, frozenset({"organization_auditor"}))


def _listed_guids(guids: Sequence[str]) -> str:
    return ", ".join(f'"{one}"' for one in guids)


def _invalid(kind: str) -> str:
    return f"Invalid {kind}. Ensure that the {kind} exists and you have access to it."


def _same_address(one: Route, other: Route) -> bool:
    return (one.host, one.path, one.domain) == (other.host, other.path, other.domain)


def _reserves(other: Route, new: Route) -> bool:
    """Whether a route of another space has the host of a new one, be it with another path."""
    same = (other.host, other.domain) == (new.host, new.domain)
    return same and other.space is not new.space


def _destination(row: Json, destination_guid: str) -> Destination:
    return Destination(
        guid=destination_guid,
        app=text_at(row, "app", "guid"),
        process_type=text_at(row, "app", "process", "type") or "web",
        weight=row.get("weight"),
        port=row.get("port") or 8080,
        protocol=row.get("protocol") or "http1",
        created_at=timestamp(),
    )


def _destination_fields(destination: Destination) -> Json:
    return {
        "guid": destination.guid,
        "app": {"guid": destination.app, "process": {"type": destination.process_type}},
        "weight": destination.weight,
        "port": destination.port,
        "protocol": destination.protocol,
        "created_at": destination.created_at,
        "updated_at": destination.created_at,
    }


def _shown_destinations(
    call: Call, route: Route, filters: Mapping[str, str] | None = None
) -> Answer:
    at = f"{call.views.base}/v3/routes/{route.guid}"
    links = {"self": {"href": f"{at}/destinations"}, "route": {"href": at}}
    found = route.destinations
    for name, text in (filters or {}).items():
        wanted = list_query.named(text)
        found = [one for one in found if (one.guid if name == "guids" else one.app) in wanted]
    rows = [_destination_fields(one) for one in found]
    return Answer(200, json_text({"destinations": rows, "links": links}))


def _fields(call: Call, route: Route) -> Json:
    base = call.views.base
    at = f"{base}/v3/routes/{route.guid}"
    return common_fields(route) | {
        "protocol": "http",
        "host": route.host,
        "path": route.path,
        "port": route.port,
        "url": route.url,
        "destinations": [_destination_fields(one) for one in route.destinations],
        "options": route.options,
        "metadata": metadata_of(route),
        "relationships": {
            "space": to_one(route.space.guid),
            "domain": to_one(route.domain.guid),
        },
        "links": {
            "self": {"href": at},
            "space": {"href": f"{base}/v3/spaces/{route.space.guid}"},
            "destinations": {"href": f"{at}/destinations"},
            "domain": {"href": f"{base}/v3/domains/{route.domain.guid}"},
        },
    }


def _included(call: Call, wanted: Sequence[str], routes: Sequence[Route]) -> Json:
    included: Json = {}
    spaces = {route.space.guid: route.space for route in routes}.values()
    if "domain" in wanted:
        domains = {route.domain.guid: route.domain for route in routes}.values()
        included["domains"] = [domain_fields(call, domain) for domain in domains]
    if "space" in wanted or "space.organization" in wanted:
        included["spaces"] = [call.views.space_fields(space) for space in spaces]
    if "space.organization" in wanted:
        organizations = {s.organization.guid: s.organization for s in spaces}.values()
        rows = [call.views.organization_fields(one) for one in organizations]
        included["organizations"] = rows
    return included
