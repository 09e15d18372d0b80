"""The v3 API's routes: who may do what to which resource, and what the answer is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from . import answer as say
from . import filters
from .answer import Answer, ApiError
from .faults import Faults
from .state import STARTED, STOPPED, App, Organization, Process, Space, World
from .uaa import PREFIX, Token
from .views import Views, process_version

ACTIONS: Final = frozenset({"start", "stop", "restart"})
_READERS: Final = frozenset(
    {
        "cloud_controller.admin",
        "cloud_controller.admin_read_only",
        "cloud_controller.global_auditor",
        "cloud_controller.read",
    }
)
_WRITERS: Final = frozenset({"cloud_controller.admin", "cloud_controller.write"})


@dataclass(slots=True)
class Call:
    """A request as the routes see it. `token` raises what is wrong with the caller's token.

    With `runner_down` Diego takes no orders during this request.
    """

    method: str
    parts: list[str]
    query: str
    views: Views
    token: Callable[[], Token]
    body: bytes = b""
    content_type: str = ""
    runner_down: bool = False

    @property
    def action(self) -> str | None:
        """The guid of the app that this request starts, stops or restarts."""
        parts = self.parts
        acts = len(parts) == 5 and parts[3] == "actions" and parts[4] in ACTIONS
        return parts[2] if acts and self.method == "POST" and parts[1] == "apps" else None


@dataclass(frozen=True, slots=True)
class _Row:
    """A process with what lists filter and sort by."""

    app: App
    process: Process
    guid: str
    created_at: str
    updated_at: str
    labels: dict[str, str]


ShowList = Callable[[Call, Token], str]
ShowOne = Callable[[Call, Token, str], str]


class Api:
    """The routes over a world. `faults` gives the faults of the moment."""

    def __init__(self, world: World, faults: Callable[[], Faults]) -> None:
        self._world = world
        self._faults = faults
        self._collections: dict[str, tuple[ShowList, ShowOne]] = {
            "apps": (self._apps, self._app),
            "spaces": (self._spaces, self._space),
            "organizations": (self._organizations, self._organization),
            "processes": (self._processes, self._process),
        }
        self._parts_of_process = {
            "stats": Views.stats,
            "process_instances": Views.process_instances,
        }

    def answer(self, call: Call) -> Answer:
        """Return the response to a request, whatever it asks for."""
        if call.parts[:1] != ["v3"]:
            return self._outside(call)
        try:
            return Answer(200, self._inside(call))
        except ApiError as error:
            return error.answer()

    def _outside(self, call: Call) -> Answer:
        if call.method == "GET" and not call.parts:
            headers = {"x-content-type-options": "nosniff"}
            body = call.views.root(call.views.base + PREFIX)
            kind = "application/json;charset=utf-8"
            return Answer(200, body, kind, framed=False, headers=headers)
        if call.method == "GET" and call.parts == ["healthz"]:
            return Answer(200, "OK", "application/json", framed=False)
        return say.outside_api()

    def _inside(self, call: Call) -> str:
        parts = call.parts
        if call.action is not None:
            return self._act(call)
        if call.method != "GET":
            raise say.unknown_request()
        if len(parts) == 1:
            return call.views.v3_root()
        if parts[1] == "info" and len(parts) == 2:
            faults = self._faults()
            return call.views.info(faults.rate_limit, faults.rate_window)
        if parts[1] in self._collections and len(parts) <= 3:
            token = _reader(call)
            show_list, show_one = self._collections[parts[1]]
            return show_list(call, token) if len(parts) == 2 else show_one(call, token, parts[2])
        return self._deeper(call)

    def _deeper(self, call: Call) -> str:
        parts = call.parts
        match parts[1:]:
            case ["jobs", _]:
                _reader(call)
                raise say.not_found("Job")
            case ["apps", app_guid, "processes"]:
                return self._processes_of(call, self._visible_app(_reader(call), app_guid))
            case ["apps", app_guid, "processes", kind, *rest]:
                app = self._visible_app(_reader(call), app_guid)
                found = next((p for p in app.processes if p.type == kind), None)
                return self._part_of_process(call, app, found, rest)
            case ["processes", process_guid, *rest]:
                app, process = self._visible_process(_reader(call), process_guid)
                return self._part_of_process(call, app, process, rest)
        raise say.unknown_request()

    # Starting, stopping, restarting.

    def _act(self, call: Call) -> str:
        _check_body(call)
        token = call.token()
        if not token.scopes & _WRITERS:
            raise say.not_authorized()
        app = self._visible_app(token, call.parts[2])
        action = call.parts[4]
        if app.droplet is None and action != "stop":
            # The server looks at the droplet first, even for those who may not start.
            raise say.unprocessable("Assign a droplet before starting this app.")
        _check_change(token, app.space)
        {"start": self._start, "stop": self._stop, "restart": self._restart}[action](app, call)
        return call.views.app(app)

    def _start(self, app: App, call: Call) -> None:
        if app.switch(STARTED):
            self._launch(app, call)

    def _stop(self, app: App, call: Call) -> None:
        if app.switch(STOPPED) and call.runner_down:
            raise say.runner_unavailable(_diego_guid(app))

    def _restart(self, app: App, call: Call) -> None:
        if call.runner_down:
            raise say.runner_unavailable(_diego_guid(app))
        app.switch(STARTED)
        self._launch(app, call)

    def _launch(self, app: App, call: Call) -> None:
        faults = self._faults()
        app.revision += 1
        if call.runner_down:
            app.launch(time.time() + faults.repair_after, "DOWN")
            raise say.runner_unavailable(_diego_guid(app))
        app.launch(time.time() + faults.startup)

    # Apps.

    def _apps(self, call: Call, token: Token) -> str:
        query = filters.ListQuery(filters.APPS, filters.decode(call.query))
        rows = query.select(
            self._candidates(token, query.values("guids")),
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

    def _candidates(self, token: Token, guids: frozenset[str] | None) -> Sequence[App]:
        apps: Iterable[App] = self._world.apps.values()
        if guids is not None:
            # fast path: looking up the GUIDs asked for beats a walk over 100,000 apps.
            known = self._world.apps
            apps = sorted((known[g] for g in guids if g in known), key=lambda app: app.number)
        visible = {space.guid for space in self._world.spaces.values() if token.reads(space)}
        if len(visible) == len(self._world.spaces):
            return list(apps)
        return [app for app in apps if app.space.guid in visible]

    def _app(self, call: Call, token: Token, app_guid: str) -> str:
        given = filters.decode(call.query)
        problems = filters.unknown_parameters(given, ("include",))
        wanted = tuple(given["include"].split(",")) if "include" in given else ()
        problems += filters.unknown_resources(wanted, filters.APPS.includes, "included")
        if problems:
            raise say.bad_query(problems)
        app = self._visible_app(token, app_guid.removesuffix(".json"))
        text = call.views.app(app)
        return text[:-1] + _included(call.views, [app], wanted) + "}" if wanted else text

    def _visible_app(self, token: Token, app_guid: str) -> App:
        app = self._world.apps.get(app_guid)
        if app is None or not token.reads(app.space):
            raise say.not_found("App")
        return app

    # Spaces and organizations.

    def _spaces(self, call: Call, token: Token) -> str:
        query = filters.ListQuery(filters.SPACES, filters.decode(call.query))
        rows = query.select(
            [space for space in self._world.spaces.values() if token.reads(space)],
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
        space = self._world.spaces.get(space_guid)
        if space is None or not token.reads(space):
            raise say.not_found("Space")
        return call.views.space(space)

    def _organizations(self, call: Call, token: Token) -> str:
        query = filters.ListQuery(filters.ORGANIZATIONS, filters.decode(call.query))
        rows = query.select(
            self._visible_organizations(token),
            ("names", lambda organization: organization.name),
            ("guids", lambda organization: organization.guid),
        )
        chosen, page = query.cut(query.refine(rows))
        resources = map(call.views.organization, chosen)
        return call.views.page("/v3/organizations", query.links(), page, resources)

    def _organization(self, call: Call, token: Token, organization_guid: str) -> str:
        visible = self._visible_organizations(token)
        for organization in visible:
            if organization.guid == organization_guid:
                return call.views.organization(organization)
        raise say.not_found("Organization")

    def _visible_organizations(self, token: Token) -> list[Organization]:
        return _unique(s.organization for s in self._world.spaces.values() if token.reads(s))

    # Processes.

    def _processes(self, call: Call, token: Token) -> str:
        query = filters.ListQuery(filters.PROCESSES, filters.decode(call.query))
        apps = query.select(
            self._candidates(token, query.values("app_guids")),
            ("app_guid", lambda app: app.guid),
            ("space_guids", lambda app: app.space.guid),
            ("organization_guids", lambda app: app.space.organization.guid),
        )
        rows = query.select(
            [row for app in apps for row in _rows(app)],
            ("types", lambda row: row.process.type),
            ("guids", lambda row: row.guid),
        )
        return self._process_page(call, query, rows, "/v3/processes")

    def _processes_of(self, call: Call, app: App) -> str:
        query = filters.ListQuery(filters.PROCESSES, filters.decode(call.query))
        return self._process_page(call, query, _rows(app), f"/v3/apps/{app.guid}/processes")

    def _process_page(
        self, call: Call, query: filters.ListQuery, rows: Sequence[_Row], path: str
    ) -> str:
        chosen, page = query.cut(query.refine(rows))
        embed = bool(query.embeds)
        resources = (call.views.process(r.app, r.process, embed=embed) for r in chosen)
        return call.views.page(path, query.links(), page, resources)

    def _process(self, call: Call, token: Token, process_guid: str) -> str:
        app, process = self._visible_process(token, process_guid)
        return call.views.process(app, process, listed=False)

    def _visible_process(self, token: Token, process_guid: str) -> tuple[App, Process]:
        pair = self._world.process(process_guid)
        if pair is None or not token.reads(pair[0].space):
            raise say.not_found("Process")
        return pair

    def _part_of_process(
        self, call: Call, app: App, process: Process | None, rest: list[str]
    ) -> str:
        if process is None:
            raise say.not_found("Process")
        if not rest:
            return call.views.process(app, process, listed=False)
        show = self._parts_of_process.get(rest[0])
        if show is None or len(rest) > 1:
            raise say.unknown_request()
        return show(call.views, app, process)


def _reader(call: Call) -> Token:
    token = call.token()
    if not token.scopes & _READERS:
        raise say.not_authorized()
    return token


def _check_body(call: Call) -> None:
    # A start wants no body, but one that is declared as JSON is parsed all the same.
    if call.body and "json" in call.content_type:
        try:
            json.loads(call.body)
        except ValueError as error:
            raise say.parse_error() from error


def _check_change(token: Token, space: Space) -> None:
    if token.is_admin:
        return
    if not token.changes(space):
        raise say.not_authorized()
    if space.organization.suspended:
        raise say.org_suspended()
    if space.suspended:
        raise say.space_suspended()


def _rows(app: App) -> list[_Row]:
    return [
        _Row(app, process, process.guid, app.created_at, app.updated_at, {})
        for process in app.processes
    ]


def _diego_guid(app: App) -> str:
    return f"{app.guid}-{process_version(app)}"


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
