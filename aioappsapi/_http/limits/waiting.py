"""The requests that wait for a ticket, stored so that the next one is found at once.

A run may have thousands of them, and each answer needs the next one. So no search here reads all of
them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Final

import anyio

from aioappsapi._http.limits.concurrency import Ticket
from aioappsapi._http.limits.patience import Patience
from aioappsapi._http.message import Replay, Request

SAFE: Final = Replay.SAFE  # fast path: a member looked up in its class costs ten times a global

# Old deadlines are dropped when there are this many more deadlines than requests.
_SPARE_DEADLINES: Final = 16


class Turn:
    """A request that waits. Its future gets a ticket, or None if waiting became pointless."""

    __slots__ = (
        "deadline",
        "given",
        "number",
        "operation",
        "patience",
        "retried",
        "since",
        "write",
    )

    def __init__(
        self, request: Request, patience: Patience | None, now: float, *, retried: bool
    ) -> None:
        self.number = 0
        self.operation = request.operation
        self.write = request.replay is not SAFE
        self.patience = patience
        self.retried = retried
        self.since = now
        self.deadline = anyio.current_effective_deadline()
        self.given: asyncio.Future[Ticket | None] = asyncio.get_running_loop().create_future()


class Line:
    """Requests that differ only by their deadlines, in order of arrival."""

    __slots__ = ("_by_deadline", "_turns")

    def __init__(self) -> None:
        self._turns: OrderedDict[Turn, None] = OrderedDict()  # a dict is slow to find its first
        self._by_deadline: list[tuple[float, int, Turn]] = []  # those that have one, as a heap

    def __iter__(self) -> Iterator[Turn]:
        return iter(self._turns)

    def __contains__(self, turn: Turn) -> bool:
        return turn in self._turns

    def add(self, turn: Turn) -> None:
        """Add a request at the end."""
        self._turns[turn] = None
        if turn.deadline < inf:
            heappush(self._by_deadline, (turn.deadline, turn.number, turn))

    def remove(self, turn: Turn) -> None:
        """Remove a request, wherever it is."""
        del self._turns[turn]
        if len(self._by_deadline) > 2 * len(self._turns) + _SPARE_DEADLINES:
            self._by_deadline = [one for one in self._by_deadline if one[2] in self._turns]
            heapify(self._by_deadline)

    def first(self) -> Turn | None:
        """Return the request that waits longest."""
        return next(iter(self._turns), None)

    def most_urgent(self) -> Turn | None:
        """Return the request whose deadline comes first; None if no request has one."""
        while self._by_deadline:
            turn = self._by_deadline[0][2]
            if turn in self._turns:
                return turn
            heappop(self._by_deadline)
        return None


class Waiting:
    """All waiting requests, in four lines: reads and writes, of single calls and of runs."""

    def __init__(self) -> None:
        self._numbers = count()
        self._lines = {
            (write, single): Line() for write in (False, True) for single in (False, True)
        }
        self._first_tries = 0
        # Attributes, because each answer asks for them.
        self.count = 0
        self.counts = [0, 0]  # of reads and of writes

    @property
    def only_retries(self) -> bool:
        """Whether every request that waits has failed before."""
        return not self._first_tries

    def add(self, turn: Turn) -> None:
        """Add a request at the end of its line."""
        turn.number = next(self._numbers)
        self._line_of(turn).add(turn)
        self.count += 1
        self.counts[turn.write] += 1
        self._first_tries += not turn.retried

    def remove(self, turn: Turn) -> None:
        """Remove a request. Harmless when repeated."""
        line = self._line_of(turn)
        if turn in line:
            line.remove(turn)
            self.count -= 1
            self.counts[turn.write] -= 1
            self._first_tries -= not turn.retried

    def _line_of(self, turn: Turn) -> Line:
        return self._lines[turn.write, turn.patience is None]

    def next(self, *, write: bool, single: bool, before: float) -> Turn | None:
        """Return the next request of a kind whose deadline comes before a moment, if any.

        If the moment is infinity, it is the oldest request, otherwise the most urgent one.
        """
        line = self._lines[write, single]
        while True:
            turn = line.first() if before == inf else line.most_urgent()
            if turn is None or before <= turn.deadline < inf or before < turn.deadline:
                return None
            if not turn.given.done():
                return turn
            self.remove(turn)  # cancelled in this moment; its task has not run yet

    def late(self, moment: float) -> Iterator[Turn]:
        """Remove and yield the requests whose deadline comes before a moment."""
        for line in self._lines.values():
            while (turn := line.most_urgent()) is not None and turn.deadline < moment:
                self.remove(turn)
                yield turn

    def of_run(self, patience: Patience) -> Iterator[Turn]:
        """Remove and yield the requests of a run."""
        for write in (False, True):
            for turn in [one for one in self._lines[write, False] if one.patience is patience]:
                self.remove(turn)
                yield turn
