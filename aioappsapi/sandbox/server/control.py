"""The control endpoint, /sandbox, for tests in other languages than Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Final
from urllib.parse import parse_qsl

from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.server.switches import Switches
from aioappsapi.sandbox.world.faults import FIELDS, Faults, changed
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import App

PREFIX: Final = "/sandbox"
Handler = Callable[[Mapping[str, str], Json], object]


class _UsageError(Exception):
    """A bad request to the control endpoint."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Control:
    """Shows and changes over HTTP the attributes that a Python test has on the sandbox."""

    def __init__(self, sandbox: Switches) -> None:
        self._sandbox = sandbox
        self._routes: dict[str, dict[str, Handler]] = {
            "": {"GET": self._overview},
            "/faults": {"GET": self._faults, "PATCH": self._change_faults},
            "/requests": {"GET": self._requests, "DELETE": self._forget_requests},
            "/apps": {"GET": self._apps},
            "/cells": {"GET": self._cells},
            "/diego": {"GET": self._modes, "PUT": self._set_diego},
            "/database": {"GET": self._modes, "PUT": self._set_database},
            "/directory": {"GET": self._modes, "PUT": self._set_directory},
            "/tokens/expire": {"POST": self._expire},
        }

    def answer(self, method: str, path: str, query: str, body: bytes) -> Answer:
        """Return the response to any request below /sandbox. It needs no login."""
        try:
            handler = self._handler(method, path.removeprefix(PREFIX).rstrip("/"))
            result = handler(dict(parse_qsl(query)), _members(body))
        except _UsageError as wrong:
            return _plain(wrong.status, {"error": str(wrong)})
        return _plain(200, result)

    def _handler(self, method: str, path: str) -> Handler:
        app = self._sandbox.apps.get(path.removeprefix("/apps/"))
        if app is not None:
            handlers: dict[str, Handler] = {"GET": lambda _query, _body: self._app(app)}
        else:
            handlers = self._routes.get(path, {})
        if not handlers:
            raise _UsageError(404, f"there is no {PREFIX}{path}")
        if method not in handlers:
            raise _UsageError(405, f"{PREFIX}{path} accepts only {', '.join(handlers)}")
        return handlers[method]

    def _overview(self, _query: Mapping[str, str], _body: Json) -> object:
        sandbox = self._sandbox
        return {
            "apps": len(sandbox.apps),
            "requests": len(sandbox.requests),
            "logins": sandbox.logins,
            "starting": sandbox.starting,
            "peak_starting": sandbox.peak_starting,
            "diego": sandbox.diego,
            "database": sandbox.database,
            "directory": sandbox.directory,
        }

    def _faults(self, _query: Mapping[str, str], _body: Json) -> object:
        shown = asdict(self._sandbox.faults)
        return {name: shown[name] for name in FIELDS}

    def _change_faults(self, query: Mapping[str, str], body: Json) -> object:
        profile = body.pop("profile", None)
        try:
            base = self._sandbox.faults if profile is None else Faults.profile(str(profile))
            self._sandbox.faults = changed(base, body)
        except ValueError as error:
            raise _UsageError(400, str(error)) from error
        return self._faults(query, body)

    def _requests(self, query: Mapping[str, str], _body: Json) -> object:
        given = query.get("since", "0")
        if not given.isdecimal():
            raise _UsageError(400, "since must be a number of requests")
        return {"requests": [one._asdict() for one in list(self._sandbox.requests)[int(given) :]]}

    def _forget_requests(self, _query: Mapping[str, str], _body: Json) -> object:
        self._sandbox.requests.clear()
        return {}

    def _apps(self, _query: Mapping[str, str], _body: Json) -> object:
        return {"apps": [self._app(app) for app in self._sandbox.apps.values()]}

    def _app(self, app: App) -> object:
        fleet = self._sandbox.world.fleet
        return {
            "guid": app.guid,
            "name": app.name,
            "state": app.state,
            "running": fleet.running(app),
            "applied": app.applied,
            "instances": {
                process.type: [
                    {"index": one.index, "state": one.state, "details": one.details}
                    for one in fleet.instances(app, process)
                ]
                for process in app.processes
            },
        }

    def _cells(self, _query: Mapping[str, str], _body: Json) -> object:
        names = ("memory_mb", "used_mb", "starting")
        cells = self._sandbox.cells
        return {"cells": [{name: getattr(cell, name) for name in names} for cell in cells]}

    def _modes(self, _query: Mapping[str, str], _body: Json) -> object:
        names = ("diego", "database", "directory")
        return {name: getattr(self._sandbox, name) for name in names}

    def _set_diego(self, query: Mapping[str, str], body: Json) -> object:
        return self._set("diego", query, body)

    def _set_database(self, query: Mapping[str, str], body: Json) -> object:
        return self._set("database", query, body)

    def _set_directory(self, query: Mapping[str, str], body: Json) -> object:
        return self._set("directory", query, body)

    def _set(self, name: str, query: Mapping[str, str], body: Json) -> object:
        try:
            setattr(self._sandbox, name, str(body.get("mode")))
        except ValueError as error:
            raise _UsageError(400, str(error)) from error
        return self._modes(query, body)

    def _expire(self, _query: Mapping[str, str], _body: Json) -> object:
        self._sandbox.expire_tokens()
        return {}


def _members(body: bytes) -> Json:
    try:
        value = json.loads(body) if body else {}
    except ValueError as error:
        raise _UsageError(400, f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise _UsageError(400, "the body must be a JSON object")
    return value


def _plain(status: int, value: object) -> Answer:
    return Answer(status, json_text(value), "application/json", framed=False)
