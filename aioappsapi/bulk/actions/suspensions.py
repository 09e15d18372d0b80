"""Suspended organizations and spaces: one refusal is enough for all of their apps."""

from __future__ import annotations

import logging

from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import CallEvents, logged_to
from aioappsapi._http.clock import loop_time
from aioappsapi.api.spaces import Spaces
from aioappsapi.bulk.actions.action import ActionStep
from aioappsapi.bulk.actions.app_state import AppState
from aioappsapi.bulk.actions.wrapped import WrappedStep
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.states import ASKING, NO
from aioappsapi.errors import AppsApiError, ForbiddenError, NotAttemptedError
from aioappsapi.models.app import App

log = logging.getLogger("aioappsapi")

_SPACE = "CF-SpaceSuspended"
_ORGANIZATION = "CF-OrgSuspended"


class Suspensions:
    """The spaces that cannot be changed, learned from refusals."""

    def __init__(self, spaces: Spaces) -> None:
        self._spaces = spaces
        self.reasons: dict[str, str] = {}  # by space

    def reason(self, app: App | AppState | None) -> str | None:
        """Return why an app needs no request: its space is suspended. None if that is not known."""
        space = None if app is None else app.relationships.space.guid
        return None if space is None else self.reasons.get(space)

    @staticmethod
    def is_one(error: AppsApiError) -> bool:
        """Check whether a refusal concerns a whole space or organization."""
        return isinstance(error, ForbiddenError) and error.title in {_SPACE, _ORGANIZATION}

    async def note(self, error: AppsApiError, app: App) -> None:
        """Remember a refusal for all apps of its space or organization."""
        space = app.relationships.space.guid
        if space is None or space in self.reasons:
            return
        if not (isinstance(error, ForbiddenError) and error.title == _ORGANIZATION):
            self.reasons[space] = "its space is suspended"
            return
        reason = "its organization is suspended"
        self.reasons[space] = reason
        try:
            organization = (await self._spaces.get(space)).relationships.organization.guid
            if organization is not None:
                async for other in self._spaces.list(organization_guids=[organization]):
                    self.reasons[other.guid] = reason
        except AppsApiError as failure:
            log.info("the other spaces of a suspended organization are not known: %s", failure)


class SuspendableStep(WrappedStep):
    """A step that is refused once in a suspended space, and not for each of its apps.

    The step inside reads the app in its look, as the value of the run.
    """

    def __init__(self, step: ActionStep, caller: Caller, calls: CallEvents) -> None:
        super().__init__(step)
        self._suspensions = Suspensions(Spaces(caller))
        self._calls = calls

    async def look(self, run: AppRun) -> None:
        """Skip an app whose space was refused."""
        if (looking := self._step.look(run)) is not None:
            await looking
        if run.state is not ASKING or run.did is not NO or not isinstance(run.value, App):
            return
        if (reason := self._suspensions.reason(run.value)) is not None:
            run.skipped(loop_time(), NotAttemptedError(f"{run.what}: {reason}."))

    async def send(self, run: AppRun) -> None:
        """Send the request of the step, and learn from a refusal."""
        try:
            await self._step.send(run)
        except AppsApiError as failure:
            if self._suspensions.is_one(failure) and isinstance(run.value, App):
                with logged_to(self._calls):
                    await self._suspensions.note(failure, run.value)
            raise
