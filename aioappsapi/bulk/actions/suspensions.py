"""Suspended organizations and spaces: one refusal is enough for all of their apps."""

from __future__ import annotations

import logging

from aioappsapi.api.spaces import Spaces
from aioappsapi.bulk.actions.app_state import AppState
from aioappsapi.errors import AppsApiError, ForbiddenError
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
