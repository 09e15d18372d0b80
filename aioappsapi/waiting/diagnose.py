"""Find out why an app is not in the requested state, in the server's own words if it has some."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from aioappsapi._http.clock import loop_time
from aioappsapi.errors import AppsApiError, CrashedError, NotRunningError, PlacementError
from aioappsapi.models.app import App
from aioappsapi.models.process import Process
from aioappsapi.waiting.assess import instances_of
from aioappsapi.waiting.readers import Readers
from aioappsapi.waiting.watch import AppWatch

log = logging.getLogger("aioappsapi.waiter")


async def details_of(
    readers: Readers, processes: Sequence[Process], state: Literal["CRASHED", "DOWN"]
) -> str | None:
    """Return what the server says of the first instance in this state; None if it says nothing."""
    for process in processes:
        if process.instances == 0 or all(one.state != state for one in instances_of(process)):
            continue
        try:
            stats = await readers.processes.get_stats(process.guid)
        except AppsApiError as failure:
            log.info("no details of process %s: %s", process.guid, failure)
            continue
        for one in stats:
            if one.state == state and one.details:
                return one.details
    return None


async def crash_error(
    readers: Readers, watch: AppWatch, processes: Sequence[Process]
) -> CrashedError:
    """Describe an app whose instances crash."""
    details = await details_of(readers, processes, "CRASHED")
    why = f": {details}" if details else ""
    return CrashedError(
        f"{watch.what}: its instances crash ({watch.seen}){why}.",
        states=watch.states,
        details=details,
    )


async def placement_error(
    readers: Readers, watch: AppWatch, processes: Sequence[Process], grace: float
) -> PlacementError | None:
    """Describe an app that has had no room for longer than the grace; None while that is open.

    The server gives details of an instance that is DOWN only if no cell took it:
    ``insufficient resources: memory``, ``found no compatible cell``.
    """
    details = await details_of(readers, processes, "DOWN")
    watch.explain(details)
    if details is None or watch.down_at is None:
        return None
    if loop_time() - watch.down_at < grace:
        return None
    return PlacementError(
        f"{watch.what}: no room for its instances: {details}.",
        states=watch.states,
        details=details,
    )


def changed_by_others(watch: AppWatch, app: App) -> NotRunningError:
    """Describe an app that somebody else started or stopped while we waited for it."""
    return NotRunningError(
        f"{watch.what}: the app is {app.state} again, by somebody else.",
        states=watch.states,
    )
