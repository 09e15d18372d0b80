"""Protocols for the API calls of the waiter; `aioappsapi.api` implements them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from typing import Protocol

import msgspec

from aioappsapi._http.call import Caller
from aioappsapi.config import RetryPolicy, Timeouts
from aioappsapi.models.app import App
from aioappsapi.models.audit_event import AuditEvent
from aioappsapi.models.process import InstanceStats, Process


class AppReader(Protocol):
    """Reads apps."""

    def list(self, *, guids: Sequence[str], per_page: int) -> AsyncIterable[App]:
        """List apps by GUID; those that do not exist are left out."""
        ...

    async def get(self, guid: str) -> App:
        """Fetch one app. Raises NotFoundError."""
        ...


class ProcessReader(Protocol):
    """Reads processes and their instances."""

    def list(
        self, *, app_guids: Sequence[str], include: Sequence[str], per_page: int
    ) -> AsyncIterable[Process]:
        """List the processes of apps, with ``include=["instances"]`` as here."""
        ...

    async def get_stats(self, guid: str) -> Sequence[InstanceStats]:
        """Fetch the instances of one process in full."""
        ...


class EventList(Protocol):
    """A list of audit events that is fetched when it is read."""

    async def first(self) -> AuditEvent | None:
        """Fetch the first event; None of an empty list."""
        ...


class EventReader(Protocol):
    """Reads audit events."""

    def list(
        self, *, types: Sequence[str], target_guids: Sequence[str], order_by: str
    ) -> EventList:
        """List events by type and target."""
        ...


class Readers(msgspec.Struct, frozen=True, kw_only=True):
    """The API calls of the waiter, which all go through `caller`."""

    caller: Caller
    apps: AppReader
    processes: ProcessReader
    events: EventReader


def for_polls(caller: Caller) -> Caller:
    """Return a view of `caller` that sends each poll once.

    A failed poll is not retried; the next one follows within seconds. The timeout is above the
    62 s that a server needs to answer while its runner is away.
    """
    return caller.with_options(
        retry=RetryPolicy(attempts=1), timeouts=Timeouts(connect=10.0, read=90.0, total=100.0)
    )
