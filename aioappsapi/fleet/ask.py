"""Calls to one foundation or to all of them in parallel. A silent foundation is given up."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import anyio

from aioappsapi._http.call_log import CallLog, current_call_log
from aioappsapi._http.clock import loop_time
from aioappsapi._http.message import Response
from aioappsapi.client import Client
from aioappsapi.errors import AppsApiError, DeadlineError

T = TypeVar("T")


async def ask(
    client: Client,
    func: Callable[[Client], Awaitable[T]],
    *,
    patience: float,
    deadline: float = math.inf,
    scope: anyio.CancelScope | None = None,
) -> T | None:
    """Await a coroutine function of a client, as long as the server answers.

    Raises DeadlineError when no answer came for `patience` seconds, or at `deadline`, a time of the
    loop's clock. Returns None if `scope` was cancelled.
    """
    scope = scope or anyio.CancelScope()
    scope.deadline = deadline
    with scope, _listening(scope, patience) as silence:
        return await func(client)
    if loop_time() >= deadline:
        raise DeadlineError(f"{client.api_url} has not answered before the deadline.")
    if silence.is_over:
        last = f"; its last attempt: {silence.results[-1]}" if silence.results else ""
        raise DeadlineError(f"{client.api_url} has not answered for {patience:g} s{last}.")
    return None


async def ask_each(
    clients: Mapping[str, Client],
    func: Callable[[str, Client], Awaitable[T]],
    *,
    patience: float,
    deadline: float = math.inf,
) -> dict[str, T | AppsApiError]:
    """Call all foundations in parallel; an error replaces a result."""
    found: dict[str, T | AppsApiError] = {}

    async def ask_one(name: str, client: Client) -> None:
        async def work(client: Client) -> None:
            found[name] = await func(name, client)

        try:
            await ask(client, work, patience=patience, deadline=deadline)
        except AppsApiError as error:
            found[name] = error.detached()

    async with anyio.create_task_group() as group:
        for name, client in clients.items():
            group.start_soon(ask_one, name, client)
    return {name: found[name] for name in clients}


class _Silence(CallLog):
    """Cancels a scope when the server has not answered for too long.

    This is no deadline of the scope: the calls inside would see it, and give up before.
    """

    __slots__ = ("_ends_at", "_patience", "_scope", "_timer", "is_over")

    def __init__(self, scope: anyio.CancelScope, patience: float) -> None:
        super().__init__(current_call_log.get())
        self.is_over = False
        self._scope = scope
        self._patience = patience
        self._ends_at = loop_time() + patience
        self._timer = asyncio.get_running_loop().call_at(self._ends_at, self._check)

    def answered(
        self,
        result: str,
        request_id: str,
        response: Response | None,
        warnings: tuple[str, ...],
    ) -> None:
        """Record an answer; failed requests do not count."""
        super().answered(result, request_id, response, warnings)
        if response is not None:
            self._ends_at = loop_time() + self._patience

    def _check(self) -> None:
        if loop_time() >= self._ends_at:
            self.is_over = True
            self._scope.cancel()
        else:
            self._timer = asyncio.get_running_loop().call_at(self._ends_at, self._check)

    def end(self) -> None:
        """Stop listening."""
        self._timer.cancel()


@contextmanager
def _listening(scope: anyio.CancelScope, patience: float) -> Iterator[_Silence]:
    silence = _Silence(scope, patience)
    token = current_call_log.set(silence)
    try:
        yield silence
    finally:
        current_call_log.reset(token)
        silence.end()
