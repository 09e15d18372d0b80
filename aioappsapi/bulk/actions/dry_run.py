"""Dry runs of actions: they look like the first step does, and send no change."""

from __future__ import annotations

from aioappsapi._http.clock import loop_time
from aioappsapi._http.protocol import checked_segment
from aioappsapi.bulk.actions.action import Action, ActionStep
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.errors import AppsApiError


class DryStep(ActionStep):
    """Looks at the app like a step, and sends nothing."""

    def __init__(self, step: ActionStep) -> None:
        self.name = step.name
        self.takes_guids = step.takes_guids
        self.look = step.look  # type: ignore[method-assign]

    def may_do_better_later(self, error: AppsApiError) -> bool:
        """Return false: one look is enough."""
        del error
        return False

    async def send(self, run: AppRun) -> None:
        """Predict that the server will accept the request."""
        if self.takes_guids:
            checked_segment(run.key)
        run.accepted(loop_time(), run.value)


def dry(action: Action) -> Action:
    """Return the dry run of an action."""
    return Action(action.name, [DryStep(action.steps[0])])
