"""Work through a list with a few workers, instead of a task per item."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

T = TypeVar("T")


async def pooled(
    work: Callable[[T], Awaitable[object]], items: Sequence[T], *, at_once: int
) -> None:
    """Await `work` for each item, at most `at_once` at a time. Raises the first exception."""
    shared = iter(items)
    failures: list[Exception] = []

    async def worker() -> None:
        try:
            for item in shared:
                await work(item)
        except Exception as failure:  # noqa: BLE001 - raised below, as itself and not in a group
            failures.append(failure)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for _ in range(min(at_once, len(items))):
            group.start_soon(worker)
    if failures:
        raise failures[0]
