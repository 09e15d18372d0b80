"""One start, stop or restart, and the wait for what comes of it."""

from __future__ import annotations

import anyio

from aioappsapi._http.caller import Caller
from aioappsapi._http.failures import Meaning, classify, may_repeat
from aioappsapi._http.protocol import Operation
from aioappsapi.config import startup_timeout
from aioappsapi.errors import AppsApiError
from aioappsapi.models.app import App
from aioappsapi.resources.instances import Wait, check_wait
from aioappsapi.resources.waiter import AppReader, Waiter
from aioappsapi.resources.watched import VERIFY_FOR, Sighting, Watched


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
    asked_at = anyio.current_time()
    ends_at = None if deadline is None else asked_at + deadline
    fallback: AppsApiError | None = None
    app: App | None = None
    try:
        app = await caller.call(operation, guid, deadline=deadline)
    except AppsApiError as failure:
        if not is_worth_a_look(failure, operation):
            raise
        fallback = failure
    now = anyio.current_time()
    patience = startup_timeout() if fallback is None else VERIFY_FOR
    watched = Watched(
        guid,
        f"{operation.name} {guid}",
        asked_at=asked_at,
        ends_at=now + patience if ends_at is None else ends_at,
        fallback=fallback,
    )
    await _wait_for(watched, Waiter(reader, wait, down=down))
    return app if app is not None else await reader.get(guid)


def is_worth_a_look(failure: AppsApiError, operation: Operation[App]) -> bool:
    """Tell whether an action that failed may have been carried out, and a look will tell.

    Nobody sees of an app whether it was restarted.
    """
    meaning = classify(failure)[0]
    return meaning is Meaning.AMBIGUOUS and may_repeat(meaning, operation.replay)


async def _wait_for(watched: Watched, waiter: Waiter) -> None:
    """Wait for one app. Raises what stood in the way."""
    sightings: list[Sighting] = []
    waiter.add(watched)
    waiter.complete()
    await waiter.run(sightings.append)
    if (error := sightings[0].error) is not None:
        raise error
