"""What one call did on the wire, for whoever called: a bulk run, or a user who wants to know.

The record travels in a context variable, so that any coroutine can be counted without knowing it.
"""

from __future__ import annotations

from contextvars import ContextVar


class CallRecord:
    """The attempts of one call, or of a few calls one after the other."""

    __slots__ = ("ambiguous", "request_ids", "results", "warnings")

    def __init__(self) -> None:
        self.request_ids: list[str] = []
        self.results: list[str] = []
        self.warnings: list[str] = []
        self.ambiguous = False

    @property
    def attempts(self) -> int:
        """How many requests were sent."""
        return len(self.results)


current_record: ContextVar[CallRecord | None] = ContextVar("aioappsapi_record", default=None)
