"""Why an app that is waited for is not as asked, in the server's own words where it has some."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from aioappsapi._http.clock import loop_time
from aioappsapi.errors import AppsApiError, CrashedError, NotRunningError, PlacementError
from aioappsapi.models.app import App
from aioappsapi.models.process import Process
from aioappsapi.resources.instances import instances_of
from aioappsapi.resources.processes import Processes
from aioappsapi.resources.watched import Watched

log = logging.getLogger("aioappsapi.waiter")


async def details_of(
    processes: Processes, of_app: Sequence[Process], state: Literal["CRASHED", "DOWN"]
) -> str | None:
    """Ask for what the server says of the first instance that is crashed, or down."""
    for process in of_app:
        if not process.instances or all(one.state != state for one in instances_of(process)):
            continue
        try:
            stats = await processes.get_stats(process.guid)
        except AppsApiError as failure:
            log.info("no details of %s: %s", process.guid, failure)
            continue
        for one in stats:
            if one.state == state and one.details:
                return one.details
    return None


async def crash_of(
    processes: Processes, watched: Watched, of_app: Sequence[Process]
) -> CrashedError:
    """Describe an app whose instances crash."""
    details = await details_of(processes, of_app, "CRASHED")
    why = f": {details}" if details else ""
    return CrashedError(
        f"{watched.what}: its instances crash ({watched.seen}){why}.",
        states=watched.states,
        details=details,
    )


async def lack_of_room(
    processes: Processes, watched: Watched, of_app: Sequence[Process], grace: float
) -> PlacementError | None:
    """Ask whether it is for lack of room that instances are down, and whether for too long.

    What is down says why only where no cell took it: ``insufficient resources: memory``, ``found no
    compatible cell``.
    """
    details = await details_of(processes, of_app, "DOWN")
    watched.explain(details)
    if details is None or watched.down_at is None:
        return None
    if loop_time() - watched.down_at < grace:
        return None
    return PlacementError(
        f"{watched.what}: no room for its instances: {details}.",
        states=watched.states,
        details=details,
    )


def changed_by_others(watched: Watched, app: App) -> NotRunningError:
    """Describe an app that somebody else started or stopped while it was waited for."""
    return NotRunningError(
        f"{watched.what}: the app is {app.state} again, by somebody else.",
        states=watched.states,
    )
