"""The attempts of a call on the wire, for a bulk run or for a user.

The log is in a context variable, so the call layer finds it without passing it through every
function. Logs nest: an event in an inner log is forwarded to the outer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from aioappsapi._http.message import Response


class CallEvents:
    """The events that the call layer reports of its attempts. Here each method does nothing."""

    __slots__ = ()

    def sent(self, at: float) -> None:
        """The bytes of an attempt leave now: it has a connection."""

    def answered(
        self,
        result: str,
        request_id: str,
        response: Response | None,
        warnings: tuple[str, ...],
    ) -> None:
        """An attempt ended: its status, or the name of its error, its answer and its warnings."""

    def repeated(self) -> None:
        """The next attempt repeats one that failed."""

    def doubted(self, *, repeat_proves_nothing: bool) -> None:
        """An attempt failed, but may have taken effect."""

    def gave_up(self, reason: str) -> None:
        """Another attempt would fail too, in this call and in any other."""


class CallLog(CallEvents):
    """The attempts of one call, or of several calls one after the other.

    `results` has one entry per attempt that ended: its status, or the name of its error. `repeats`
    counts the attempts that followed a failed one. `ambiguous` is true when an attempt failed but
    may have taken effect; `repeat_proves_nothing` when a later success is no proof either.
    `stop_reason` is set when further calls would fail too. `first_sent_at` and `last_sent_at` are
    times of the event loop's clock, None while no byte has left.
    """

    __slots__ = (
        "_outer",
        "ambiguous",
        "first_sent_at",
        "last_sent_at",
        "repeat_proves_nothing",
        "repeats",
        "request_ids",
        "results",
        "stop_reason",
        "warnings",
    )

    def __init__(self, outer: CallEvents | None = None) -> None:
        self.request_ids: list[str] = []
        self.results: list[str] = []
        self.warnings: list[str] = []
        self.repeats = 0
        self.ambiguous = False
        self.repeat_proves_nothing = False
        self.stop_reason: str | None = None
        self.first_sent_at: float | None = None
        self.last_sent_at: float | None = None
        self._outer = outer

    @property
    def attempts(self) -> int:
        """The number of attempts that have ended."""
        return len(self.results)

    def sent(self, at: float) -> None:
        """Note that the bytes of an attempt leave now: it has a connection."""
        self.last_sent_at = at
        if self.first_sent_at is None:
            self.first_sent_at = at
        if self._outer is not None:
            self._outer.sent(at)

    def answered(
        self,
        result: str,
        request_id: str,
        response: Response | None,
        warnings: tuple[str, ...],
    ) -> None:
        """Note that an attempt ended: its status, or the name of its error, and its answer."""
        self.results.append(result)
        self.request_ids.append(request_id)
        self.warnings += warnings
        if self._outer is not None:
            self._outer.answered(result, request_id, response, warnings)

    def repeated(self) -> None:
        """Note that the next attempt repeats one that failed."""
        self.repeats += 1
        if self._outer is not None:
            self._outer.repeated()

    def doubted(self, *, repeat_proves_nothing: bool) -> None:
        """Note that an attempt failed but may have taken effect.

        `repeat_proves_nothing`: the server accepts a repeat without doing anything, so even its
        success leaves open whether the request was carried out.
        """
        self.ambiguous = True
        self.repeat_proves_nothing |= repeat_proves_nothing
        if self._outer is not None:
            self._outer.doubted(repeat_proves_nothing=repeat_proves_nothing)

    def gave_up(self, reason: str) -> None:
        """Note why another attempt would fail too, in this call and in any other."""
        self.stop_reason = reason
        if self._outer is not None:
            self._outer.gave_up(reason)


class Exchanges(CallLog):
    """All answers that came while it was open, the newest last."""

    __slots__ = ("responses",)

    def __init__(self, outer: CallEvents | None = None) -> None:
        super().__init__(outer)
        self.responses: list[Response] = []

    def answered(
        self,
        result: str,
        request_id: str,
        response: Response | None,
        warnings: tuple[str, ...],
    ) -> None:
        """Note that an attempt ended, and keep its answer."""
        super().answered(result, request_id, response, warnings)
        if response is not None:
            self.responses.append(response)

    @property
    def last(self) -> Response:
        """The newest answer. Raises LookupError if there is none."""
        if not self.responses:
            raise LookupError("No answer came while this was open.")
        return self.responses[-1]


current_call_log: ContextVar[CallEvents | None] = ContextVar("aioappsapi_call_log", default=None)


def report_sent(at: float) -> None:
    """Report to the current log that the bytes of an attempt leave now."""
    if (log := current_call_log.get()) is not None:
        log.sent(at)


L = TypeVar("L", bound=CallEvents)


@contextmanager
def logged_to(log: CallEvents | None) -> Iterator[None]:
    """Report the calls inside to an existing log instead of the current one, or to none."""
    token = current_call_log.set(log)
    try:
        yield
    finally:
        current_call_log.reset(token)


@contextmanager
def recorded(kind: Callable[[CallEvents | None], L]) -> Iterator[L]:
    """Report the calls inside to a new log: a `CallLog`, or `Exchanges` to keep all answers."""
    log = kind(current_call_log.get())
    with logged_to(log):
        yield log
