"""The waiter's own record of one app that it waits for."""

from __future__ import annotations

import math
from typing import Final

from aioappsapi._http.clock import loop_time
from aioappsapi.errors import AppsApiError, DeadlineError, UnverifiedError
from aioappsapi.models.app import App
from aioappsapi.waiting.assess import Assessment
from aioappsapi.waiting.finding import Finding, Proof

# A timer may fire early by this much.
_TIMER_SLACK: Final = 0.1


class AppWatch:
    """One app that the waiter waits for. All times are of the event loop's clock.

    `what` names the app and the action for people. `down_at` is the time since which some of its
    instances have no cell, and `why` the server's reason for that.
    """

    __slots__ = (
        "all_at",
        "app",
        "ask_why_at",
        "began_at",
        "crashed_at",
        "doubt",
        "down_at",
        "ends_at",
        "first_at",
        "key",
        "look_again_at",
        "needs_state",
        "refusals",
        "seen",
        "sent_at",
        "states",
        "what",
        "why",
    )

    def __init__(
        self,
        key: str,
        what: str,
        *,
        sent_at: float,
        ends_at: float,
        doubt: AppsApiError | None,
        needs_state: bool,
    ) -> None:
        self.key = key
        self.what = what
        self.sent_at = sent_at
        self.began_at = self.look_again_at = loop_time()
        self.ends_at = ends_at
        self.doubt = doubt
        self.needs_state = needs_state or doubt is not None
        self.app: App | None = None
        self.refusals = 0
        self.first_at: float | None = None
        self.all_at = -math.inf
        self.crashed_at: float | None = None
        self.down_at: float | None = None
        self.ask_why_at = -math.inf
        self.seen = "nothing"
        self.why: str | None = None
        self.states: tuple[str, ...] = ()

    def observe(self, assessment: Assessment) -> bool:
        """Record the result of a poll. Return whether it is the app's first crash."""
        now = loop_time()
        if not assessment.down:
            self.down_at = self.why = None
        elif self.down_at is None:
            self.down_at = now
        self.seen = assessment.text if self.why is None else f"{assessment.text} ({self.why})"
        self.states = assessment.states
        self.all_at = now - assessment.all_ago
        self.refusals = 0
        if assessment.any_running and self.first_at is None:
            self.first_at = max(now - assessment.first_ago, self.sent_at)
        if not assessment.crashed or self.crashed_at is not None:
            return False
        self.crashed_at = now - max(float(one.since or 0) for one in assessment.crashed)
        return True

    def is_crashed(self, assessment: Assessment, grace: float) -> bool:
        """Check whether the app is crashed, and its first crash was before the grace began."""
        if not assessment.crashed or self.crashed_at is None:
            return False
        return loop_time() - self.crashed_at >= grace

    def is_stuck(self, grace: float) -> bool:
        """Check whether to read the reason why the app is down.

        That is after the grace, then after growing pauses, and once at the end of its time.
        """
        if self.down_at is None:
            return False
        now = loop_time()
        if self.why is None and now >= self.ends_at - _TIMER_SLACK:
            return True
        return now >= max(self.down_at + grace, self.ask_why_at)

    def explain(self, why: str | None) -> None:
        """Record the server's reason why the app is down; None if it gave none."""
        now = loop_time()
        self.ask_why_at = now + (now - (self.down_at or now))
        if why is not None and self.why != why:
            self.why = why
            self.seen = f"{self.seen} ({why})"

    # -- findings

    def proved(self) -> Finding:
        """Return the finding of an app that is in the requested state."""
        # The server rounds ages to seconds, so the last instance may seem to be before the first.
        first_at = self.sent_at if self.first_at is None else self.first_at
        return Finding(
            key=self.key,
            proof=Proof.PROVED,
            app=self.app,
            first_at=self.first_at,
            all_at=max(self.all_at, first_at),
        )

    def disproved(self, error: AppsApiError) -> Finding:
        """Return the finding of an app that is surely not in the requested state."""
        return Finding(
            key=self.key,
            proof=Proof.DISPROVED,
            error=error,
            app=self.app,
            first_at=self.first_at,
        )

    def too_late(self) -> Finding:
        """Return the finding of an app that timed out."""
        error = self.doubt or DeadlineError(
            f"{self.what}: accepted, but not in the requested state in time; "
            f"seen last: {self.seen}."
        )
        return self._unproved(error, late=True)

    def out_of_sight(self, failure: AppsApiError) -> Finding:
        """Return the finding of an app whose instances cannot be read."""
        error = self.doubt or UnverifiedError(
            f"{self.what}: accepted, but its instances cannot be read: {failure}"
        )
        return self._unproved(error, late=False)

    def _unproved(self, error: AppsApiError, *, late: bool) -> Finding:
        return Finding(
            key=self.key,
            proof=Proof.UNPROVED,
            error=error,
            app=self.app,
            first_at=self.first_at,
            late=late,
        )
