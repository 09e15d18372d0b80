"""One start, stop or restart, and the wait for what comes of it."""

from __future__ import annotations

from typing import Final

import anyio

from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import CallLog, recorded
from aioappsapi._http.clock import loop_time
from aioappsapi._http.message import Replay
from aioappsapi._http.protocol import Operation
from aioappsapi._http.retry.policy import is_refusal_of_app
from aioappsapi.config import startup_timeout
from aioappsapi.errors import AppsApiError, DeadlineError, DecodeError
from aioappsapi.models.app import App
from aioappsapi.resources.instances import Wait, check_wait
from aioappsapi.resources.waiter import AppReader, Waiter
from aioappsapi.resources.watched import VERIFY_FOR, Sighting, Watched

# For how many seconds the last look may take, which is at the very end.
_LAST_LOOK: Final = 0.5


async def act(
    caller: Caller,
    reader: AppReader,
    operation: Operation[App],
    guid: str,
    *,
    wait: Wait,
    deadline: float | None,
    down: bool = False,
) -> App:
    """Carry an action out, and wait until the app is as `wait` says, which is not ``none``.

    Without a `deadline` the waiting takes at most `CF_STARTUP_TIMEOUT`.
    """
    check_wait(wait)
    patience = startup_timeout() if deadline is None else deadline
    asked_at = loop_time()
    fallback: AppsApiError | None = None
    app: App | None = None
    with recorded(CallLog) as record:
        try:
            app = await caller.call(operation, guid, deadline=deadline)
        except DecodeError:
            pass  # a success that cannot be read: it happened, and a look will tell
        except DeadlineError:
            raise
        except AppsApiError as failure:
            # A look will tell; but of a restart nobody sees whether it happened.
            if operation.replay is Replay.ONCE or not is_open(record, failure):
                raise
            fallback = failure
    # A deadline is for everything together, the time to start up begins with the acceptance.
    accepted_at = loop_time()
    ends_at = (accepted_at if deadline is None else asked_at) + patience
    watched = Watched(
        guid,
        f"{operation.name} {guid}",
        asked_at=asked_at,
        ends_at=ends_at if fallback is None else min(ends_at, accepted_at + VERIFY_FOR),
        fallback=fallback,
        needs_app=app is None,
    )
    # What each request makes anew is not proved by what was there before.
    anew = operation.replay is Replay.ONCE
    seen = await _wait_for(watched, Waiter(reader, wait, down=down, anew=anew))
    return app or seen or await reader.get(guid)


def is_open(record: CallLog, failure: AppsApiError) -> bool:
    """Tell whether an action that failed may have been carried out.

    Not the last failure alone counts: what was tried before it may have been carried out as well.
    """
    return record.ambiguous and not is_refusal_of_app(failure)


async def _wait_for(watched: Watched, waiter: Waiter) -> App | None:
    """Wait for one app, and give it if it was seen. Raises what stood in the way."""
    sightings: list[Sighting] = []
    waiter.add(watched)
    waiter.complete()
    with anyio.CancelScope(deadline=watched.ends_at + _LAST_LOOK):
        await waiter.run(sightings.append)
    error = sightings[0].error if sightings else watched.too_late()
    if error is not None:
        raise error
    return sightings[0].app
