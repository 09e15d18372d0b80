"""Numbers of instances: one step that sets them for all processes of an app."""

from __future__ import annotations

from collections.abc import Mapping

from aioappsapi._http.clock import loop_time
from aioappsapi.api.processes import Processes
from aioappsapi.bulk.actions.action import ActionStep
from aioappsapi.bulk.run.app_run import AppRun


class ScaleStep(ActionStep):
    """Sets the numbers in `wanted`: for each app the GUIDs of its processes and their numbers.

    It sets a number and adds none, so it may be sent twice.
    """

    name = "scale"

    def __init__(self, processes: Processes, wanted: Mapping[str, Mapping[str, int]]) -> None:
        self._processes = processes
        self._wanted = wanted

    async def send(self, run: AppRun) -> None:
        """Set all numbers of one app."""
        for guid, instances in self._wanted[run.key].items():
            await self._processes.scale(guid, instances=instances)
        run.accepted(loop_time())
