"""The outcomes of a run, as they come and in the order of the input."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Generic, TypeVar

from aioappsapi._http.call_log import CallLog
from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.bulk.report import Requests

T = TypeVar("T")


class Ledger(Generic[T]):
    """Keeps one outcome for each index, and counts what they took."""

    def __init__(self) -> None:
        self.counts: Counter[Status] = Counter()
        self.requests = Requests()
        self.news = asyncio.Event()
        self._by_index: dict[int, Outcome[T]] = {}
        self._as_they_came: list[Outcome[T]] = []

    def __contains__(self, index: int) -> bool:
        return index in self._by_index

    def __len__(self) -> int:
        return len(self._by_index)

    def __iter__(self) -> Iterator[Outcome[T]]:
        return (self._by_index[index] for index in sorted(self._by_index))

    @property
    def failures(self) -> int:
        """How many apps failed or ran out of time."""
        return self.counts[Status.FAILED] + self.counts[Status.TIMED_OUT]

    def add(self, index: int, outcome: Outcome[T], record: CallLog | None = None) -> None:
        """Keep an outcome, with what it took if this run sent it."""
        self._by_index[index] = outcome
        self._as_they_came.append(outcome)
        self.counts[outcome.status] += 1
        if record is not None:
            self.requests.add(record)
        self.news.set()

    async def follow(self, ended: Callable[[], bool]) -> AsyncIterator[Outcome[T]]:
        """Give the outcomes as they come, until there are no more."""
        given = 0
        while True:
            while given < len(self._as_they_came):
                given += 1
                yield self._as_they_came[given - 1]
            if ended():
                return
            self.news.clear()
            await self.news.wait()
