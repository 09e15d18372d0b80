"""Sidecars: commands that run in the container of a process."""

from __future__ import annotations

from typing import Final

from aioappsapi.sandbox.api import errors, list_query, ruby, validation
from aioappsapi.sandbox.api.access import DEVELOPERS, Access
from aioappsapi.sandbox.api.answer import Answer, json_text, no_content
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.list_query import ListRules
from aioappsapi.sandbox.api.listing import common_fields, listed, to_app
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import guid
from aioappsapi.sandbox.world.resources import Sidecar
from aioappsapi.sandbox.world.shelf import Shelf
from aioappsapi.sandbox.world.state import World

_SIDECARS: Final = ListRules((), orders=("created_at", "updated_at"))
_LONGEST_NAME: Final = 255
_LONGEST_COMMAND: Final = 4096
_FIELDS: Final = ("name", "command", "process_types", "memory_in_mb")


class Sidecars:
    """The routes of sidecars."""

    def __init__(self, world: World, shelf: Shelf, access: Access) -> None:
        self._world = world
        self._shelf = shelf
        self._access = access

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET apps/*/sidecars": self._of_app,
            "POST apps/*/sidecars": self._create,
            "GET processes/*/sidecars": self._of_process,
            "GET sidecars/*": self._show,
            "PATCH sidecars/*": self._update,
            "DELETE sidecars/*": self._delete,
        }

    def _of_app(self, call: Call, app_guid: str) -> Answer:
        token = call.reader()
        list_query.ListQuery(_SIDECARS, list_query.decode(call.query))
        app = self._access.app(token, app_guid)
        return self._listed(call, [s for s in self._shelf.sidecars.values() if s.app is app])

    def _of_process(self, call: Call, process_guid: str) -> Answer:
        token = call.reader()
        list_query.ListQuery(_SIDECARS, list_query.decode(call.query))
        found = self._world.process(process_guid)
        if found is None or not token.reads(found[0].space):
            raise errors.not_found("Process")
        app, process = found
        sidecars = self._shelf.sidecars.values()
        beside = [s for s in sidecars if s.app is app and process.type in s.process_types]
        return self._listed(call, beside)

    def _listed(self, call: Call, rows: list[Sidecar]) -> Answer:
        return listed(call, _SIDECARS, rows, _fields, filters_in_links=False)

    def _visible(self, token: Token, sidecar_guid: str) -> Sidecar:
        sidecar = self._shelf.sidecars.get(sidecar_guid)
        if sidecar is None or not token.reads(sidecar.app.space):
            raise errors.not_found("Sidecar")
        return sidecar

    def _show(self, call: Call, sidecar_guid: str) -> Answer:
        return Answer(200, json_text(_fields(self._visible(call.reader(), sidecar_guid))))

    def _create(self, call: Call, app_guid: str) -> Answer:
        fields = call.fields()
        _, app = self._access.changeable(call, app_guid, DEVELOPERS)
        validation.refuse(_problems(fields, fresh=True))
        sidecar = Sidecar(guid=guid(self._world.rng), app=app, name="", command="")
        self._check(sidecar, fields, memory="memory_in_mb" in fields)
        self._shelf.sidecars[sidecar.guid] = sidecar
        return self._changed(sidecar, fields, 201)

    def _update(self, call: Call, sidecar_guid: str) -> Answer:
        fields = call.fields()
        sidecar = self._changeable(call, sidecar_guid)
        validation.refuse(_problems(fields, fresh=False))
        sized = "memory_in_mb" in fields or "process_types" in fields
        self._check(sidecar, fields, memory=sized)
        sidecar.touch()
        return self._changed(sidecar, fields, 200)

    def _check(self, sidecar: Sidecar, fields: Json, *, memory: bool) -> None:
        if memory:
            self._check_memory(sidecar, fields)
        name, command = fields.get("name", ""), fields.get("command", "")
        problems = []
        if len(name) > _LONGEST_NAME:
            problems.append(f"Name is too long (maximum is {_LONGEST_NAME} characters)")
        if len(command) > _LONGEST_COMMAND:
            problems.append(f"Command is too long (maximum is {_LONGEST_COMMAND} characters)")
        validation.refuse(problems)
        others = [s for s in self._shelf.sidecars.values() if s is not sidecar]
        if any(one.app is sidecar.app and one.name == name for one in others):
            raise errors.unprocessable(f"Sidecar with name '{name}' already exists for given app")

    def _check_memory(self, sidecar: Sidecar, fields: Json) -> None:
        memory = int(fields.get("memory_in_mb", sidecar.memory_in_mb) or 0)
        types = fields.get("process_types", sidecar.process_types)
        for process in sidecar.app.processes:
            others = self._shelf.sidecar_memory(sidecar.app, process.type, but=sidecar)
            if process.type in types and others + memory >= process.memory_in_mb:
                raise errors.unprocessable(
                    "The memory allocation defined is too large to run with the dependent "
                    f'"{process.type}" process'
                )

    def _changed(self, sidecar: Sidecar, fields: Json, status: int) -> Answer:
        for name in _FIELDS:
            if name in fields:
                setattr(sidecar, name, fields[name])
        return Answer(status, json_text(_fields(sidecar)))

    def _changeable(self, call: Call, sidecar_guid: str) -> Sidecar:
        token = call.writer()
        sidecar = self._visible(token, sidecar_guid)
        self._access.check_change(token, sidecar.app.space, DEVELOPERS)
        return sidecar

    def _delete(self, call: Call, sidecar_guid: str) -> Answer:
        sidecar = self._changeable(call, sidecar_guid)
        del self._shelf.sidecars[sidecar.guid]
        return no_content()


def _problems(fields: Json, *, fresh: bool) -> list[str]:
    problems = validation.unknown_fields(fields, _FIELDS)
    for name in ("name", "command"):
        if fresh or name in fields:
            problems += validation.presence_problems(name.capitalize(), fields.get(name))
    types = fields.get("process_types")
    if fresh or "process_types" in fields:
        problems += [] if isinstance(types, list) else ["Process types must be an array"]
        empty = ruby.length(types) == 0
        problems += ["Process types must have at least 1 process_type"] if empty else []
    memory = fields.get("memory_in_mb")
    return problems + validation.number_problems("memory_in_mb", memory, 1, positive=True)


def _fields(sidecar: Sidecar) -> Json:
    moments = common_fields(sidecar)
    return {
        "guid": moments.pop("guid"),
        "name": sidecar.name,
        "command": sidecar.command,
        "process_types": sorted(sidecar.process_types),
        "memory_in_mb": sidecar.memory_in_mb,
        "origin": "user",
        "relationships": to_app(sidecar.app.guid),
        **moments,
    }
