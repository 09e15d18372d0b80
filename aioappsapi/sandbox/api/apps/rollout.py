"""Rolling an app out: new web instances come up, a few at a time, and old ones go.

The new instances belong to a web process of their own. Once they all run, the next ones are added
and as many old ones leave; at the end the old process goes, and the app's web process is another
one than before. Where new instances do not come up, a deployment stays as far as it got.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ...world.instances import RUNNING
from ...world.model import STARTED, App, Process, guid
from ...world.resources import PATIENCE, Deployment
from ...world.state import World

WEB: Final = "web"


class Rollouts:
    """The steps of deployments: one a second, and one with each look but the first."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._fleet = world.fleet

    def begin(self, deployment: Deployment) -> None:
        """Start the first new instances, or all of them in the place of the old ones."""
        app = deployment.app
        with self._fleet.lock:
            old = newest_web(app)
            new = replace(old, guid=guid(self._world.rng), live=[], states=None, details=None)
            new.labels, new.annotations = dict(old.labels), dict(old.annotations)
            new.instances = min(deployment.wanted, deployment.max_in_flight)
            if deployment.strategy == "canary":
                new.instances = min(deployment.wanted, 1)
            if deployment.strategy == "recreate":
                new.instances = deployment.wanted
                self._shrink(app, new, by=deployment.wanted)
            app.launches += 1
            app.processes = [*app.processes, new]
            deployment.process = new.guid
            self._fleet.resize(app)
        self.go_on(deployment)

    def go_on(self, deployment: Deployment, now: float | None = None) -> None:
        """Take the next step in a second, and so on until there is none."""
        self._fleet.later(PATIENCE, lambda due: self._tick(deployment, due), now)

    def look(self, deployment: Deployment) -> None:
        """Take the next step at once, if somebody has looked before."""
        now = self._fleet.settle()
        if deployment.seen:
            with self._fleet.lock:
                self._step(deployment, now)
        deployment.seen = True

    def take_back(self, deployment: Deployment) -> None:
        """Let the new instances go, and bring back as many old ones as there were."""
        app = deployment.app
        with self._fleet.lock:
            new = _new(deployment)
            olds = [process for process in _web(app) if process is not new]
            if new is None or not olds:
                return
            new.instances = 0
            olds[-1].instances += deployment.original - sum(old.instances for old in olds)
            self._fleet.resize(app)
            app.processes = [process for process in app.processes if process is not new]

    def _tick(self, deployment: Deployment, now: float) -> None:
        if deployment.app.guid in self._world.apps:
            self._step(deployment, now)
            if _goes_on(deployment):
                self.go_on(deployment, now)

    def _step(self, deployment: Deployment, now: float) -> None:
        app, new = deployment.app, _new(deployment)
        if not _goes_on(deployment):
            return
        if new is not None and not _runs(app, new):
            return
        if deployment.strategy == "canary" and not deployment.continued:
            deployment.turn("ACTIVE", "PAUSED")
        elif new is None or new.instances >= deployment.wanted:
            self._promote(deployment, new, now)
        else:
            more = min(deployment.max_in_flight, deployment.wanted - new.instances)
            new.instances += more
            self._shrink(app, new, by=more)
            self._fleet.resize(app, now)

    def _promote(self, deployment: Deployment, new: Process | None, now: float) -> None:
        app = deployment.app
        if new is not None:
            self._shrink(app, new, by=sum(process.instances for process in _web(app)))
            self._fleet.resize(app, now)
            others = (one for one in app.processes if one.type != WEB and one is not new)
            app.processes = [new, *others]
        deployment.turn("FINALIZED", "DEPLOYED")

    def _shrink(self, app: App, new: Process, *, by: int) -> None:
        """Take instances from the oldest web processes."""
        for old in _web(app):
            if old is not new:
                fewer = min(by, old.instances)
                old.instances -= fewer
                by -= fewer


def newest_web(app: App) -> Process:
    """Return the web process that an app has, or the new one of two."""
    return _web(app)[-1]


def instances_wanted(app: App) -> int:
    """Return how many web instances an app has when no deployment is under way."""
    return sum(process.instances for process in _web(app))


def _web(app: App) -> list[Process]:
    return [process for process in app.processes if process.type == WEB]


def _new(deployment: Deployment) -> Process | None:
    processes = deployment.app.processes
    return next((process for process in processes if process.guid == deployment.process), None)


def _goes_on(deployment: Deployment) -> bool:
    return (deployment.value, deployment.reason) == ("ACTIVE", "DEPLOYING")


def _runs(app: App, new: Process) -> bool:
    live = new.live or []
    return app.state == STARTED and all(instance.state == RUNNING for instance in live)
