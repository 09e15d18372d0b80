"""Starts, stops and restarts of apps, and how Diego takes part in them."""

from __future__ import annotations

from collections.abc import Callable

from aioappsapi.sandbox.api import errors
from aioappsapi.sandbox.api.access import SUPPORTERS, Access
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.outages import DNS, UP, runner_error
from aioappsapi.sandbox.api.places.usage import Usage
from aioappsapi.sandbox.api.platform.events import Events
from aioappsapi.sandbox.world.faults import Faults
from aioappsapi.sandbox.world.model import STARTED, STOPPED, App, Process
from aioappsapi.sandbox.world.resources import Revision
from aioappsapi.sandbox.world.shelf import Shelf
from aioappsapi.sandbox.world.state import World

_NO_DROPLET = "Assign a droplet before starting this app."


class Actions:
    """The three actions. `faults` returns the present faults."""

    def __init__(
        self,
        world: World,
        shelf: Shelf,
        access: Access,
        usage: Usage,
        events: Events,
        faults: Callable[[], Faults],
    ) -> None:
        self._world = world
        self._shelf = shelf
        self._access = access
        self._usage = usage
        self._events = events
        self._faults = faults
        self._actions = {"start": self._start, "stop": self._stop, "restart": self._restart}

    def act(self, call: Call) -> str:
        """Carry out the action in the path and return the app."""
        # An action needs no body, but a body that is declared as JSON is parsed.
        call.fields()
        token = call.writer()
        app = self._access.app(token, call.parts[2])
        action = call.parts[4]
        if app.droplet is None and action != "stop":
            # The server checks the droplet before it checks the rights of the user.
            raise errors.unprocessable(_NO_DROPLET)
        self._access.check_change(token, app.space, SUPPORTERS)
        if app.lifecycle in {"docker", "cnb"} and action != "stop":
            self._access.check_flag(token, f"diego_{app.lifecycle}")
        self._actions[action](app, call)
        return call.views.app(app)

    def diego(self, call: Call) -> str:
        """Return the mode of Diego during this request."""
        return call.diego or self._world.diego

    def order(self, app: App, process: Process, call: Call) -> None:
        """Hand a change of a process to Diego. Raises ApiError if Diego does not take it."""
        mode = self.diego(call)
        if app.state == STARTED and mode not in (UP, DNS):
            raise runner_error(mode, process, self._world.diego_error)
        self._world.fleet.resize(app)

    def start(self, app: App, call: Call, revision: Revision | None) -> None:
        """Start a stopped app with an existing revision."""
        self._usage.check_start(app)
        self._run(app, revision)
        self._switch(app, STARTED)
        self._events.of_app("audit.app.start", call.token(), app)
        app.applied["start"] += 1
        self._launch(app, call)

    def _start(self, app: App, call: Call) -> None:
        fresh = app.state != STARTED
        if fresh:
            self._usage.check_start(app)
            self._resolve(app)
        self._switch(app, STARTED)
        # Every call makes an event, which stays even if Diego fails now.
        self._events.of_app("audit.app.start", call.token(), app)
        if fresh:
            app.applied["start"] += 1
            self._launch(app, call)

    def _stop(self, app: App, call: Call) -> None:
        mode = self.diego(call)
        changed = self._switch(app, STOPPED)
        self._events.of_app("audit.app.stop", call.token(), app)
        if not changed:
            return
        app.applied["stop"] += 1
        self._notify_diego(app, call)
        if mode not in (UP, DNS):
            raise runner_error(mode, app.processes[0], self._world.diego_error)

    def _restart(self, app: App, call: Call) -> None:
        mode = self.diego(call)
        if mode != UP:
            raise runner_error(mode, app.processes[0], self._world.diego_error)
        if app.state != STARTED:
            self._usage.check_start(app)
        self._resolve(app)
        self._switch(app, STARTED)
        app.applied["restart"] += 1
        self._launch(app, call)
        self._events.of_app("audit.app.restart", call.token(), app)

    def _resolve(self, app: App) -> None:
        """Let the app run its latest revision, or a new revision if the app has changed."""
        # fast path: the first revision is made when a request reads it.
        if app.launches:
            self._run(app, self._shelf.resolve_revision(app))

    def _run(self, app: App, revision: Revision | None) -> None:
        for process in app.processes:
            process.revision = revision.guid if revision is not None else None

    def _switch(self, app: App, state: str) -> bool:
        previous = app.state
        changed = app.switch(state)
        if changed:
            self._events.switched(app, state, previous)
        return changed

    def _launch(self, app: App, call: Call) -> None:
        mode = self.diego(call)
        self._notify_diego(app, call)
        if mode not in (UP, DNS):
            raise runner_error(mode, app.processes[0], self._world.diego_error, fresh=True)

    def _notify_diego(self, app: App, call: Call) -> None:
        """Tell Diego the app's new state: now, soon, or after its outage."""
        fleet = self._world.fleet
        if call.runner_down:
            fleet.order(app, self._faults().repair_after)
        elif self._world.diego != UP:
            fleet.remember_missed(app)
        else:
            fleet.order(app)
