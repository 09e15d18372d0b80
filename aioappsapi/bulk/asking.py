"""How a run that starts, stops or restarts treats one app.

First what is known of it, which may spare the request; then the request; then what its answer
means: whether a look has to prove it, and whether another try at the end may do better.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Literal

from aioappsapi._http.call_log import CallLog
from aioappsapi._http.clock import loop_time
from aioappsapi._http.protocol import checked_segment
from aioappsapi._http.retry.policy import Meaning, classify, is_quota
from aioappsapi.bulk.ahead import Ahead
from aioappsapi.bulk.flight import Flight, Stage, Verdict
from aioappsapi.bulk.herd import Herd
from aioappsapi.bulk.inputs import Inputs
from aioappsapi.bulk.journal import Journal, Past
from aioappsapi.bulk.load import Load, read_loads
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.outcome import Status
from aioappsapi.bulk.suspensions import Suspensions
from aioappsapi.errors import (
    AppsApiError,
    CrashedError,
    DeadlineError,
    DecodeError,
    NotAttemptedError,
    PlacementError,
    UnverifiedError,
)
from aioappsapi.models.app import App
from aioappsapi.resources.acting import is_open
from aioappsapi.resources.apps import Apps
from aioappsapi.resources.instances import come_up, go_down
from aioappsapi.resources.processes import Processes
from aioappsapi.resources.spaces import Spaces

Action = Literal["start", "stop", "restart"]

log = logging.getLogger("aioappsapi")

# The state that an action is to lead to; a restart is to be seen by none.
WANTED: Final[dict[Action, str]] = {"start": "STARTED", "stop": "STOPPED"}


class Asking:
    """Asks for one app after the other."""

    def __init__(
        self, apps: Apps, action: Action, options: Options, inputs: Inputs, record: CallLog
    ) -> None:
        self._apps = apps
        self._action: Action = action
        self._options = options
        self._wanted = WANTED.get(action)
        self._processes = Processes(apps.caller)
        self._suspensions = Suspensions(Spaces(apps.caller))
        self._states = Ahead(inputs, self._read_states, record)
        self._loads = Ahead(inputs, partial(read_loads, self._processes), record)
        self._call: Callable[[str], Awaitable[App]] = getattr(apps, action)
        self._turns: dict[str, int] = {}  # of those that are starting without trouble
        self.herd: Herd | None = None
        if options.is_bounded and action != "stop":
            self.herd = Herd(instances=options.max_starting, memory=options.max_starting_mb)

    async def __call__(self, flight: Flight[App], journal: Journal | None) -> Verdict[App]:
        """Ask for an app, if that is needed. Raises what keeps it from being asked."""
        checked_segment(flight.key)  # what can be no GUID is refused before it is noted anywhere
        app = await self._known(flight)
        flight.name = flight.name if app is None else app.name
        if journal is not None and self._is_open(flight.key, journal.past):
            verdict = await self._look(flight, app, journal.past)
            if verdict is not None:
                return verdict
        if self._is_unchanged(app):
            return Verdict(status=Status.ALREADY, value=app, watch=self._waits)
        if (reason := self._suspensions.reason(app)) is not None:
            return self._spared(flight, reason)
        await self._take_room(flight)
        if (reason := flight.halted()) is not None:
            return flight.verdict or self._spared(flight, reason)
        if journal is not None:
            await journal.begun(flight.key)
        verdict = await self._ask(flight, app)
        if journal is not None and verdict.watch and flight.accepted is not None:
            journal.accepted(flight.key)
        return verdict

    # -- what is known

    @property
    def _waits(self) -> bool:
        return self._options.wait != "none"

    def _what(self, flight: Flight[App]) -> str:
        return f"{self._action} {flight.key}"

    def _spared(self, flight: Flight[App], reason: str) -> Verdict[App]:
        error = NotAttemptedError(f"{self._what(flight)}: {reason}.")
        return Verdict(status=Status.NOT_ATTEMPTED, error=error)

    def _is_unchanged(self, app: App | None) -> bool:
        return self._options.skip_unchanged and app is not None and app.state == self._wanted

    async def _known(self, flight: Flight[App]) -> App | None:
        if flight.verdict is not None:
            return None  # the second try: it was looked at before
        looks = self._options.skip_unchanged and self._wanted is not None
        return await self._states.get(flight.index) if looks or self._suspensions else None

    async def _read_states(self, keys: Sequence[str]) -> dict[str, App]:
        return {app.guid: app async for app in self._apps.list(guids=keys, per_page=len(keys))}

    def _is_open(self, key: str, past: Past) -> bool:
        """Tell whether an earlier run left an app that must not be asked again just so."""
        return key in past.doubtful or (self._wanted is None and key in past.accepted)

    async def _look(self, flight: Flight[App], app: App | None, past: Past) -> Verdict[App] | None:
        """Look at an app that an earlier run may have asked for; None if it has to be asked.

        Whether an app was restarted cannot be seen, but the journal may know that the server
        accepted it. A state that is as asked is written down, so that asking again would change
        nothing: it is for its instances to prove it.
        """
        # A look that fails leaves it as open as before.
        flight.record.doubted(repeat_proves_nothing=False)
        flight.asked = loop_time()
        if app is None:
            app = await self._apps.get(flight.key)
        if self._wanted is None and flight.key in past.accepted:
            return Verdict(status=Status.OK, value=app, watch=self._waits)
        if self._wanted is not None and app.state != self._wanted:
            flight.record.ambiguous = False  # it was not carried out
            return None
        if self._wanted is not None and self._waits:
            return Verdict(status=Status.OK, value=app, watch=True)
        if self._wanted is not None and await self._is_proved(flight.key):
            return Verdict(status=Status.OK, value=app)
        return Verdict(status=Status.UNVERIFIED, value=app, error=self._unproved(flight))

    async def _is_proved(self, key: str) -> bool:
        found = await self._processes.list(app_guids=[key], with_instances=True).all()
        if self._action == "stop":
            return go_down(found).satisfied
        return come_up(found, "any").satisfied

    def _unproved(self, flight: Flight[App]) -> UnverifiedError:
        return UnverifiedError(
            f"{self._what(flight)}: accepted after a try that may have half happened; "
            "look whether it did."
        )

    # -- asking

    def trouble(self, key: str) -> None:
        """Take notice of an app that crashed or found no room: what follows has to go slower."""
        turn = self._turns.pop(key, None)
        if self.herd is not None and turn is not None:
            self.herd.slow_down(turn)

    async def _take_room(self, flight: Flight[App]) -> None:
        if self.herd is None:
            return
        herd = self.herd
        if flight.load is None:
            flight.load = await self._loads.get(flight.index) or Load(1)
        load = flight.load

        def release(verdict: Verdict[App]) -> None:
            if isinstance(verdict.error, CrashedError | PlacementError):
                self.trouble(flight.key)
            untroubled = self._turns.pop(flight.key, None) is not None
            herd.leave(load, well=untroubled and verdict.status is Status.OK)

        stage, flight.stage = flight.stage, Stage.HELD
        self._turns[flight.key] = await herd.enter(load)
        flight.stage = stage
        flight.release = release

    async def _ask(self, flight: Flight[App], known: App | None) -> Verdict[App]:
        flight.sends = True
        flight.stage = Stage.WORK
        flight.asked = flight.asked or loop_time()
        try:
            app = await self._call(flight.key)
        except AppsApiError as failure:
            return await self._judge(flight, failure.detached(), known)
        flight.accepted = loop_time()
        if flight.record.repeat_proves_nothing and not self._waits:
            return Verdict(status=Status.UNVERIFIED, value=app, error=self._unproved(flight))
        return Verdict(status=Status.OK, value=app, watch=self._waits)

    async def _judge(
        self, flight: Flight[App], failure: AppsApiError, known: App | None
    ) -> Verdict[App]:
        if isinstance(failure, DeadlineError | NotAttemptedError):
            raise failure
        if isinstance(failure, DecodeError):
            # A success that cannot be read: it happened, and a look will tell.
            flight.accepted = loop_time()
            error = None if self._waits else failure
            return Verdict(status=Status.UNVERIFIED, error=error, watch=self._waits)
        if self._suspensions.is_one(failure):
            await self._suspect(failure, flight, known)
        meaning = classify(failure)[0]
        can_tell = self._waits and self._wanted is not None
        return Verdict(
            status=Status.FAILED,
            error=failure,
            watch=can_tell and is_open(flight.record, failure),
            again=meaning is Meaning.TRANSIENT or is_quota(failure),
        )

    async def _suspect(self, failure: AppsApiError, flight: Flight[App], known: App | None) -> None:
        try:
            app = known or await self._apps.get(flight.key)
        except AppsApiError as unknown:
            log.info("whose suspension keeps %s is not known: %s", flight.key, unknown)
        else:
            await self._suspensions.note(failure, app)
