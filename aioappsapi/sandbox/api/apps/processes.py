"""Processes: the commands of an app, their numbers of instances, and the instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aioappsapi.sandbox.api import errors, list_query, validation
from aioappsapi.sandbox.api.access import SUPPORTERS, Access
from aioappsapi.sandbox.api.answer import Answer, no_content
from aioappsapi.sandbox.api.apps.actions import Actions
from aioappsapi.sandbox.api.apps.process_checks import (
    saved_check_problems,
    saved_user_problems,
    update_problems,
)
from aioappsapi.sandbox.api.apps.scaling import LOG_RATE, SCALED, scaling_problems
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.outages import UP, UnknownError, check_stats
from aioappsapi.sandbox.api.places.usage import Usage
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import STARTED, App, Process
from aioappsapi.sandbox.world.shelf import Shelf
from aioappsapi.sandbox.world.state import World

_DEPLOYING: Final = "Cannot {} this process while a deployment is in flight."
_SIDECARS: Final = (
    "The requested memory allocation is not large enough to run all of your sidecar processes"
)
_OF_AN_APP: Final = ("app_guids", "organization_guids", "space_guids")


@dataclass(frozen=True, slots=True)
class _Row:
    """A process with the values by which lists filter and sort."""

    app: App
    process: Process
    guid: str
    created_at: str
    updated_at: str
    labels: dict[str, str]


class Processes:
    """The routes of processes, by GUID and by an app and a type."""

    def __init__(
        self, world: World, shelf: Shelf, access: Access, actions: Actions, usage: Usage
    ) -> None:
        self._world = world
        self._shelf = shelf
        self._access = access
        self._actions = actions
        self._usage = usage

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part; most exist below processes and below an app."""
        table: dict[str, Handler] = {
            "GET processes": self._list,
            "GET apps/*/processes": self._of_app,
            "GET processes/*/process_instances": self._instances,
        }
        for route, handler in (
            ("GET *", self._show),
            ("PATCH *", self._update),
            ("GET */stats", self._stats),
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
            ("space_guids", lambda app: app.space.guid),
            ("organization_guids", lambda app: app.space.organization.guid),
        )
        rows = [row for app in apps for row in _rows(app)]
        return self._page(call, query, rows)

    def _of_app(self, call: Call, app_guid: str) -> Answer:
        token = call.reader()
        given = list_query.decode(call.query)
        rules = list_query.nested(list_query.PROCESSES, *_OF_AN_APP)
        query = list_query.ListQuery(rules, given)
        return self._page(call, query, _rows(self._access.app(token, app_guid)))

    def _page(self, call: Call, query: list_query.ListQuery, rows: Sequence[_Row]) -> Answer:
        wanted = query.select(
            rows, ("types", lambda row: row.process.type), ("guids", lambda row: row.guid)
        )
        chosen, page = query.cut(query.refine(wanted))
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
            # During a deployment an app has several web processes; the newest is meant.
            named = next((p for p in reversed(app.processes) if p.type == keys[1]), None)
            pair = None if named is None else (app, named)
        else:
            pair = self._world.process(keys[0])
        if pair is None or not token.reads(pair[0].space):
            raise errors.not_found("Process")
        return pair

    def _show(self, call: Call, *keys: str) -> Answer:
        token = call.reader()
        app, process = self._found(token, keys)
        embed = bool(list_query.requested_names(call.query, list_query.PROCESSES, "embed"))
        if embed:
            self._check_contact(call)
        secrets = self._access.reads_secrets(token, app.space)
        text = call.views.process(app, process, secrets=secrets, listed=False, embed=embed)
        return Answer(200, text)

    def _stats(self, call: Call, *keys: str) -> Answer:
        app, process = self._found(call.reader(), keys)
        check_stats(self._actions.diego(call))
        rows = self._world.fleet.instances(app, process)
        known = app.state == STARTED and any(one.since is not None for one in rows)
        # The server asks log-cache only if Diego has answered.
        measured = self._world.log_cache
        text = call.views.stats(app, process, measured=measured)
        missing = known and not measured
        warnings = {"x-cf-warnings": "Stats+server+temporarily+unavailable."} if missing else {}
        return Answer(200, text, headers=warnings)

    def _instances(self, call: Call, *keys: str) -> Answer:
        app, process = self._found(call.reader(), keys)
        self._check_contact(call)
        return Answer(200, call.views.process_instances(app, process))

    # Changing.

    def _changeable(self, call: Call, keys: tuple[str, ...]) -> tuple[Token, App, Process]:
        token = call.writer()
        app, process = self._found(token, keys)
        self._access.check_change(token, app.space, SUPPORTERS)
        return token, app, process

    def _check_no_deployment(self, app: App, process: Process, verb: str) -> None:
        if process.type == "web" and self._shelf.running_deployment(app) is not None:
            raise errors.unprocessable(_DEPLOYING.format(verb))

    def _scale(self, call: Call, *keys: str) -> Answer:
        fields = call.fields()
        token, app, process = self._changeable(call, keys)
        self._access.check_flag(token, "app_scaling")
        problems = validation.unknown_fields(fields, SCALED)
        validation.refuse(problems + scaling_problems(fields))
        self._check_no_deployment(app, process, "scale")
        if None in (fields.get("instances", 0), fields.get("memory_in_mb", 0)):
            # The server answers 500 if one of these would become null.
            raise UnknownError
        wanted = {name: int(value) for name, value in fields.items() if value is not None}
        self._check_sidecars(app, process, wanted.get("memory_in_mb"))
        self._resize(app, process, wanted)
        if "disk_in_mb" in fields and fields["disk_in_mb"] is None:
            process.disk_in_mb = None
        if wanted:
            process.touch()
            self._actions.order(app, process, call)
        return Answer(202, call.views.process(app, process, listed=False))

    def _check_sidecars(self, app: App, process: Process, memory_in_mb: int | None) -> None:
        sidecars = self._shelf.sidecar_memory(app, process.type)
        if memory_in_mb not in (None, process.memory_in_mb) and 0 < memory_in_mb <= sidecars:
            raise errors.unprocessable(_SIDECARS)

    def _resize(self, app: App, process: Process, wanted: dict[str, int]) -> None:
        self._usage.check_process(
            app,
            process,
            instances=wanted.get("instances"),
            memory_in_mb=wanted.get("memory_in_mb"),
            disk_in_mb=wanted.get("disk_in_mb"),
            log_rate=wanted.get(LOG_RATE),
        )
        process.instances = wanted.get("instances", process.instances)
        process.memory_in_mb = wanted.get("memory_in_mb", process.memory_in_mb)
        process.disk_in_mb = wanted.get("disk_in_mb", process.disk_in_mb)
        process.log_rate = wanted.get(LOG_RATE, process.log_rate)

    def _update(self, call: Call, *keys: str) -> Answer:
        fields = call.fields()
        _, app, process = self._changeable(call, keys)
        validation.refuse(update_problems(fields))
        self._check_no_deployment(app, process, "update")
        health = _merged(process.health_check, fields.get("health_check"))
        readiness = _merged(process.readiness, fields.get("readiness_health_check"))
        user = fields.get("user", process.user)
        validation.refuse([*saved_check_problems(health, readiness), *saved_user_problems(user)])
        self._shelf.latest_revision(app)
        if "command" in fields:
            process.command = fields["command"]
        process.user, process.health_check, process.readiness = user, health, readiness
        validation.merge_metadata(fields, process.labels, process.annotations)
        process.touch()
        return Answer(200, call.views.process(app, process, listed=False))

    def _terminate(self, call: Call, *keys: str) -> Answer:
        _, app, process = self._changeable(call, keys[:-1])
        index = _leading_number(keys[-1])
        if not 0 <= index < process.instances:
            raise errors.not_found("Instance")
        self._actions.order(app, process, call)
        self._world.fleet.replace(process, index)
        return no_content()


def _leading_number(text: str) -> int:
    """Return the number at the beginning of a text, or 0 if there is none."""
    digits = validation.LEADING_DIGITS.match(text)
    return int(digits[0]) if digits is not None else 0


def _merged(kept: Json | None, given: Json | None) -> Json | None:
    """Return a health check with the changes; only an HTTP check keeps an endpoint."""
    if given is None:
        return kept
    data = ((kept or {}).get("data") or {}) | (given.get("data") or {})
    merged = (kept or {}) | {name: value for name, value in given.items() if name == "type"}
    if given.get("type", "http") != "http":
        data.pop("endpoint", None)
    return merged | {"data": data}


def _rows(app: App) -> list[_Row]:
    return [
        _Row(
            app,
            process,
            process.guid,
            process.created_at or app.created_at,
            process.updated_at or app.updated_at,
            process.labels,
        )
        for process in app.processes
    ]
