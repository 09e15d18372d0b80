"""The clock of the event loop, by which deadlines are."""

from __future__ import annotations

import asyncio


def loop_time() -> float:
    """Return the time of the running event loop, in seconds.

    fast path: the same as `anyio.current_time`, which first finds out what kind of loop it is; a
    run asks for the time half a dozen times per app.
    """
    return asyncio.get_running_loop().time()
