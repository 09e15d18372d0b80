"""The number of requests in flight, and the probes while the server is away.

Pure: no I/O, no clock. Each event carries its time. `LevelSearch` finds the level, `Outage`
detects that the server is away, and the limiter reports each request to them.
"""

from __future__ import annotations

from math import inf
from typing import Final

import msgspec

from aioappsapi._http.limits.level_search import LevelSearch
from aioappsapi._http.limits.outage import Outage
from aioappsapi._http.limits.relative_latency import RelativeLatency

_START: Final = 20
# The limit after the first success that ends an outage.
_RESUME: Final = 4


class Ticket(msgspec.Struct, eq=False):
    """One request in flight. It is ended exactly once. A Struct, because it is made in C.

    `depth` is how many were in flight, this one included. It was sent at a `full` limit if most of
    the limit was used.
    """

    operation: str
    sent_at: float
    depth: int
    generation: int
    write: bool
    full: bool
    probe: bool = False
    ended: bool = False


class ConcurrencyLimiter:
    """The control that all requests of a client share.

    Call `allows` before a request, `start` when it goes out, and exactly one of `succeeded`,
    `failed` and `discarded` when it ended. Reads and writes have separate outages: a database that
    is read-only answers every poll, and no start.

    If all remaining apps have failed before, their failures look like an outage of writes. Then
    send a cheap read with `write=True` as the probe. If it succeeds, the server is healthy, the
    outage ends, and further failures are the apps' own.
    """

    def __init__(self, ceiling: int, *, start: int = _START) -> None:
        self.in_flight = 0
        self._search = LevelSearch(ceiling, start)
        self._latency = RelativeLatency()
        self._reads = Outage()
        self._writes = Outage()

    @property
    def limit(self) -> int:
        """The maximum of requests in flight while the server answers; at least one."""
        return self._search.limit

    @property
    def usual_failures(self) -> float:
        """The share of requests that fails at any level; never below 1 %."""
        return self._search.usual_failures

    @property
    def is_away(self) -> bool:
        """Whether reads, writes or both get nothing but failures."""
        return self._writes.is_on or self._reads.is_on

    def in_outage(self, *, write: bool) -> bool:
        """Check whether reads, or writes, get nothing but failures."""
        return self._outage(write).is_on

    def outage_shows_at(self, *, write: bool) -> float:
        """When the present failures will be an outage if they go on; minus infinity without any."""
        return self._outage(write).shows_at

    def allows(self, now: float, *, write: bool) -> bool:
        """Check whether a request may go out now. During an outage that is a probe."""
        outage = self._outage(write)
        if outage.is_on:
            # At any limit: requests that hang must not keep the probe from going out.
            return now >= outage.probe_at
        limit = self._search.limit
        if outage.in_a_row:
            # The slot of a failed request stays empty until a request succeeds again. So an outage
            # hits the requests in flight at its beginning, and few others.
            limit = max(limit - outage.in_a_row, min(limit, _RESUME))
        return self.in_flight < limit

    def try_start(self, now: float, operation: str, write: bool) -> Ticket | None:
        """Start a request if the server answers and the limit has room; else return None."""
        # fast path: nearly every request passes here, so nothing is read twice.
        outage = self._writes if write else self._reads
        if outage.is_on or (outage.in_a_row and not self.allows(now, write=write)):
            return None
        search = self._search
        depth = self.in_flight + 1
        if depth > search.limit:
            return None
        self.in_flight = search.in_flight = depth
        return Ticket(operation, now, depth, search.generation, write, depth >= search.full_from)

    def wake_at(self, *, write: bool) -> float:
        """When `allows` may become true although no request ended; infinity if it cannot."""
        outage = self._outage(write)
        return outage.probe_at if outage.is_on else inf

    def start(self, now: float, operation: str, *, write: bool) -> Ticket:
        """Count a request that goes out. Latencies are compared per operation."""
        outage = self._outage(write)
        if outage.is_on:
            outage.probe_started(now)
        self.in_flight += 1
        search = self._search
        search.in_flight = self.in_flight
        full = self.in_flight >= search.full_from
        return Ticket(
            operation, now, self.in_flight, search.generation, write, full, probe=outage.is_on
        )

    def discarded(self, now: float, ticket: Ticket) -> None:
        """End a request that says nothing about the load: cancelled, not sent, or answered 429."""
        self._end(ticket)
        if ticket.probe:
            self._outage(ticket.write).probe_discarded(now)

    def succeeded(self, now: float, ticket: Ticket) -> bool:
        """End a request that the server answered, if only with a refusal of the app.

        Returns whether an outage ends with it.
        """
        if ticket.ended:
            raise _ended_twice(ticket)
        ticket.ended = True  # fast path: what `_end` does
        self.in_flight -= 1
        outage = self._writes if ticket.write else self._reads
        if outage.is_on:
            if outage.is_ended_by(ticket.sent_at):
                outage.end()
                self._search.restart(now, _RESUME)
            return not outage.is_on
        if outage.in_a_row:
            outage.succeeded()
        search = self._search
        if ticket.generation == search.generation and not (self._reads.is_on or self._writes.is_on):
            latency = self._latency.measure(ticket.operation, now - ticket.sent_at)
            search.succeeded(now, latency, self._latency.recent, ticket.depth, ticket.full)
        return False

    def failed(self, now: float, ticket: Ticket) -> bool:
        """End a request that failed as an overloaded server makes requests fail.

        Returns whether the failure belongs to an outage, so that it says nothing about the app.
        """
        self._end(ticket)
        outage = self._outage(ticket.write)
        at_present_level = ticket.generation == self._search.generation
        if outage.is_on:
            if ticket.probe:
                outage.probe_failed(now)
        elif outage.failed(now, at_present_level=at_present_level):
            self._search.restart(now, self._search.level)
        elif at_present_level and not self.is_away:
            self._search.failed(now, ticket.depth)
        return outage.is_on

    # -- internals

    def _outage(self, write: bool) -> Outage:
        return self._writes if write else self._reads

    def _end(self, ticket: Ticket) -> None:
        if ticket.ended:
            raise _ended_twice(ticket)
        ticket.ended = True
        self.in_flight -= 1


def _ended_twice(ticket: Ticket) -> RuntimeError:
    return RuntimeError(f"A request of {ticket.operation!r} was ended twice.")
