"""Restage: build the newest package, then run the droplet by a restart or a deployment.

The steps are build → droplet → restart, or build → deployment. A resumed run begins
at the step that was in progress.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import anyio

from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import CallEvents
from aioappsapi._http.clock import loop_time
from aioappsapi._http.protocol import checked_segment
from aioappsapi.api.apps import Apps
from aioappsapi.api.builds import Builds
from aioappsapi.api.packages import Packages
from aioappsapi.bulk.actions.action import ActionStep, Limiter
from aioappsapi.bulk.actions.made import MadeWatcher, was_made
from aioappsapi.bulk.actions.prefetch import Prefetcher
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.bulk.run.states import ASKING, DONE, HELD, RETRY_LATER, VERIFYING
from aioappsapi.errors import DecodeError, InvalidInputError
from aioappsapi.models.app import App, Lifecycle, LifecycleData
from aioappsapi.models.build import Package
from aioappsapi.waiting.build_watcher import BuildWatcher
from aioappsapi.waiting.follower import LABEL, PAGE

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class BuildStep(ActionStep):
    """Builds a droplet of an app's newest package that is ready, once.

    Each build has a label with a name that the journal keeps, so an earlier attempt is found by it.
    """

    name = "restage"
    once = visible = waits = True

    def __init__(
        self,
        caller: Caller,
        inputs: Inputs,
        calls: CallEvents,
        *,
        watcher: BuildWatcher,
        stack: str | None,
        limiter: Limiter | None = None,
    ) -> None:
        self._apps = Apps(caller)
        self._builds = Builds(caller)
        self._packages = Packages(caller)
        self._stack = stack
        self._newest = Prefetcher(inputs, self._read, calls)
        self._chosen: dict[str, str] = {}
        self.watcher = MadeWatcher(watcher)
        self.limiter = limiter

    async def look(self, run: AppRun) -> None:
        """Look for an earlier build, then for the package to build."""
        checked_segment(run.key)  # an invalid GUID is refused before it is journaled
        if await was_made(run, self._builds.list(app_guids=[run.key], per_page=PAGE)):
            run.known(loop_time())
            return
        package = await self._package(run)
        if package is None:
            error = InvalidInputError(
                f"{run.what}: the app has no package that is ready, so nothing can be built. "
                "Push it again."
            )
            run.failed(loop_time(), error, later=False, settles=True)
            return
        self._chosen[run.key] = package.guid
        run.named(uuid.uuid4().hex)

    async def _package(self, run: AppRun) -> Package | None:
        known = await self._newest.get(run.index)
        if known is None:
            await self._apps.get(run.key)  # a missing app fails with the server's error
            known = (await self._read([run.key])).get(run.key)
        if known is None:
            return None
        run.value, run.name = known[0], known[0].name
        return known[1]

    async def _read(self, keys: Sequence[str]) -> dict[str, tuple[App, Package | None]]:
        newest: dict[str, Package] = {}
        async for one in self._packages.list(app_guids=keys, states=["READY"], per_page=PAGE):
            key = one.relationships.app.guid or ""
            # If two are equally old, the server's order shows the later one.
            if key not in newest or _created(one) >= _created(newest[key]):
                newest[key] = one
        apps = self._apps.list(guids=keys, per_page=len(keys))
        return {app.guid: (app, newest.get(app.guid)) async for app in apps}

    async def send(self, run: AppRun) -> None:
        """Begin the build. A success that cannot be read is found by its label."""
        package, name = self._chosen.pop(run.key), run.made or ""
        try:
            build = await self._builds.create(package, labels={LABEL: name}, stack=self._stack)
        except DecodeError:
            run.accepted(loop_time(), run.value)
        else:
            run.accepted(loop_time(), run.value, made=build.guid)


def _created(package: Package) -> datetime:
    return package.created_at or _LONG_AGO


class StackStep(ActionStep):
    """Changes the stack of an app after a build with it, so that later builds use it too."""

    name = "restage"

    def __init__(self, caller: Caller, stack: str) -> None:
        self._apps = Apps(caller)
        self._lifecycle = Lifecycle(type="buildpack", data=LifecycleData(stack=stack))

    async def send(self, run: AppRun) -> None:
        """Change the stack; it changes no instance."""
        run.accepted(loop_time(), await self._apps.update(run.key, lifecycle=self._lifecycle))


class DropletStep(ActionStep):
    """Sets the droplet of the build; the app runs it after its next restart."""

    name = "restage"

    def __init__(self, caller: Caller) -> None:
        self._apps = Apps(caller)

    async def send(self, run: AppRun) -> None:
        """Set the droplet. It may be sent twice."""
        await self._apps.set_current_droplet(run.key, run.made or "")
        run.accepted(loop_time(), run.value)


class BuildLimiter:
    """Bounds the apps that build at a time, in order of arrival."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._building: set[str] = set()
        self._waiting: deque[tuple[str, anyio.Event]] = deque()
        self.peak = 0

    async def admit(self, run: AppRun) -> None:
        """Wait until the app may build; it is HELD meanwhile."""
        if self._free:
            self._take(run.key)
            return
        turn = anyio.Event()
        self._waiting.append((run.key, turn))
        run.held()
        await turn.wait()
        run.admitted()

    def moved(self, run: AppRun) -> None:
        """Release the place of an app when its build has ended, or was not begun."""
        is_building = run.step == 0 and run.state in (ASKING, HELD, VERIFYING)
        if run.key in self._building and not is_building:
            self._building.discard(run.key)
            self._free += 1
            self._let_in()
        elif run.state in (DONE, RETRY_LATER):
            # The run ended while the app was held.
            self._waiting = deque(one for one in self._waiting if one[0] != run.key)

    def _let_in(self) -> None:
        while self._free and self._waiting:
            key, turn = self._waiting.popleft()
            self._take(key)
            turn.set()

    def _take(self, key: str) -> None:
        self._free -= 1
        self._building.add(key)
        self.peak = max(self.peak, len(self._building))
