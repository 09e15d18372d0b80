"""Audit events, one for every action, and usage events, one for every change of state."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from aioappsapi.sandbox.api import errors, list_query
from aioappsapi.sandbox.api.access import Access, holds
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.list_query import ListRules, bad_body, without
from aioappsapi.sandbox.api.listing import common_fields, listed
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.instances import Instance
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import (
    App,
    Organization,
    Process,
    Space,
    guid,
    guid_of,
    instance_guid,
    process_version,
    timestamp,
)
from aioappsapi.sandbox.world.state import World

_KEPT: Final = 100_000
_AUDIT: Final = ListRules(
    ("types", "target_guids", "space_guids", "organization_guids"),
    orders=("created_at", "updated_at"),
)


_USAGE: Final = ListRules(
    ("after_guid",), orders=("created_at",), check=without("updated_ats"), refuse=bad_body
)
_CRASH: Final = ("instance", "index", "cell_id", "exit_description", "reason")
_SEEING: Final = frozenset({"space_auditor", "space_developer", "space_supporter"})
_ORGANIZATION_SEEING: Final = frozenset({"organization_auditor"})


@dataclass(slots=True)
class Event:
    """An audit event: an actor did something to a target; both are (GUID, type, name)."""

    guid: str
    type: str
    actor: tuple[str, str, str]
    target: tuple[str, str, str]
    space: str | None
    organization: str | None
    data: Json
    created_at: str = field(default_factory=timestamp)

    @property
    def updated_at(self) -> str:
        """Events never change."""
        return self.created_at


@dataclass(slots=True)
class UsageEvent:
    """A usage event: the requested state of a process changed."""

    guid: str
    app: tuple[str, str]
    process: tuple[str, str]
    space: Space
    state: tuple[str, str]
    memory_in_mb: int
    instances: int
    created_at: str = field(default_factory=timestamp)

    @property
    def updated_at(self) -> str:
        """Events never change."""
        return self.created_at


class Events:
    """The latest 100,000 events of each kind, the oldest first."""

    def __init__(self, world: World) -> None:
        self.audit: deque[Event] = deque(maxlen=_KEPT)
        self.usage: deque[UsageEvent] = deque(maxlen=_KEPT)
        self._world = world
        # A separate generator: events must not change the GUIDs of later apps.
        self._rng = random.Random(f"{world.seed}/events")

    def of_app(self, kind: str, token: Token, app: App, data: Json | None = None) -> None:
        """Add an audit event of an app, such as `audit.app.start`."""
        self.add(kind, token, (app.guid, "app", app.name), app.space, data)

    def add(
        self,
        kind: str,
        token: Token,
        target: tuple[str, str, str],
        place: Space | Organization | None,
        data: Json | None = None,
    ) -> None:
        """Add an audit event of any target in a space or an organization."""
        space = place.guid if isinstance(place, Space) else None
        home = place.organization if isinstance(place, Space) else place
        organization = home.guid if home is not None else None
        name = token.user.email if token.user is not None else ""
        self._add(kind, (token.user_guid, "user", name), target, (space, organization), data)

    def _add(
        self,
        kind: str,
        actor: tuple[str, str, str],
        target: tuple[str, str, str],
        place: tuple[str | None, str | None],
        data: Json | None,
    ) -> None:
        self.audit.append(Event(guid(self._rng), kind, actor, target, *place, data or {}))

    def crashed(self, instance: Instance, moment: float) -> None:
        """Add the crash events of an instance, for its process and for its app."""
        app = self._world.apps.get(instance.app_guid)
        found = (p for p in app.processes if p.guid == instance.process_guid) if app else ()
        process = next(iter(found), None)
        if app is None or process is None:
            return
        data: Json = {
            "instance": instance_guid(process, instance),
            "index": instance.index,
            "cell_id": guid_of("cell", instance.cell.number if instance.cell else 0),
            "reason": "CRASHED",
            "exit_description": instance.exit_description,
            "crash_count": instance.crashes + 1,
            "crash_timestamp": int(moment * 1e9),
            "version": process_version(process),
        }
        target = (app.guid, "app", app.name)
        place = (app.space.guid, app.space.organization.guid)
        actor = (process.guid, "process", process.type)
        self._add("audit.app.process.crash", actor, target, place, data)
        shown = {name: data[name] for name in _CRASH}
        self._add("app.crash", (app.guid, "app", app.name), target, place, shown)

    def switched(self, app: App, current: str, previous: str) -> None:
        """Add the usage events of an app that was started or stopped, one per process."""
        for process in app.processes:
            self.usage.append(self._usage(app, process, (current, previous)))

    def _usage(self, app: App, process: Process, state: tuple[str, str]) -> UsageEvent:
        return UsageEvent(
            guid(self._rng),
            (app.guid, app.name),
            (process.guid, process.type),
            app.space,
            state,
            process.memory_in_mb,
            process.instances,
        )


class EventRoutes:
    """The routes of events."""

    def __init__(self, world: World, events: Events, access: Access) -> None:
        self._world = world
        self._events = events
        self._access = access

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET audit_events": self._audit,
            "GET audit_events/*": self._audit_event,
            "GET app_usage_events": self._usage,
            "GET app_usage_events/*": self._usage_event,
        }

    def _visible(self, token: Token) -> list[Event]:
        rows = self._events.audit
        if token.sees_everything:
            return list(rows)
        spaces = {s.guid for s in self._world.spaces.values() if holds(token, s, _SEEING)}
        homes = {
            one.guid
            for one in self._world.organizations.values()
            if holds(token, one, _ORGANIZATION_SEEING)
        }
        return [row for row in rows if row.space in spaces or row.organization in homes]

    def _audit(self, call: Call) -> Answer:
        return listed(
            call,
            _AUDIT,
            self._visible(call.reader()),
            lambda event: _audit_fields(call, event),
            ("types", lambda event: event.type),
            ("target_guids", lambda event: event.target[0]),
            ("space_guids", lambda event: event.space),
            ("organization_guids", lambda event: event.organization),
        )

    def _audit_event(self, call: Call, event_guid: str) -> Answer:
        for event in self._visible(call.reader()):
            if event.guid == event_guid:
                return Answer(200, json_text(_audit_fields(call, event)))
        raise errors.not_found("Event")

    def _usage(self, call: Call) -> Answer:
        token = call.reader()
        rows = list(self._events.usage) if token.sees_everything else []
        after = list_query.decode(call.query).get("after_guid")
        if after is not None and token.sees_everything:
            places = [number for number, row in enumerate(rows, 1) if row.guid == after]
            if not places:
                raise errors.unprocessable(
                    "After guid filter must be a valid app usage event guid."
                )
            rows = rows[places[0] :]
        return listed(
            call,
            _USAGE,
            rows,
            lambda event: _usage_fields(call, event),
        )

    def _usage_event(self, call: Call, event_guid: str) -> Answer:
        token = call.reader()
        for event in self._events.usage:
            if event.guid == event_guid and token.sees_everything:
                return Answer(200, json_text(_usage_fields(call, event)))
        raise errors.not_found("App usage event")


def _party(party: tuple[str, str, str]) -> dict[str, str]:
    guid, kind, name = party
    return {"guid": guid, "type": kind, "name": name}


def _audit_fields(call: Call, event: Event) -> Json:
    return common_fields(event) | {
        "type": event.type,
        "actor": _party(event.actor),
        "target": _party(event.target),
        "data": event.data,
        "space": event.space and {"guid": event.space},
        "organization": event.organization and {"guid": event.organization},
        "links": {"self": {"href": f"{call.views.base}/v3/audit_events/{event.guid}"}},
    }


def _usage_fields(call: Call, event: UsageEvent) -> Json:
    current, previous = event.state
    return common_fields(event) | {
        "state": {"current": current, "previous": previous},
        "app": {"guid": event.app[0], "name": event.app[1]},
        "process": {"guid": event.process[0], "type": event.process[1]},
        "space": {"guid": event.space.guid, "name": event.space.name},
        "organization": {"guid": event.space.organization.guid},
        "buildpack": {"guid": None, "name": None},
        "task": {"guid": None, "name": None},
        "memory_in_mb_per_instance": {
            "current": event.memory_in_mb,
            "previous": event.memory_in_mb,
        },
        "instance_count": {"current": event.instances, "previous": event.instances},
        "links": {"self": {"href": f"{call.views.base}/v3/app_usage_events/{event.guid}"}},
    }
