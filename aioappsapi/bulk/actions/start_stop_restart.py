"""Start, stop and restart: one step each."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import CallEvents, logged_to
from aioappsapi._http.clock import loop_time
from aioappsapi._http.protocol import checked_segment
from aioappsapi.api.apps import Apps
from aioappsapi.api.processes import Processes
from aioappsapi.api.spaces import Spaces
from aioappsapi.bulk.actions.action import ActionStep, Limiter, Watcher
from aioappsapi.bulk.actions.prefetch import Prefetcher
from aioappsapi.bulk.actions.suspensions import Suspensions
from aioappsapi.bulk.run.app_run import AppRun, Did
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.errors import AppsApiError, DecodeError, NotAttemptedError, UnverifiedError
from aioappsapi.models.app import App
from aioappsapi.waiting.assess import assess_started, assess_stopped

ActionName = Literal["start", "stop", "restart"]

log = logging.getLogger("aioappsapi")

# The state that an action leads to. A restart shows in no state: it was STARTED before.
TARGET_STATE: Final[dict[str, str]] = {"start": "STARTED", "stop": "STOPPED"}


class LifecycleStep(ActionStep):
    """Brings an app into the requested state.

    With `skip_unchanged`, apps that are already in that state are skipped. Apps of a suspended
    space are skipped after the first refusal.
    """

    def __init__(
        self,
        name: ActionName,
        caller: Caller,
        inputs: Inputs,
        calls: CallEvents,
        *,
        skip_unchanged: bool,
        watcher: Watcher | None,
        limiter: Limiter | None = None,
    ) -> None:
        self.name = name
        self.once = name == "restart"
        self.visible = name in TARGET_STATE
        self.waits = watcher is not None
        self.watcher = watcher
        self.limiter = limiter
        self._apps = Apps(caller)
        self._calls = calls
        self._processes = Processes(caller)
        self._call: Callable[[str], Awaitable[App]] = getattr(self._apps, name)
        self._state = TARGET_STATE.get(name)
        self._skips = skip_unchanged and self.visible
        self._suspensions = Suspensions(Spaces(caller))
        self._states = Prefetcher(inputs, self._read_states, calls)

    # -- before the request

    async def look(self, run: AppRun) -> None:
        """Skip an app that needs no request, or that an earlier attempt may have changed."""
        checked_segment(run.key)  # no GUID: refused before it is noted anywhere
        app = await self._known(run)
        if app is not None:
            run.name = app.name
        if run.did is not Did.NO:
            await self._look_again(run, app)
        elif self._skips and app is not None and app.state == self._state:
            run.already(loop_time(), app, verify=self.waits)
        elif (reason := self._suspensions.reason(app)) is not None:
            run.skipped(loop_time(), NotAttemptedError(f"{run.what}: {reason}."))

    async def _known(self, run: AppRun) -> App | None:
        if run.retried:
            return None  # the second round: it was read in the first
        if not (self._skips or self._suspensions):
            return None
        is_there, app = self._states.known(run.index)
        return app if is_there else await self._states.get(run.index)

    async def _read_states(self, keys: Sequence[str]) -> dict[str, App]:
        return {app.guid: app async for app in self._apps.list(guids=keys, per_page=len(keys))}

    async def _look_again(self, run: AppRun, app: App | None) -> None:
        """Look at an app that an earlier attempt may have changed.

        No state shows whether a restart was carried out, unless the server accepted it. A state
        proves no start either: the server stores it before anything starts. Instances prove it.
        """
        if not self.visible:
            if run.did is Did.YES:
                run.known(loop_time())
            else:
                run.skipped(loop_time(), _unverified(run))
            return
        app = app or await self._apps.get(run.key)
        run.looked(in_place=app.state == self._state)
        if run.did is Did.NO:
            return
        run.value = app
        if self.waits or await self._is_proved(run.key):
            run.known(loop_time())
        else:
            run.skipped(loop_time(), _unverified(run))

    async def _is_proved(self, key: str) -> bool:
        found = await self._processes.list(app_guids=[key], include=["instances"]).all()
        if self.name == "stop":
            return assess_stopped(found).satisfied
        return assess_started(found, "any").satisfied

    # -- the request

    async def send(self, run: AppRun) -> None:
        """Send the request. A success that cannot be read, or does not fit, proves nothing."""
        try:
            app = await self._call(run.key)
        except DecodeError as misfit:
            run.accepted(loop_time(), proves_nothing=misfit.detached())
        except AppsApiError as failure:
            if self._suspensions.is_one(failure):
                await self._suspect(failure, run)
            raise
        else:
            run.accepted(loop_time(), app)

    async def _suspect(self, failure: AppsApiError, run: AppRun) -> None:
        try:
            with logged_to(self._calls):
                await self._suspensions.note(failure, await self._apps.get(run.key))
        except AppsApiError as unknown:
            log.info("It is not known which space of %s is suspended: %s", run.key, unknown)


def _unverified(run: AppRun) -> UnverifiedError:
    return UnverifiedError(
        f"{run.what}: an earlier attempt may have taken effect, and nothing proves whether it did. "
        + ("Look at the app." if run.steps[run.step].once else "Run again with wait= (--wait).")
    )
