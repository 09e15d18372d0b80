"""The audit events that requests make, apart from starts, stops and restarts.

The actions make their own events, because these stay even if Diego fails.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aioappsapi.sandbox.api.answer import Answer
from aioappsapi.sandbox.api.call import Call, text_at
from aioappsapi.sandbox.api.places.roles import Role
from aioappsapi.sandbox.api.platform.events import Events
from aioappsapi.sandbox.api.router import Handler, Routes
from aioappsapi.sandbox.world.json_types import Json, JsonValue
from aioappsapi.sandbox.world.model import App, Organization, Space
from aioappsapi.sandbox.world.shelf import Shelf
from aioappsapi.sandbox.world.state import World

_HIDDEN: Final = "[PRIVATE DATA HIDDEN]"
_SECRETS: Final = ("environment_variables", "command", "var", "password", "credentials")


@dataclass(slots=True)
class _Recorded:
    """A request that succeeded, with its body and its answer."""

    kind: str
    guid: str
    requested: Json
    made: Json
    stars: list[str]

    def members(self, names: tuple[str, ...]) -> Json:
        """Return these members of an event's data."""
        return {name: self._member(name) for name in names}

    def _member(self, name: str) -> JsonValue:
        if name == f"{self.kind}_guid":
            return self.guid
        members: dict[str, Callable[[], JsonValue]] = {
            "request": lambda: masked_body(self.requested),
            "process_type": lambda: self.made.get("type", "web"),
            "process_index": lambda: _index(self.stars[-1]),
            "package_guid": lambda: text_at(self.made, "package", "guid"),
            "droplet_guid": lambda: text_at(self.made, "droplet", "guid") or None,
            "revision_guid": lambda: text_at(self.made, "revision", "guid") or None,
            "revision_version": lambda: self.made.get("version", 1),
            "strategy": lambda: self.made.get("strategy"),
            "type": lambda: None,
        }
        return members[name]()


_PROCESS: Final = ("process_guid", "process_type")
_OF_APPS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "POST apps": ("create", ("request",)),
    "PATCH apps/*": ("update", ("request",)),
    "DELETE apps/*": ("delete-request", ()),
    "GET apps/*/env": ("environment.show", ()),
    "GET apps/*/environment_variables": ("environment_variables.show", ()),
    "PATCH apps/*/environment_variables": ("update", ("request",)),
    "PATCH apps/*/relationships/current_droplet": ("droplet.mapped", ("request",)),
    "PATCH processes/*": ("process.update", (*_PROCESS, "request")),
    "PATCH apps/*/processes/*": ("process.update", (*_PROCESS, "request")),
    "POST processes/*/actions/scale": ("process.scale", (*_PROCESS, "request")),
    "POST apps/*/processes/*/actions/scale": ("process.scale", (*_PROCESS, "request")),
    "DELETE processes/*/instances/*": (
        "process.terminate_instance",
        (*_PROCESS, "process_index"),
    ),
    "DELETE apps/*/processes/*/instances/*": (
        "process.terminate_instance",
        (*_PROCESS, "process_index"),
    ),
    "POST apps/*/tasks": ("task.create", ("task_guid", "request")),
    "POST tasks/*/actions/cancel": ("task.cancel", ("task_guid", "request")),
    "PUT tasks/*/cancel": ("task.cancel", ("task_guid", "request")),
    "POST packages": ("package.create", ("package_guid", "request")),
    "POST packages/*/upload": ("package.upload", ("package_guid",)),
    "DELETE packages/*": ("package.delete", ("package_guid",)),
    "GET packages/*/download": ("package.download", ("package_guid",)),
    "POST builds": ("build.create", ("build_guid", "package_guid")),
    "POST droplets": ("droplet.create", ("droplet_guid", "request")),
    "POST droplets/*/upload": ("droplet.upload", ("droplet_guid",)),
    "DELETE droplets/*": ("droplet.delete", ("droplet_guid",)),
    "GET droplets/*/download": ("droplet.download", ("droplet_guid",)),
    "POST deployments": (
        "deployment.create",
        ("deployment_guid", "droplet_guid", "type", "revision_guid", "request", "strategy"),
    ),
    "POST deployments/*/actions/cancel": ("deployment.cancel", ("deployment_guid",)),
    "POST deployments/*/actions/continue": ("deployment.continue", ("deployment_guid",)),
    "GET revisions/*/environment_variables": (
        "revision.environment_variables.show",
        ("revision_guid", "revision_version"),
    ),
}
# Events whose target is not an app.
_OF_PLACES: Final[Mapping[str, tuple[str, str]]] = {
    "POST spaces": ("space", "create"),
    "PATCH spaces/*": ("space", "update"),
    "DELETE spaces/*": ("space", "delete-request"),
    "POST organizations": ("organization", "create"),
    "PATCH organizations/*": ("organization", "update"),
    "POST routes": ("route", "create"),
    "PATCH routes/*": ("route", "update"),
    "DELETE routes/*": ("route", "delete-request"),
    "POST service_instances": ("service_instance", "create"),
    "DELETE service_instances/*": ("service_instance", "delete"),
    "POST service_credential_bindings": ("service_binding", "create"),
    "DELETE service_credential_bindings/*": ("service_binding", "delete"),
    "POST roles": ("user", "add"),
    "DELETE roles/*": ("user", "remove"),
}
_SPECIAL: Final = {"user-provided": "user_provided_service_instance", "key": "service_key"}


