"""A step inside of another one, which adds a rule to it."""

from __future__ import annotations

from collections.abc import Awaitable

from aioappsapi.bulk.actions.action import ActionStep
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.errors import AppsApiError


class WrappedStep(ActionStep):
    """Does what another step does. A subclass adds its rule to `look` or `send`."""

    def __init__(self, step: ActionStep) -> None:
        self._step = step
        self.name, self.once, self.visible = step.name, step.once, step.visible
        self.waits, self.watcher, self.limiter = step.waits, step.watcher, step.limiter

    def look(self, run: AppRun) -> Awaitable[None] | None:
        """Look as the step does."""
        return self._step.look(run)

    def may_do_better_later(self, error: AppsApiError) -> bool:
        """Decide as the step does."""
        return self._step.may_do_better_later(error)

    async def send(self, run: AppRun) -> None:
        """Send the request of the step."""
        await self._step.send(run)
