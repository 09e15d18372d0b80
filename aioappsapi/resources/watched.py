"""An app that is waited for, and what came of it."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from aioappsapi._http.clock import loop_time
from aioappsapi.errors import AppsApiError, DeadlineError, UnverifiedError
from aioappsapi.models.app import App
from aioappsapi.resources.instances import Condition

# For how many seconds a look is taken at what failed and may have happened all the same: the
# platform repairs a start that its runner missed every 30 s.
VERIFY_FOR: Final = 45.0
# So much too early a timer may be.
_MOMENT: Final = 0.1


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What came of waiting for an app: proved, or the error that says why not.

    `app` is there where its state had to be seen, too. Times are of the event loop's clock: when a
    first instance ran, and when all did.
    """

    key: str
    app: App | None = None
    error: AppsApiError | None = None
    first_at: float | None = None
    all_at: float | None = None


class Watched:
    """One app that is waited for; `what` says for people what was asked of it.

    `fallback` is what that failed with, if it may have been carried out all the same. Then, and
    where the answer could not be read, it `needs_app`: its state has to be seen as well. `down_at`
    is since when no cell has taken all of its instances, `why` what the server says of that. Times
    are of the event loop's clock.
    """

    __slots__ = (
        "app",
        "ask_why_at",
        "asked_at",
        "crashed_at",
        "down_at",
        "ends_at",
        "fallback",
        "first_at",
        "key",
        "needs_app",
        "refusals",
        "seek_at",
        "seen",
        "since",
        "states",
        "what",
        "why",
    )

    def __init__(
        self,
        key: str,
        what: str,
        *,
        asked_at: float,
        ends_at: float,
        fallback: AppsApiError | None = None,
        needs_app: bool = False,
    ) -> None:
        self.key = key
        self.what = what
        self.asked_at = asked_at
        self.since = self.seek_at = loop_time()
        self.ends_at = ends_at
        self.fallback = fallback
        self.needs_app = needs_app or fallback is not None
        self.app: App | None = None
        self.refusals = 0
        self.first_at: float | None = None
        self.crashed_at: float | None = None
        self.down_at: float | None = None
        self.ask_why_at = -math.inf
        self.seen = "nothing"
        self.why: str | None = None
        self.states: tuple[str, ...] = ()

    def note(self, condition: Condition) -> bool:
        """Keep what was seen of it, and tell whether it is its first crash."""
        now = loop_time()
        if not condition.down:
            self.down_at = self.why = None
        elif self.down_at is None:
            self.down_at = now
        self.seen = condition.text if self.why is None else f"{condition.text} ({self.why})"
        self.states = condition.states
        self.refusals = 0
        if condition.any_running and self.first_at is None:
            self.first_at = max(now - condition.first_ago, self.asked_at)
        if not condition.crashed or self.crashed_at is not None:
            return False
        self.crashed_at = now - max(float(one.since or 0) for one in condition.crashed)
        return True

    def is_stuck(self, grace: float) -> bool:
        """Tell whether to ask why it is down: after the grace, ever more rarely, and at its end."""
        if self.down_at is None:
            return False
        now = loop_time()
        if self.why is None and now >= self.ends_at - _MOMENT:
            return True
        return now >= max(self.down_at + grace, self.ask_why_at)

    def explain(self, why: str | None) -> None:
        """Keep what the server says of why it is down, or that it says nothing."""
        now = loop_time()
        self.ask_why_at = now + (now - (self.down_at or now))
        if why is not None and self.why != why:
            self.why = why
            self.seen = f"{self.seen} ({why})"

    def too_late(self) -> AppsApiError:
        """Say what was seen last of an app whose time is over."""
        if self.fallback is not None:
            return self.fallback
        return DeadlineError(
            f"{self.what}: noted, but not as asked in time; seen last: {self.seen}."
        )

    def out_of_sight(self, failure: AppsApiError) -> AppsApiError:
        """Say that nobody can see what came of it."""
        if self.fallback is not None:
            return self.fallback
        return UnverifiedError(
            f"{self.what}: noted, but it cannot be seen what came of it: {failure}"
        )

    def sighting(self, error: AppsApiError | None, all_at: float | None) -> Sighting:
        """Make what is told of it."""
        return Sighting(
            key=self.key, app=self.app, error=error, first_at=self.first_at, all_at=all_at
        )
