"""Starting, stopping and restarting apps, and what Diego makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable

from . import answer as say
from .access import SUPPORTERS, Access
from .call import Call
from .faults import Faults
from .outages import DNS, UP, runner_error
from .state import STARTED, STOPPED, App, World
from .views import process_version

_NO_DROPLET = "Assign a droplet before starting this app."


class Actions:
    """The three actions. `faults` gives the faults of the moment."""

    def __init__(self, world: World, access: Access, faults: Callable[[], Faults]) -> None:
        self._world = world
        self._access = access
        self._faults = faults
        self._actions = {"start": self._start, "stop": self._stop, "restart": self._restart}

    def act(self, call: Call) -> str:
        """Do what the path says and return the app."""
        _check_body(call)
        token = call.writer()
        app = self._access.app(token, call.parts[2])
        action = call.parts[4]
        if app.droplet is None and action != "stop":
            # The server looks at the droplet first, even for those who may not start.
            raise say.unprocessable(_NO_DROPLET)
        self._access.check_change(token, app.space, SUPPORTERS)
        if app.lifecycle == "docker" and action != "stop":
            self._access.check_flag(token, "diego_docker")
        self._actions[action](app, call)
        return call.views.app(app)

    def diego(self, call: Call) -> str:
        """Return how Diego is during this request."""
        return call.diego or self._world.diego

    def order(self, app: App, call: Call) -> None:
        """Hand a change of a started app to Diego. Raises ApiError where it does not take it."""
        mode = self.diego(call)
        if app.state == STARTED and mode not in (UP, DNS):
            raise runner_error(mode, app.guid, process_version(app))
        self._world.fleet.resize(app)

    def check_memory(self, app: App) -> None:
        """Refuse what does not fit into the organization's quota any more."""
        organization = app.space.organization
        if organization.memory_limit is None:
            return
        wanted = _memory(app) + sum(
            _memory(other)
            for other in self._world.apps.values()
            if other is not app
            and other.state == STARTED
            and other.space.organization is organization
        )
        if wanted > organization.memory_limit:
            raise say.unprocessable("memory quota_exceeded")

    def _start(self, app: App, call: Call) -> None:
        if app.state == STARTED:
            return
        self.check_memory(app)
        app.switch(STARTED)
        app.applied["start"] += 1
        self._launch(app, call)

    def _stop(self, app: App, call: Call) -> None:
        if not app.switch(STOPPED):
            return
        app.applied["stop"] += 1
        mode = self.diego(call)
        self._tell(app, call)
        if mode not in (UP, DNS):
            raise runner_error(mode, app.guid, process_version(app))

    def _restart(self, app: App, call: Call) -> None:
        mode = self.diego(call)
        if mode != UP:
            raise runner_error(mode, app.guid, process_version(app))
        if app.state != STARTED:
            self.check_memory(app)
        app.switch(STARTED)
        app.applied["restart"] += 1
        self._launch(app, call)

    def _launch(self, app: App, call: Call) -> None:
        app.revision += 1
        mode = self.diego(call)
        self._tell(app, call)
        if mode not in (UP, DNS):
            raise runner_error(mode, app.guid, process_version(app), fresh=True)

    def _tell(self, app: App, call: Call) -> None:
        """Let Diego hear of the app's new state: now, soon, or when it is back."""
        fleet = self._world.fleet
        if call.runner_down:
            fleet.order(app, self._faults().repair_after)
        elif self._world.diego != UP:
            fleet.strand(app)
        else:
            fleet.order(app)


def _memory(app: App) -> int:
    return sum(process.instances * process.memory_in_mb for process in app.processes)


def _check_body(call: Call) -> None:
    # A start wants no body, but one that is declared as JSON is parsed all the same.
    if call.body and "json" in call.content_type:
        try:
            json.loads(call.body)
        except ValueError as error:
            raise say.parse_error() from error
