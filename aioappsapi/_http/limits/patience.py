"""When a run gives up, and how many attempts an app has. No I/O, no clock."""

from __future__ import annotations

from contextvars import ContextVar
from math import log
from typing import Final

from aioappsapi._http.call_log import CallEvents

# The least number of failures: the first few of a small run prove nothing.
_FAILURES: Final = 20
# With the default of 5 attempts an app that fails by chance alone is lost once in 10 ** 8. One
# attempt then stands for this chance.
_CHANCE_PER_ATTEMPT: Final = 0.025
# Above this share of failures, more attempts would cost more than they gain.
_WORST_SHARE: Final = 0.6


class Patience:
    """Decides when a run gives up: after many failures, and a while without success.

    One per run. A call that is made while it is the `current_patience` belongs to the run: it
    outlasts an outage of the server, and its attempts count here. Attempts that the rate limit
    refused do not count. Times are in seconds of the caller's clock.

    `trusts_reads` turns false when a read has ended an outage, and true again when a request of
    the run succeeds. If the outage is back in between, the read proved nothing about writes.
    `calls` is the log for such reads, which belong to no app.
    """

    def __init__(self, give_up_after: float = 60.0, *, calls: CallEvents | None = None) -> None:
        self.calls = calls
        self.trusts_reads = True
        self._give_up_after = give_up_after
        self._failures = 0
        self._first_at = 0.0
        self._last_at = 0.0
        self._last_error = ""

    def succeeded(self) -> None:
        """Note that a request succeeded."""
        self._failures = 0
        self.trusts_reads = True

    def failed(self, now: float, error: str = "") -> None:
        """Note that a request failed, for whatever reason."""
        if self._failures == 0:
            self._first_at = now
        self._failures += 1
        self._last_at = now
        self._last_error = error

    def gives_up(self, now: float) -> bool:
        """Check whether the run should end."""
        return self._failures >= _FAILURES and now - self._first_at >= self._give_up_after

    @property
    def reason(self) -> str:
        """The reason why the run gives up, and the remedy."""
        seconds = self._last_at - self._first_at
        last = f" The last error: {self._last_error}." if self._last_error else ""
        return (
            f"The run gave up: its last {self._failures:,} requests all failed, over "
            f"{seconds:.0f} s.{last} Check that the server is up, then resume or repeat the run. "
            "To wait longer, raise RetryPolicy.give_up_after (--give-up-after)."
        )


# The patience of the current bulk run; None for single calls, which keep their few attempts.
current_patience: ContextVar[Patience | None] = ContextVar("aioappsapi_patience", default=None)


def tries_allowed(attempts: int, usual_failures: float) -> int:
    """Return the number of own failures after which an app has failed finally.

    It is `attempts`, or more if many requests fail anyway: five failures in a row mean little on a
    server that fails 15 % of all requests. With one attempt there are no retries.
    """
    if attempts == 1:
        return 1
    share = min(usual_failures, _WORST_SHARE)
    return max(attempts, round(attempts * log(_CHANCE_PER_ATTEMPT) / log(share)))
