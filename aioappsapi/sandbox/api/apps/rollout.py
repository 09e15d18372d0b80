"""The rollout of a deployment: new web instances start, a few at a time, and old instances stop.

The new instances belong to a second web process. Every `deployment_interval` seconds the updater
checks them. It adds new instances unless too many are starting or one is unhealthy. For each new
instance that takes requests it removes an old instance. At the end the old process is deleted, so
the app has another web process than before. If new instances do not come up, a deployment makes
no more progress. Only a cancel ends it then.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from aioappsapi.sandbox.api.outages import UP
from aioappsapi.sandbox.world.faults import Faults
from aioappsapi.sandbox.world.fleet import Census
from aioappsapi.sandbox.world.instances import RUNNING
from aioappsapi.sandbox.world.model import App, Process, guid, timestamp
from aioappsapi.sandbox.world.resources import Deployment, Phase
from aioappsapi.sandbox.world.shelf import Shelf
from aioappsapi.sandbox.world.state import World

WEB: Final = "web"
# A step this close to the present moment is due.
_MOMENT: Final = 1e-6
_UNEXPECTED: Final = "An unexpected error has occurred: "
_NO_INSTANCES: Final = f"{_UNEXPECTED}CloudController::Errors::InstancesUnavailable"
_DELETED_TWICE: Final = f"{_UNEXPECTED}Sequel::NoExistingObject"
_WATCHED: Final = (Phase.DEPLOYING, Phase.CANARY, Phase.CANCELING)


class Rollouts:
    """The updater of deployments. `faults` returns the present faults."""

    def __init__(self, world: World, shelf: Shelf, faults: Callable[[], Faults]) -> None:
        self._world = world
        self._shelf = shelf
        self._fleet = world.fleet
        self._faults = faults

    def planned(self, deployment: Deployment) -> Process:
        """Return the new web process of a deployment, as it is at the beginning."""
        first = deployment.canary()[0] if deployment.strategy == "canary" else deployment.target
        new = _copied(newest_web(deployment.app), guid(self._world.rng))
        apply_options(deployment, new)
        new.instances = min(first, deployment.max_in_flight)
        new.revision = deployment.revision.guid if deployment.revision is not None else None
        return new

    def begin(self, deployment: Deployment, new: Process) -> None:
        """Start the new web process beside the present process."""
        app = deployment.app
        with self._fleet.lock:
            app.processes = [*app.processes, new]
            deployment.process = new.guid
            self._fleet.relaunch(app, new, self._fleet.run_due())
        self.schedule(deployment)

    def supersede(self, deployment: Deployment) -> None:
        """End a deployment because a newer deployment replaces it."""
        deployment.gave_up_canary = deployment.phase is not Phase.DEPLOYING
        deployment.turn(Phase.SUPERSEDED)

    def schedule(self, deployment: Deployment, now: float | None = None) -> None:
        """Schedule the next step of the updater for the deployment."""
        now = self._world.clock() if now is None else now
        interval = self._faults().deployment_interval
        # The steps of the updater have a fixed rhythm, also after a long pause.
        turn = (math.floor(now / interval + _MOMENT) + 1) * interval
        self._fleet.later(turn - now, lambda due: self._tick(deployment, due), now)

    def _tick(self, deployment: Deployment, now: float) -> None:
        if deployment.app.guid not in self._world.apps or deployment.phase not in _WATCHED:
            return
        if deployment.phase is Phase.CANCELING:
            self._cancel(deployment, now)
        elif self._world.diego != UP:
            deployment.error = _NO_INSTANCES
        elif deployment.phase is Phase.CANARY:
            new, old = deployment.canary()
            if self._scale(deployment, new + old, new, now):
                deployment.healthy_at = timestamp()
                deployment.turn(Phase.PAUSED)
        elif self._scale(deployment, deployment.target, deployment.target, now):
            self._finalize(deployment, now)
        if deployment.phase in _WATCHED:
            self.schedule(deployment, now)

    def _scale(self, deployment: Deployment, total: int, wanted: int, now: float) -> bool:
        """Take one step towards `wanted` new instances of `total`; return whether all are there."""
        app, new = deployment.app, _process(deployment.app, deployment.process)
        if new is None:
            return False
        seen = self._fleet.census(app, new, now)
        grows = _can_grow(deployment, new, seen)
        surplus = sum(one.instances for one in _old_processes(app, new)) - max(
            total - seen.routable, 0
        )
        if not grows and surplus <= 0:
            return False
        deployment.error = None
        self._empty_superseded_canaries(app)
        deleted = surplus > 0 and self._shrink(app, new, surplus, now)
        done = new.instances >= wanted and seen.routable >= wanted
        if done and deleted:
            # The real updater deletes this process a second time, and fails in this step.
            deployment.error = _DELETED_TWICE
        if not done and grows:
            new.instances = min(seen.routable + deployment.max_in_flight, wanted)
            deployment.healthy_at = timestamp()
        self._fleet.resize(app, now)
        return done

    def _empty_superseded_canaries(self, app: App) -> None:
        for other in self._shelf.deployments.values():
            if other.app is app and other.phase is Phase.SUPERSEDED and other.gave_up_canary:
                process = _process(app, other.process)
                if process is not None:
                    process.instances = 0

    def _shrink(self, app: App, new: Process, surplus: int, now: float) -> bool:
        """Remove instances, first from the oldest process.

        An interim process without instances is deleted. Returns whether that happened.
        """
        deleted = False
        for old in _old_processes(app, new):
            if surplus < old.instances:
                old.instances -= surplus
                break
            surplus -= old.instances
            old.instances = 0
            if old is not oldest_web(app):
                self._delete(app, old, now)
                deleted = True
        return deleted

    def _finalize(self, deployment: Deployment, now: float) -> None:
        app, new = deployment.app, _process(deployment.app, deployment.process)
        assert new is not None  # noqa: S101 - for the type checker
        for old in _old_processes(app, new):
            self._delete(app, old, now)
        if deployment.error is not None:
            return
        for process in app.processes:
            if process is not new:
                process.revision = new.revision
                self._fleet.relaunch(app, process, now)
        deployment.turn(Phase.DEPLOYED)

    def _cancel(self, deployment: Deployment, now: float) -> None:
        """Delete the new process and restore the instances of the old process."""
        app = deployment.app
        kept = self._interim(app) or oldest_web(app)
        for process in _web(app):
            if process is not kept:
                self._delete(app, process, now)
        kept.instances = deployment.original
        self._fleet.resize(app, now, after=self._faults().sync_interval)
        deployment.error = None
        deployment.turn(Phase.CANCELED)

    def _interim(self, app: App) -> Process | None:
        """Return the newest process of a superseded deployment that has a running instance."""
        superseded = {
            one.process
            for one in self._shelf.deployments.values()
            if one.app is app and one.phase is Phase.SUPERSEDED and not one.gave_up_canary
        }
        for process in reversed(_web(app)):
            if process.guid in superseded and app.state == "STARTED":
                states = [one.state for one in self._fleet.instances(app, process)]
                if RUNNING in states:
                    return process
        return None

    def _delete(self, app: App, process: Process, now: float) -> None:
        self._fleet.forget_process(process, now)
        app.processes = [one for one in app.processes if one is not process]


def newest_web(app: App) -> Process:
    """Return the web process of an app, or the newest of several."""
    return _web(app)[-1]


def oldest_web(app: App) -> Process:
    """Return the web process of an app, or the oldest of several."""
    return _web(app)[0]


def apply_options(deployment: Deployment, process: Process) -> None:
    """Give a process the memory, disk and log rate of the deployment's options."""
    if deployment.memory_in_mb is not None:
        process.memory_in_mb = deployment.memory_in_mb
    if deployment.disk_in_mb is not None:
        process.disk_in_mb = deployment.disk_in_mb
    if deployment.log_rate is not None:
        process.log_rate = deployment.log_rate


def _copied(old: Process, new_guid: str) -> Process:
    new = replace(old, guid=new_guid, live=[], states=None, details=None)
    new.labels, new.annotations = dict(old.labels), dict(old.annotations)
    new.created_at = new.updated_at = timestamp()
    return new


def _can_grow(deployment: Deployment, new: Process, seen: Census) -> bool:
    return (
        seen.starting < deployment.max_in_flight
        and seen.unhealthy == 0
        and seen.routable >= new.instances - deployment.max_in_flight
    )


def _web(app: App) -> list[Process]:
    return [process for process in app.processes if process.type == WEB]


def _old_processes(app: App, new: Process) -> list[Process]:
    return [process for process in _web(app) if process is not new]


def _process(app: App, process_guid: str | None) -> Process | None:
    return next((process for process in app.processes if process.guid == process_guid), None)