class Audit:
    """Wraps the handlers of routes that make events."""

    def __init__(self, world: World, shelf: Shelf, events: Events) -> None:
        self._world = world
        self._shelf = shelf
        self._events = events
        self.finders: dict[str, Callable[[str], object]] = {
            "spaces": world.spaces.get,
            "organizations": world.organizations.get,
        }

    def with_events(self, table: Routes) -> Routes:
        """Return the routes with handlers that make an event after each success."""
        return {route: self._watching(route, handler) for route, handler in table.items()}

    def _watching(self, route: str, handler: Handler) -> Handler:
        if route in _OF_APPS:
            add: Callable[..., None] = functools.partial(self._add_of_app, *_OF_APPS[route])
        elif route in _OF_PLACES:
            add = functools.partial(self._add_of_other, *_OF_PLACES[route])
        else:
            return handler

        def watching(call: Call, *stars: str) -> Answer:
            subject = self._subject(call, stars)
            answer = handler(call, *stars)
            add(call, subject, answer, list(stars))
            return answer

        return watching

    def _subject(self, call: Call, stars: tuple[str, ...]) -> object:
        """Return the resource in the path, as it is before the request."""
        if not stars:
            return None
        kind, guid = call.parts[1], stars[0]
        if kind == "apps":
            return self._world.apps.get(guid)
        if kind == "processes":
            found = self._world.process(guid)
            return found and found[0]
        if kind in self.finders:
            return self.finders[kind](guid)
        row = getattr(self._shelf, kind).get(guid)
        return row and row.app

    # Apps.

    def _add_of_app(
        self,
        kind: str,
        members: tuple[str, ...],
        call: Call,
        app: App | None,
        answer: Answer,
        stars: list[str],
    ) -> None:
        made = _made(answer)
        app = app or self._app_of(made)
        if app is None:
            return
        if kind == "create":
            self._add_of_process(call, app)
        requested = _shown_request(kind, call, made)
        guid = str(made.get("guid") or next(iter(stars), ""))
        recorded = _Recorded(kind.partition(".")[0], guid, requested, made, stars)
        self._events.of_app(f"audit.app.{kind}", call.token(), app, recorded.members(members))

    def _app_of(self, made: Json) -> App | None:
        owner = text_at(made, "relationships", "app", "data", "guid")
        return self._world.apps.get(owner or str(made.get("guid")))

    def _add_of_process(self, call: Call, app: App) -> None:
        for process in app.processes:
            data = {"process_guid": process.guid, "process_type": process.type}
            self._events.of_app("audit.app.process.create", call.token(), app, data)

    # Other targets.

    def _add_of_other(
        self, kind: str, verb: str, call: Call, subject: object, answer: Answer, stars: list[str]
    ) -> None:
        made = _made(answer)
        requested = call.fields() if call.method != "DELETE" else {}
        data = {"request": masked_body(requested)} if requested else {}
        if kind == "user":
            self._add_of_role(verb, call, subject, made, data)
            return
        guid = str(made.get("guid") or next(iter(stars), ""))
        name = str(made.get("name") or made.get("host") or getattr(subject, "name", "") or "")
        place = self._place_of(guid, requested, subject)
        what = _SPECIAL.get(str(made.get("type")), kind)
        target = (guid, what, name)
        self._events.add(f"audit.{what}.{verb}", call.token(), target, place, data)

    def _add_of_role(self, verb: str, call: Call, subject: object, made: Json, data: Json) -> None:
        role = subject or self.finders["roles"](made["guid"])
        if not isinstance(role, Role):
            return
        target = (role.user.guid, "user", role.user.email)
        kind = f"audit.user.{role.type}_{verb}"
        self._events.add(kind, call.token(), target, role.place, data)

    def _place_of(self, guid: str, requested: Json, subject: object) -> Space | Organization | None:
        if isinstance(subject, Space | Organization):
            return subject
        place = getattr(subject, "space", None)
        named = text_at(requested, "relationships", "space", "data", "guid")
        app = self._world.apps.get(text_at(requested, "relationships", "app", "data", "guid"))
        found = place or self._world.spaces.get(named or guid) or (app.space if app else None)
        return found or self._world.organizations.get(guid)


def _index(text: str) -> int:
    """Read the index of an instance as the server does: a text that is no number is 0."""
    return int(text) if text.isdecimal() else 0


def _shown_request(kind: str, call: Call, made: Json) -> Json:
    """Return the request as the event shows it, which may differ from the body sent."""
    if call.method == "GET":
        return {}
    if kind.startswith("task."):
        names = ("name", "memory_in_mb")
        return {name: made.get(name) for name in names} | dict.fromkeys(_SECRETS[:2])
    requested = call.fields()
    if kind == "droplet.mapped":
        return {"droplet_guid": text_at(requested, "data", "guid")}
    return {"environment_variables": requested["var"]} if "var" in requested else requested


def _made(answer: Answer) -> Json:
    if not answer.body.startswith("{"):
        return {}
    made: Json = json.loads(answer.body)
    return made


def masked_body(requested: Json) -> Json:
    """Return the body of a request with its secrets masked."""
    return {name: _HIDDEN if name in _SECRETS else value for name, value in requested.items()}
