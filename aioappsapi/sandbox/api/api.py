"""The v3 API's routes: who may do what to which resource, and what the answer is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ..api.token import Token
from ..world.faults import Faults
from ..world.model import App, Organization
from ..world.realm import Realm
from ..world.state import World
from . import errors, list_query
from .access import Access
from .answer import Answer, outside_api
from .apps.actions import Actions
from .apps.apps import AppRoutes
from .apps.builds import Builds
from .apps.deployments import Deployments
from .apps.droplets import Droplets
from .apps.manifests import Manifests
from .apps.packages import Packages
from .apps.processes import Processes
from .apps.revisions import Revisions
from .apps.sidecars import Sidecars
from .apps.tasks import Tasks
from .call import Call
from .errors import ApiError
from .jobs import Jobs
from .network.domains import Domains
from .network.routes import RouteRoutes
from .outages import UP, database_gone
from .places.places import Places
from .places.quotas import Quotas
from .places.roles import Roles
from .places.usage import Usage
from .places.users import Users
from .platform.audit import Audit
from .platform.events import EventRoutes, Events
from .platform.flags import Flags
from .platform.platform import Platform
from .platform.stacks import Stacks
from .platform.v2 import VersionTwo
from .router import Router, Routes
from .services.bindings import Bindings
from .services.marketplace import MarketplaceRoutes
from .services.service_instances import ServiceInstances
from .views import UAA, Views

ShowList = Callable[[Call, Token], str]
ShowOne = Callable[[Call, Token, str], str]


class Api:
    """The routes over a world. `faults` gives the faults of the moment."""

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
            Tasks(*parts),
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
            yield audit.watched(part.routes())

    def answer(self, call: Call) -> Answer:
        """Return the response to a request, whatever it asks for."""
        if call.parts[:1] != ["v3"]:
            return self._outside(call)
        try:
            if self._world.database != UP and len(call.parts) > 1:
                return database_gone()
            self._world.fleet.settle()
            self.realm.shelf.settle()
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
        raise errors.unknown_request()

    # Apps.

    def _apps(self, call: Call, token: Token) -> str:
        query = list_query.ListQuery(list_query.APPS, list_query.decode(call.query))
        rows = query.select(
            self._access.apps(token, query.values("guids")),
            ("names", lambda app: app.name),
            ("space_guids", lambda app: app.space.guid),
            ("organization_guids", lambda app: app.space.organization.guid),
            ("lifecycle_type", lambda app: app.lifecycle),
            ("stacks", lambda app: None if app.lifecycle == "docker" else app.stack),
        )
        chosen, page = query.cut(query.refine(rows))
        included = _included(call.views, chosen, query.includes)
        resources = map(call.views.app, chosen)
        return call.views.page("/v3/apps", query.links(), page, resources, included)

    def _app(self, call: Call, token: Token, app_guid: str) -> str:
        wanted = list_query.wished(call.query, list_query.APPS)
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
        wanted = list_query.wished(call.query, list_query.SPACES)
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


def _unique(organizations: Iterable[Organization]) -> list[Organization]:
    return list({o.guid: o for o in organizations}.values())


def _included(views: Views, apps: Sequence[App], wanted: tuple[str, ...]) -> str:
    if not wanted:
        return ""
    spaces = list({app.space.guid: app.space for app in apps}.values())
    organizations = _unique(space.organization for space in spaces)
    asks_organizations = "org" in wanted or "space.organization" in wanted
    return views.included(
        spaces if "space" in wanted or "space.organization" in wanted else None,
        organizations if asks_organizations else None,
    )
