"""Find the reason why an app is not in the requested state, if possible with the server's text."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from aioappsapi._http.clock import loop_time
from aioappsapi.errors import (
    AppsApiError,
    CrashedError,
    NotFoundError,
    NotRunningError,
    PlacementError,
)
from aioappsapi.models.app import App
from aioappsapi.models.process import Process
from aioappsapi.waiting.assess import instances_of
from aioappsapi.waiting.readers import Readers
from aioappsapi.waiting.watch import AppWatch

log = logging.getLogger("aioappsapi.waiter")


# A feature of the server that may be missing: Korifi has no audit events.
_EVENTS: Final = "audit_events"
_CRASH: Final = "audit.app.process.crash"


async def crash_error(readers: Readers, watch: AppWatch) -> CrashedError:
    """Return the error of an app that crashes, with the reason of its newest crash event.

    The stats of a crashed instance have no reason on a real server. The event has it, if the login
    may read events.
    """
    reason = await _newest_crash(readers, watch.key)
    why = f": {reason}" if reason else "; the server gives no reason"
    return CrashedError(
        f"{watch.what}: its instances crash ({watch.seen}){why}.",
        states=watch.states,
        details=reason,
    )


async def _newest_crash(readers: Readers, guid: str) -> str | None:
    features = readers.caller.features
    if not features.has(_EVENTS):
        return None
    events = readers.events.list(types=[_CRASH], target_guids=[guid], order_by="-created_at")
    try:
        event = await events.first()
    except AppsApiError as failure:
        if isinstance(failure, NotFoundError):
            features.remember_missing(_EVENTS)
        log.info("why app %s crashes could not be read: %s", guid, failure)
        return None
    data = (event.data or {}) if event is not None else {}
    reason = data.get("exit_description") or data.get("reason")
    return str(reason) if reason else None


async def _reason_for_down(readers: Readers, processes: Sequence[Process]) -> str | None:
    """Return the server's details of the first instance that is DOWN, or None."""
    for process in processes:
        if process.instances == 0 or all(one.state != "DOWN" for one in instances_of(process)):
            continue
        try:
            stats = await readers.processes.get_stats(process.guid)
        except AppsApiError as failure:
            log.info("no details of process %s: %s", process.guid, failure)
            continue
        for one in stats:
            if one.state == "DOWN" and one.details:
                return one.details
    return None


async def placement_error(
    readers: Readers, watch: AppWatch, processes: Sequence[Process], grace: float
) -> PlacementError | None:
    """Return the error of an app without a cell for longer than the grace, or None before that.

    The server gives details of an instance that is DOWN only if no cell took it:
    ``insufficient resources: memory``, ``found no compatible cell``.
    """
    details = await _reason_for_down(readers, processes)
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


def wrong_state(watch: AppWatch, app: App) -> NotRunningError:
    """Return the error of an app whose state another user has changed."""
    # An answer that proved nothing may never have changed the state.
    why = "" if watch.needs_state else " again, by another user"
    return NotRunningError(
        f"{watch.what}: the app is {app.state}{why}.",
        states=watch.states,
    )
