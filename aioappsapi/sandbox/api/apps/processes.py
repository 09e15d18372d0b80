"""Processes: how many instances of an app's commands run, and how they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...api.token import Token
from ...world.json_types import Json
from ...world.model import App, Process, timestamp
from ...world.resources import Shelf
from ...world.state import World
from .. import errors, list_query, validation
from ..access import DEVELOPERS, SUPPORTERS, Access
from ..answer import Answer
from ..call import Call
from ..labels import metadata_problems
from ..outages import UP, UnknownError, check_stats
from ..router import Handler
from .actions import Actions

_MOST: Final = 2**31 - 1
_LOG_RATE: Final = "log_rate_limit_in_bytes_per_second"
_SCALED: Final = {
    "instances": (0, _MOST),
    "memory_in_mb": (1, _MOST),
    "disk_in_mb": (1, _MOST),
    _LOG_RATE: (-1, 2**63 - 1),
}
_UPDATED: Final = ("command", "user", "health_check", "readiness_health_check", "metadata")
_CHECKS: Final = (
    ("health_check", "Health check"),
    ("readiness_health_check", "Readiness health check"),
)
_MAX_DISK: Final = 8192
_LONGEST: Final = 4096
_DEPLOYING: Final = "Cannot scale this process while a deployment is in flight."


@dataclass(frozen=True, slots=True)
class _Row:
    """A process with what lists filter and sort by."""

    app: App
    process: Process
    guid: str
    created_at: str
    updated_at: str
    labels: dict[str, str]


class Processes:
    """The routes of processes, by GUID and by an app and a type."""

    def __init__(self, world: World, shelf: Shelf, access: Access, actions: Actions) -> None:
        self._world = world
        self._shelf = shelf
        self._access = access
        self._actions = actions

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part; each is there below processes and below its app."""
        table: dict[str, Handler] = {
            "GET processes": self._list,
            "GET apps/*/processes": self._of_app,
        }
        for route, handler in (
            ("GET *", self._show),
            ("PATCH *", self._update),
            ("GET */stats", self._stats),
            ("GET */process_instances", self._instances),
            ("POST */actions/scale", self._scale),
            ("DELETE */instances/*", self._terminate),
        ):
            method, _, path = route.partition(" ")
            table[f"{method} processes/{path}"] = handler
            table[f"{method} apps/*/processes/{path}"] = handler
        return table

    # Reading.

    def _list(self, call: Call) -> Answer:
        token = call.reader()
        query = list_query.ListQuery(list_query.PROCESSES, list_query.decode(call.query))
        apps = query.select(
            self._access.apps(token, query.values("app_guids")),
            ("app_guid", lambda app: app.guid),
            ("space_guids", lambda app: app.space.guid),
            ("organization_guids", lambda app: app.space.organization.guid),
        )
        rows = query.select(
            [row for app in apps for row in _rows(app)],
            ("types", lambda row: row.process.type),
            ("guids", lambda row: row.guid),
        )
        return self._page(call, query, rows)

    def _of_app(self, call: Call, app_guid: str) -> Answer:
        app = self._access.readable(call, app_guid)
        query = list_query.ListQuery(list_query.PROCESSES, list_query.decode(call.query))
        return self._page(call, query, _rows(app))

    def _page(self, call: Call, query: list_query.ListQuery, rows: Sequence[_Row]) -> Answer:
        chosen, page = query.cut(query.refine(rows))
        embed = bool(query.embeds)
        if embed:
            self._check_contact(call)
        resources = (call.views.process(r.app, r.process, embed=embed) for r in chosen)
        return Answer(200, call.views.page(call.path, query.links(), page, resources))

    def _check_contact(self, call: Call) -> None:
        if self._actions.diego(call) != UP:
            raise UnknownError

    def _found(self, token: Token, keys: tuple[str, ...]) -> tuple[App, Process]:
        if len(keys) == 2:
            app = self._access.app(token, keys[0])
            # While a deployment rolls there are two web processes, of which the new one counts.
            named = next((p for p in reversed(app.processes) if p.type == keys[1]), None)
            pair = None if named is None else (app, named)
        else:
            pair = self._world.process(keys[0])
        if pair is None or not token.reads(pair[0].space):
            raise errors.not_found("Process")
        return pair

    def _show(self, call: Call, *keys: str) -> Answer:
        token = call.reader()
        embed = bool(list_query.wished(call.query, list_query.PROCESSES, "embed"))
        app, process = self._found(token, keys)
        if embed:
            self._check_contact(call)
        return Answer(200, call.views.process(app, process, listed=False, embed=embed))

    def _stats(self, call: Call, *keys: str) -> Answer:
        app, process = self._found(call.reader(), keys)
        check_stats(self._actions.diego(call))
        measured = self._world.log_cache
        text = call.views.stats(app, process, measured=measured)
        warnings = {} if measured else {"x-cf-warnings": "Stats+server+temporarily+unavailable."}
        return Answer(200, text, headers=warnings)

    def _instances(self, call: Call, *keys: str) -> Answer:
        app, process = self._found(call.reader(), keys)
        self._check_contact(call)
        return Answer(200, call.views.process_instances(app, process))

    # Changing.

    def _changeable(
        self, call: Call, keys: tuple[str, ...], roles: frozenset[str]
    ) -> tuple[App, Process]:
        token = call.writer()
        app, process = self._found(token, keys)
        self._access.check_change(token, app.space, roles)
        return app, process

    def _scale(self, call: Call, *keys: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        self._access.check_flag(token, "app_scaling")
        wanted = _scaling(fields)
        app, process = self._changeable(call, keys, SUPPORTERS)
        if self._shelf.running_deployment(app) is not None and process.type == "web":
            raise errors.unprocessable(_DEPLOYING)
        self._resize(app, process, wanted)
        if wanted:
            app.updated_at = timestamp()
            self._actions.order(app, call)
        return Answer(202, call.views.process(app, process, listed=False))

    def _resize(self, app: App, process: Process, wanted: dict[str, int]) -> None:
        before = process.instances, process.memory_in_mb
        process.instances = wanted.get("instances", process.instances)
        process.memory_in_mb = wanted.get("memory_in_mb", process.memory_in_mb)
        try:
            if app.state == "STARTED":
                self._actions.check_memory(app)
        except errors.ApiError:
            process.instances, process.memory_in_mb = before
            raise
        process.disk_in_mb = wanted.get("disk_in_mb", process.disk_in_mb)
        process.log_rate = wanted.get(_LOG_RATE, process.log_rate)

    def _update(self, call: Call, *keys: str) -> Answer:
        fields = call.fields()
        _check_update(fields)
        app, process = self._changeable(call, keys, DEVELOPERS)
        if "command" in fields:
            process.command = fields["command"]
        process.health_check = _merged(process.health_check, fields.get("health_check"))
        process.readiness = _merged(process.readiness, fields.get("readiness_health_check"))
        validation.merge_metadata(fields, process.labels, process.annotations)
        app.updated_at = timestamp()
        return Answer(200, call.views.process(app, process, listed=False))

    def _terminate(self, call: Call, *keys: str) -> Answer:
        app, process = self._changeable(call, keys[:-1], SUPPORTERS)
        index = keys[-1]
        if not index.isdecimal() or int(index) >= process.instances:
            raise errors.not_found("Instance")
        self._actions.order(app, call)
        self._world.fleet.replace(process, int(index))
        return Answer(204, "", "")


def _merged(kept: Json | None, given: Json | None) -> Json | None:
    if given is None:
        return kept
    data = ((kept or {}).get("data") or {}) | (given.get("data") or {})
    return (kept or {}) | given | {"data": data}


def _rows(app: App) -> list[_Row]:
    return [
        _Row(app, process, process.guid, app.created_at, app.updated_at, process.labels)
        for process in app.processes
    ]


def _scaling(fields: Json) -> dict[str, int]:
    problems = validation.unknown_fields(fields, _SCALED)
    for name, (least, most) in _SCALED.items():
        value, positive = fields.get(name), least == 1
        problems += validation.number_problems(name, value, least, most, positive=positive)
    validation.refuse(problems)
    wanted = {name: int(value) for name, value in fields.items() if value is not None}
    if wanted.get("disk_in_mb", 0) > _MAX_DISK:
        raise errors.unprocessable(
            f"disk_quota too much disk requested (requested {wanted['disk_in_mb']} MB - "
            f"must be less than {_MAX_DISK} MB)"
        )
    return wanted


def _check_update(fields: Json) -> None:
    problems = metadata_problems(fields) + validation.unknown_fields(fields, _UPDATED)
    command = fields.get("command")
    if not isinstance(command, str | None):
        problems.append("Command must be a string")
    elif command is not None and not 1 <= len(command) <= _LONGEST:
        problems.append(f"Command must be between 1 and {_LONGEST} characters")
    for name, label in _CHECKS:
        if fields.get(name) is not None:
            problems += _check_problems(label, fields[name])
    validation.refuse(problems)


def _check_problems(label: str, check: object) -> list[str]:
    known = check if isinstance(check, dict) else {"type": None}
    problems = []
    if "type" in known and known["type"] not in ("port", "process", "http"):
        problems.append(f'{label} type must be "port", "process", or "http"')
    data = known.get("data")
    if not isinstance(data, dict | None):
        return [*problems, f"{label} data must be an object"]
    for name in ("timeout", "invocation_timeout", "interval"):
        value = (data or {}).get(name)
        problems += validation.number_problems(f"{label} {name}", value, 1, _MOST)
    return problems
