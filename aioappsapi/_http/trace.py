"""What one call did on the wire, for whoever called: a bulk run, or a user who wants to know.

The record travels in a context variable, so that any coroutine can be counted without knowing it.
Records nest: what an inner one sees, the outer ones see as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from aioappsapi._http.message import Response


class CallRecord:
    """The attempts of one call, or of a few calls one after the other."""

    __slots__ = (
        "_outer",
        "ambiguous",
        "gave_up",
        "repeats",
        "request_ids",
        "results",
        "unproven",
        "warnings",
    )

    def __init__(self, outer: CallRecord | None = None) -> None:
        self.request_ids: list[str] = []
        self.results: list[str] = []
        self.warnings: list[str] = []
        self.repeats = 0
        self.ambiguous = False
        self.unproven = False
        self.gave_up: str | None = None
        self._outer = outer

    @property
    def attempts(self) -> int:
        """How many requests were sent."""
        return len(self.results)

    def note(self, result: str, request_id: str, response: Response | None) -> None:
        """Note an attempt: its status or the name of its failure, and its answer if there is."""
        self.results.append(result)
        self.request_ids.append(request_id)
        if response is not None and (warnings := response.warnings):
            self.warnings += warnings
        if self._outer is not None:
            self._outer.note(result, request_id, response)

    def repeat(self) -> None:
        """Note that the next attempt repeats one that failed."""
        self.repeats += 1
        if self._outer is not None:
            self._outer.repeat()

    def give_up(self, reason: str) -> None:
        """Note why nothing more is worth trying, for this call and for others."""
        self.gave_up = reason
        if self._outer is not None:
            self._outer.give_up(reason)

    def doubt(self, *, unproven: bool) -> None:
        """Note that an attempt may have been carried out though it failed.

        `unproven`: even a success of the next one will not tell.
        """
        self.ambiguous = True
        self.unproven = self.unproven or unproven
        if self._outer is not None:
            self._outer.doubt(unproven=unproven)


class Exchanges(CallRecord):
    """Everything that was answered while it was open, the newest last."""

    __slots__ = ("responses",)

    def __init__(self, outer: CallRecord | None = None) -> None:
        super().__init__(outer)
        self.responses: list[Response] = []

    def note(self, result: str, request_id: str, response: Response | None) -> None:
        """Note an attempt, and keep its answer."""
        super().note(result, request_id, response)
        if response is not None:
            self.responses.append(response)

    @property
    def last(self) -> Response:
        """The newest answer. Raises LookupError if there was none."""
        if not self.responses:
            raise LookupError("Nothing was answered while this was open.")
        return self.responses[-1]


current_record: ContextVar[CallRecord | None] = ContextVar("aioappsapi_record", default=None)


R = TypeVar("R", bound=CallRecord)


@contextmanager
def charged_to(record: CallRecord) -> Iterator[None]:
    """Note the calls inside in an existing record instead of the current one."""
    token = current_record.set(record)
    try:
        yield
    finally:
        current_record.reset(token)


@contextmanager
def recorded(kind: Callable[[CallRecord | None], R]) -> Iterator[R]:
    """Record the calls inside, as a `CallRecord` or with all their answers as `Exchanges`."""
    record = kind(current_record.get())
    with charged_to(record):
        yield record
