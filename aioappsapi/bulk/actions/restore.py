"""Restore: the steps that bring an app back to how a snapshot records it.

An app takes those steps that it needs: it is stopped, gets its numbers of instances, its memory
and its droplet, and is restarted or started. Each step looks first, so all of them may be repeated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import CallEvents
from aioappsapi._http.clock import loop_time
from aioappsapi.api.apps import Apps
from aioappsapi.bulk.actions.action import ActionStep
from aioappsapi.bulk.actions.prefetch import Prefetcher
from aioappsapi.bulk.actions.scale import Scale
from aioappsapi.bulk.actions.wrapped import WrappedStep
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.bulk.run.states import NO
from aioappsapi.bulk.windows.snapshot import Snapshot
from aioappsapi.models.app import App


class StepWhere(WrappedStep):
    """A step that only some apps need; the others go on to the next one."""

    def __init__(self, step: ActionStep, needs: Callable[[AppRun], bool]) -> None:
        super().__init__(step)
        self._needs = needs

    def look(self, run: AppRun) -> Awaitable[None] | None:
        """Look as the step does, if the app needs it."""
        if self._needs(run):
            return self._step.look(run)
        run.already(loop_time(), verify=False)
        return None


class SetDropletStep(ActionStep):
    """Gives an app the droplet that it had; it runs from the next start on."""

    name = "set the droplet of"
    visible = True

    def __init__(
        self, caller: Caller, inputs: Inputs, calls: CallEvents, wanted: Mapping[str, str]
    ) -> None:
        self._apps = Apps(caller)
        self._wanted = wanted
        self._known = Prefetcher(inputs, self._read, calls)

    async def look(self, run: AppRun) -> None:
        """Skip an app that has the droplet."""
        known = None if run.retried else await self._known.get(run.index)
        run.value = app = known or await self._apps.get(run.key)
        current = app.relationships.current_droplet
        has_it = current is not None and current.guid == self._wanted[run.key]
        if run.did is not NO:
            run.looked(in_place=has_it)
        if has_it and run.did is NO:
            run.already(loop_time(), verify=False)
        elif has_it:
            run.known(loop_time())

    async def send(self, run: AppRun) -> None:
        """Set the droplet. It may be sent twice."""
        await self._apps.set_current_droplet(run.key, self._wanted[run.key])
        run.accepted(loop_time(), run.value)

    async def _read(self, keys: Sequence[str]) -> dict[str, App]:
        return {app.guid: app async for app in self._apps.list(guids=keys, per_page=len(keys))}


class RestartChangedStep(StepWhere):
    """Restarts an app that runs with another droplet or memory than it has now.

    `heavy` are the steps whose changes count from the next start on. A stopped app needs none of
    this, because it is started afterwards.
    """

    def __init__(self, restart: ActionStep, caller: Caller, heavy: frozenset[int]) -> None:
        super().__init__(restart, lambda run: run.changed_by in heavy)
        self._apps = Apps(caller)

    def look(self, run: AppRun) -> Awaitable[None] | None:
        """Look at the state of an app that was changed."""
        if run.did is not NO:
            return self._step.look(run)
        return self._look_whether_it_runs(run) if self._needs(run) else super().look(run)

    async def _look_whether_it_runs(self, run: AppRun) -> None:
        app = run.value if isinstance(run.value, App) else await self._apps.get(run.key)
        if app.state != "STARTED":
            run.already(loop_time(), verify=False)


def instances_of(snapshot: Snapshot) -> dict[str, Sequence[Scale]]:
    """Return the numbers of instances by app."""
    return {
        app.guid: [Scale(instances=one.instances, process=one.type) for one in app.processes]
        for app in snapshot.apps
    }


def sizes_of(snapshot: Snapshot) -> dict[str, Sequence[Scale]]:
    """Return memory and disk by app, as far as the snapshot has them."""
    return {
        app.guid: [
            Scale(memory_in_mb=one.memory_in_mb, disk_in_mb=one.disk_in_mb, process=one.type)
            for one in app.processes
            if one.memory_in_mb or one.disk_in_mb
        ]
        for app in snapshot.apps
    }
