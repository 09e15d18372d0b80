"""Several foundations in one process."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from aioappsapi._http.clock import loop_time
from aioappsapi.bulk.run.observer import Instrumentation
from aioappsapi.client import Client
from aioappsapi.config import Limits, RetryPolicy, Timeouts
from aioappsapi.errors import AppsApiError, InvalidInputError, refuse_unless
from aioappsapi.fleet.ask import ask_each
from aioappsapi.fleet.bulk import FleetBulk
from aioappsapi.fleet.target import check_target_name
from aioappsapi.fleet.targets_file import choose_targets, read_targets

T = TypeVar("T")


class Fleet:
    """Several foundations, each with a name and a client, for one event loop.

    ``async with Fleet({"eu": client, "us": other}) as fleet:``

    `fleet.bulk` has the verbs of `client.bulk`, for apps of all foundations: one report, one
    deadline, one `max_failures`. Connections, login, limits and journal are each foundation's own,
    so one that is down, slow or silent holds up no other. `fleet["eu"]` is the client of a
    foundation. Entering the fleet opens all clients, and leaving it closes them.

    A foundation that answers nothing for `patience` seconds, before its run begins, is given up.
    Raises InvalidInputError for no client, for a bad name, and for two clients of one API.
    """

    def __init__(self, clients: Mapping[str, Client], *, patience: float = 60.0) -> None:
        refuse_unless(bool(clients), "A fleet needs at least one client.")
        refuse_unless(patience > 0, f"patience={patience!r}: seconds > 0.")
        self._clients = dict(clients)
        self._patience = patience
        self._check()
        self._stack = AsyncExitStack()
        self.bulk = FleetBulk(self._clients, patience=patience)

    def _check(self) -> None:
        names: dict[str, str] = {}
        for name, client in self._clients.items():
            check_target_name(name)
            # The API of an outcome is all that tells apps with one GUID apart.
            if (other := names.setdefault(client.api_url, name)) != name:
                raise InvalidInputError(
                    f"{other} and {name} are the same API, {client.api_url}. "
                    "A fleet has one client for each."
                )

    @classmethod
    def from_config(
        cls,
        *globs: str,
        path: str | Path | None = None,
        patience: float = 60.0,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        telemetry: Instrumentation | None = None,
    ) -> Self:
        """Make a fleet of named targets: ``Fleet.from_config("eu-*", "us-1")``; of all by default.

        For the file and its `path` see `read_targets`. Raises InvalidInputError for a broken file
        and for a name that matches no target, AuthError if a login is missing.
        """
        targets = read_targets(path)
        chosen = choose_targets(targets, globs) if globs else targets
        refuse_unless(bool(chosen), "The file with targets has none.")
        clients = {
            name: target.client(limits=limits, timeouts=timeouts, retry=retry, telemetry=telemetry)
            for name, target in chosen.items()
        }
        return cls(clients, patience=patience)

    def __getitem__(self, name: str) -> Client:
        return self._clients[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._clients)

    def __len__(self) -> int:
        return len(self._clients)

    def __repr__(self) -> str:
        return f"<Fleet {', '.join(self._clients)}>"

    async def each(
        self, func: Callable[[Client], Awaitable[T]], *, deadline: float | None = None
    ) -> dict[str, T | AppsApiError]:
        """Await a coroutine function of each client, side by side; return results by name.

        ``await fleet.each(lambda client: client.info.root())``. An AppsApiError takes the place of
        the result; anything else that `func` raises is a bug and propagates. `deadline` is in
        seconds, for all of them.
        """
        return await ask_each(
            self._clients,
            lambda _, client: func(client),
            patience=self._patience,
            deadline=math.inf if deadline is None else loop_time() + deadline,
        )

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            for client in self._clients.values():
                await opening.enter_async_context(client)
            self._stack = opening.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()
