"""Any coroutine function of a GUID as an action of one step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aioappsapi._http.clock import loop_time
from aioappsapi.bulk.actions.action import ActionStep
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.errors import AppsApiError


class MapStep(ActionStep):
    """Awaits a function of each key. It may do anything, so it is called once."""

    takes_guids = False
    once = True

    def __init__(self, name: str, func: Callable[[str], Awaitable[object]]) -> None:
        self.name = name
        self._func = func

    def may_do_better_later(self, error: AppsApiError) -> bool:
        """Return false: the function is called once."""
        del error
        return False

    async def send(self, run: AppRun) -> None:
        """Call the function. From now on it may have taken effect, and its time counts."""
        run.sent(loop_time())
        value = await self._func(run.key)
        # A returned value is a success, even if requests of the function failed.
        run.repeat_proves_nothing = False
        run.accepted(loop_time(), value)
