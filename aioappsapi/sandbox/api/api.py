"""The v3 API: it finds the route of a request, and lists and shows apps and their places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from aioappsapi.sandbox.api import errors, list_query
from aioappsapi.sandbox.api.access import Access
from aioappsapi.sandbox.api.answer import Answer, outside_api
from aioappsapi.sandbox.api.apps.actions import Actions
from aioappsapi.sandbox.api.apps.apps import AppRoutes
from aioappsapi.sandbox.api.apps.builds import Builds
from aioappsapi.sandbox.api.apps.deployments import Deployments
from aioappsapi.sandbox.api.apps.droplets import Droplets
from aioappsapi.sandbox.api.apps.manifests import Manifests
from aioappsapi.sandbox.api.apps.packages import Packages
from aioappsapi.sandbox.api.apps.processes import Processes
from aioappsapi.sandbox.api.apps.revisions import Revisions
from aioappsapi.sandbox.api.apps.sidecars import Sidecars
from aioappsapi.sandbox.api.apps.tasks import Tasks
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.errors import ApiError
from aioappsapi.sandbox.api.jobs import Jobs
from aioappsapi.sandbox.api.network.domains import Domains
from aioappsapi.sandbox.api.network.routes import RouteRoutes
from aioappsapi.sandbox.api.outages import UP, database_down
from aioappsapi.sandbox.api.places.places import Places
from aioappsapi.sandbox.api.places.quotas import Quotas
from aioappsapi.sandbox.api.places.roles import Roles
from aioappsapi.sandbox.api.places.usage import Usage
from aioappsapi.sandbox.api.places.users import Users
from aioappsapi.sandbox.api.platform.audit import Audit
from aioappsapi.sandbox.api.platform.events import EventRoutes, Events
from aioappsapi.sandbox.api.platform.flags import Flags
from aioappsapi.sandbox.api.platform.platform import Platform
from aioappsapi.sandbox.api.platform.stacks import Stacks
from aioappsapi.sandbox.api.platform.v2 import VersionTwo
from aioappsapi.sandbox.api.router import Router, Routes
from aioappsapi.sandbox.api.services.bindings import Bindings
from aioappsapi.sandbox.api.services.marketplace import MarketplaceRoutes
from aioappsapi.sandbox.api.services.service_instances import ServiceInstances
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.api.views import UAA, Views
from aioappsapi.sandbox.world.faults import Faults
from aioappsapi.sandbox.world.model import App, Organization
from aioappsapi.sandbox.world.realm import Realm
from aioappsapi.sandbox.world.state import World

ShowList = Callable[[Call, Token], str]
ShowOne = Callable[[Call, Token, str], str]


class Api:
    """The routes over a world. `faults` returns the present faults."""

    def __init__(self, world: World, faults: Callable[[], Faults]) -> None:
        self._world = world
        self._faults = faults
        self.realm = Realm(world)
        self.events = Events(world)
        world.fleet.on_crash = self.events.crashed
        self._access = Access(world)
        self._two = VersionTwo(self._access, faults, world.clock)
        usage = Usage(self.realm)
        self._actions = Actions(world, self.realm.shelf, self._access, usage, self.events, faults)
        self._router = Router(*self._tables(usage))
        self._collections: dict[str, tuple[ShowList, ShowOne]] = {
            "apps": (self._apps, self._app),
            "spaces": (self._spaces, self._space),
            "organizations": (self._organizations, self._organization),
        }

    def _tables(self, usage: Usage) -> Iterator[Routes]:
        realm, access = self.realm, self._access
        world, network, marketplace = realm.world, realm.network, realm.marketplace
        parts = (world, realm.shelf, access)
        jobs = Jobs(realm, access)
        packages = Packages(*parts, jobs)
        self.roles = Roles(world, access, jobs)
        audit = Audit(world, realm.shelf, self.events)
        audit.finders |= {
            "roles": self.roles.find,
            "routes": network.route,
            "service_instances": marketplace.instances.get,
            "service_credential_bindings": marketplace.bindings.get,
        }
        for part in (
            AppRoutes(realm, access),
            jobs,
            Droplets(*parts, jobs),
            packages,
            Builds(*parts, packages, usage, self._faults),
            Deployments(*parts, self._actions, usage, self._faults),
            Tasks(*parts, usage),
            Revisions(*parts),
            Processes(*parts, self._actions, usage),
            Sidecars(*parts),
            Stacks(world, access),
            Places(realm, access, jobs),
            Users(world, access, jobs),
            self.roles,
            Domains(world, network, access),
            RouteRoutes(world, network, access, jobs),
            MarketplaceRoutes(marketplace),
            ServiceInstances(realm, access, jobs),
            Bindings(realm, access, jobs),
            Manifests(realm, access, jobs),
            Quotas(world, access, usage),
            Flags(world),
            Platform(world),
            EventRoutes(world, self.events, access),
        ):
            yield audit.with_events(part.routes())

    def answer(self, call: Call) -> Answer:
        """Return the response to any request."""
        if call.parts[:1] != ["v3"]:
            return self._outside(call)
        try:
            if self._world.database != UP and len(call.parts) > 1:
                return database_down()
            self._world.fleet.run_due()
            self.realm.shelf.run_due()
            return self._inside(call)
        except ApiError as error:
            return error.answer()

    def _outside(self, call: Call) -> Answer:
        if call.method == "GET" and not call.parts:
            headers = {"x-content-type-options": "nosniff"}
            body = call.views.root(call.views.base + UAA)
            kind = "application/json;charset=utf-8"
            return Answer(200, body, kind, framed=False, headers=headers)
        if call.method == "GET" and call.parts == ["healthz"]:
            return Answer(200, "OK", "application/json", framed=False)
        found = self._two.answer(call) if call.parts[:1] == ["v2"] else None
        return found or outside_api()

    def _inside(self, call: Call) -> Answer:
        if call.action is not None:
            return Answer(200, self._actions.act(call))
        routed = self._router.match(call)
        if routed is not None:
            return routed()
        if call.method != "GET":
            raise errors.unknown_request()
        return Answer(200, self._shown(call))

    def _shown(self, call: Call) -> str:
        parts = call.parts
        if len(parts) == 1:
            return call.views.v3_root()
        if parts[1] == "info" and len(parts) == 2:
            faults = self._faults()
            return call.views.info(faults.rate_limit, faults.rate_window)
        if parts[1] in self._collections and len(parts) <= 3:
            token = call.reader()
            show_list, show_one = self._collections[parts[1]]
            return show_list(call, token) if len(parts) == 2 else show_one(call, token, parts[2])
        if parts[1] == "stacks" and parts[3:] == ["apps"]:
            return self._apps_of_stack(call, call.reader(), parts[2])
        raise errors.unknown_request()

    # Apps.

    def _apps(self, call: Call, token: Token) -> str:
        query = list_query.ListQuery(list_query.APPS, list_query.decode(call.query))
        chosen, page = self._chosen(query, token)
        included = _included(call.views, chosen, query.includes)
        resources = map(call.views.app, chosen)
        return call.views.page("/v3/apps", query.links(), page, resources, included)

    def _apps_of_stack(self, call: Call, token: Token, stack_guid: str) -> str:
        stacks = (one for one in self._world.stacks.values() if one.guid == stack_guid)
        stack = next(stacks, None)
        if stack is None:
            raise errors.not_found("Stack")
        given = list_query.decode(call.query) | {"stacks": stack.name}
        query = list_query.ListQuery(list_query.APPS, given)
        chosen, page = self._chosen(query, token)
        # The links of these pages do not repeat the filters.
        links = {name: value for name, value in query.links().items() if name == "order_by"}
        return call.views.page(call.path, links, page, map(call.views.app, chosen))

    def _chosen(
        self, query: list_query.ListQuery, token: Token
    ) -> tuple[Sequence[App], tuple[int, int, int]]:
        rows = query.select(
            self._access.apps(token, query.values("guids")),
            ("names", lambda app: app.name),
            ("space_guids", lambda app: app.space.guid),
            ("organization_guids", lambda app: app.space.organization.guid),
            ("lifecycle_type", lambda app: app.lifecycle),
            ("stacks", _filtered_stack),
        )
        return query.cut(query.refine(rows))

    def _app(self, call: Call, token: Token, app_guid: str) -> str:
        wanted = list_query.requested_names(call.query, list_query.APPS)
        app = self._access.app(token, app_guid)
        text = call.views.app(app)
        return text[:-1] + _included(call.views, [app], wanted) + "}" if wanted else text

    # Spaces and organizations.

    def _spaces(self, call: Call, token: Token) -> str:
        query = list_query.ListQuery(list_query.SPACES, list_query.decode(call.query))
        rows = query.select(
            self._access.spaces(token),
            ("names", lambda space: space.name),
            ("guids", lambda space: space.guid),
            ("organization_guids", lambda space: space.organization.guid),
        )
        chosen, page = query.cut(query.refine(rows))
        organizations = _unique(space.organization for space in chosen)
        included = call.views.included(None, organizations if query.includes else None)
        resources = map(call.views.space, chosen)
        return call.views.page("/v3/spaces", query.links(), page, resources, included)

    def _space(self, call: Call, token: Token, space_guid: str) -> str:
        wanted = list_query.requested_names(call.query, list_query.SPACES)
        space = self._access.space(token, space_guid)
        text = call.views.space(space)
        included = call.views.included(None, [space.organization] if wanted else None)
        return text[:-1] + included + "}"

    def _organizations(self, call: Call, token: Token) -> str:
        query = list_query.ListQuery(list_query.ORGANIZATIONS, list_query.decode(call.query))
        rows = query.select(
            self._access.organizations(token),
            ("names", lambda organization: organization.name),
            ("guids", lambda organization: organization.guid),
        )
        chosen, page = query.cut(query.refine(rows))
        resources = map(call.views.organization, chosen)
        return call.views.page("/v3/organizations", query.links(), page, resources)

    def _organization(self, call: Call, token: Token, organization_guid: str) -> str:
        return call.views.organization(self._access.organization(token, organization_guid))


def _filtered_stack(app: App) -> str | None:
    # The server looks for stacks only where buildpacks build the app.
    return app.stack or "" if app.lifecycle == "buildpack" else None


def _unique(organizations: Iterable[Organization]) -> list[Organization]:
    return list({o.guid: o for o in organizations}.values())


def _included(views: Views, apps: Sequence[App], wanted: tuple[str, ...]) -> str:
    if not wanted:
        return ""
    spaces = list({app.space.guid: app.space for app in apps}.values())
    organizations = _unique(space.organization for space in spaces)
    wants_organizations = "org" in wanted or "space.organization" in wanted
    return views.included(
        spaces if "space" in wanted or "space.organization" in wanted else None,
        organizations if wants_organizations else None,
    )
