"""Start, stop and restart: one step each."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Literal

from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import CallEvents, logged_to
from aioappsapi._http.clock import loop_time
from aioappsapi._http.message import Request, Response
from aioappsapi.api.apps import RESTART, START, STOP, Apps
from aioappsapi.api.processes import Processes
from aioappsapi.api.spaces import Spaces
from aioappsapi.bulk.actions.action import ActionStep, Limiter, Watcher
from aioappsapi.bulk.actions.app_state import AppState, KnownApp, read_states
from aioappsapi.bulk.actions.prefetch import Prefetcher
from aioappsapi.bulk.actions.suspensions import Suspensions
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.bulk.run.states import NO, Did
from aioappsapi.errors import (
    AppsApiError,
    DecodeError,
    NotAttemptedError,
    ResponseError,
    UnverifiedError,
)
from aioappsapi.models.app import App
from aioappsapi.waiting.assess import assess_started, assess_stopped

ActionName = Literal["start", "stop", "restart"]

log = logging.getLogger("aioappsapi")

# The state after an action. It does not show a restart: the app was STARTED before.
TARGET_STATE: Final[dict[str, str]] = {"start": "STARTED", "stop": "STOPPED"}

_OPERATIONS: Final = {"start": START, "stop": STOP, "restart": RESTART}


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
        keep_values: bool = True,
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
        operation = _OPERATIONS[name]
        self._build, self._run = operation.build, caller.run
        self._parse: Callable[[Request, Response], App | AppState] = operation.parse
        if not keep_values:  # then only the state of an answer is decoded
            self._parse = operation.read_as(AppState).parse
        self._state = TARGET_STATE.get(name)
        self._skips = skip_unchanged and self.visible
        self._suspensions = Suspensions(Spaces(caller))
        self._states = Prefetcher(inputs, partial(read_states, caller), calls)

    # -- before the request

    def look(self, run: AppRun) -> Awaitable[None] | None:
        """Skip an app that needs no request, or that an earlier attempt may have changed."""
        if run.retried or not (self._skips or self._suspensions.reasons):
            # In the second round the app is not read again: it was read in the first round.
            return None if run.did is NO else self._look_again(run, None)
        is_there, known = self._states.known(run.index)
        if not is_there or run.did is not NO:
            return self._look_later(run, known)
        self._judge(run, known)
        return None

    async def _look_later(self, run: AppRun, known: KnownApp | None) -> None:
        known = known or await self._states.get(run.index)
        if run.did is NO:
            self._judge(run, known)
            return
        if known is not None:
            run.described(known.app.name, known.space, known.organization)
        await self._look_again(run, None if known is None else known.app)

    def _judge(self, run: AppRun, known: KnownApp | None) -> None:
        """Decide from the read state whether an app that no attempt has changed needs a request."""
        if known is None:
            return
        app = known.app
        run.described(app.name, known.space, known.organization)
        if self._skips and app.state == self._state:
            run.already(loop_time(), verify=self.waits)
        elif self._suspensions.reasons and (reason := self._suspensions.reason(app)):
            run.skipped(loop_time(), NotAttemptedError(f"{run.what}: {reason}."))

    async def _look_again(self, run: AppRun, app: App | AppState | None) -> None:
        """Look at an app that an earlier attempt may have changed.

        A state does not show whether a restart was carried out, unless the server accepted it. It
        does not prove a start either: the server stores it before any instance starts.
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
        if self.waits or await self._is_proved(run.key):
            run.known(loop_time())
        else:
            run.skipped(loop_time(), _unverified(run))

    async def _is_proved(self, key: str) -> bool:
        """Check whether the instances prove it; an absent runner hides them."""
        try:
            found = await self._processes.list(app_guids=[key], include=["instances"]).all()
        except ResponseError as failure:
            log.info("The instances of %s cannot be read: %s", key, failure)
            return False
        if self.name == "stop":
            return assess_stopped(found).satisfied
        return assess_started(found, "any").satisfied

    # -- the request

    async def send(self, run: AppRun) -> None:
        """Send the request. A success that cannot be read, or does not fit, proves nothing."""
        try:
            # fast path: what `Caller.call` does without a deadline.
            app = await self._run(self._build(run.key), self._parse)
        except DecodeError as misfit:
            run.accepted(loop_time(), proves_nothing=misfit.detached())
        except AppsApiError as failure:
            if self._suspensions.is_one(failure):
                await self._suspect(failure, run)
            raise
        else:
            run.name = app.name
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
