"""Poll one resource until the server has finished with it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio

from aioappsapi._http.call import Caller
from aioappsapi.errors import DeadlineError

T = TypeVar("T")

# Seconds between polls: most work is done at the second poll, long work takes minutes.
_FIRST_PAUSE: Final = 0.5
_GROWTH: Final = 1.5
_LONGEST_PAUSE: Final = 10.0


async def poll_until(
    caller: Caller,
    fetch: Callable[[], Awaitable[T]],
    done: Callable[[T], bool],
    *,
    what: str,
    deadline: float | None,
    describe: Callable[[T], str],
) -> T:
    """Fetch at growing intervals until `done`, and return the last result.

    `deadline` is in seconds from now; `what` and `describe` are for the text of the DeadlineError
    that is raised after it. Raises the errors of `fetch`.
    """
    seen = "nothing"
    pause = _FIRST_PAUSE
    with anyio.move_on_after(deadline):
        while not done(found := await fetch()):
            seen = describe(found)
            await caller.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - not for secrets
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)
        return found
    raise DeadlineError(f"{what}: not finished within {deadline:g} s; seen last: {seen}.")
