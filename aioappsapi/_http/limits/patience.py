"""When a run gives up, and how many tries an app has. No I/O, no clock."""

from __future__ import annotations

from math import log
from typing import Final

# So many failures at least: the first few of a small run prove nothing.
_FAILURES: Final = 20
# With the default of 5 attempts an app that fails by chance alone is lost once in 10 ** 8. One
# attempt then stands for this chance.
_CHANCE_PER_ATTEMPT: Final = 0.025
# Where more than this share fails, more tries would cost more than they bring.
_WORST_SHARE: Final = 0.6


class Patience:
    """When a run gives up: nothing has succeeded for a while, and much has failed.

    One per run. Times are in seconds of the caller's clock. Count every request of the run's own
    action, but none that the server's rate limit refused: a closed window is not a failure.
    """

    def __init__(self, give_up_after: float = 60.0) -> None:
        self._give_up_after = give_up_after
        self._failures = 0
        self._first_at = 0.0
        self._last_at = 0.0
        self._last_error = ""

    def succeeded(self) -> None:
        """Note that a request succeeded."""
        self._failures = 0

    def failed(self, now: float, error: str = "") -> None:
        """Note that a request failed, however it failed and whatever became of its app."""
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
        """Why the run gives up, and what to do."""
        seconds = self._last_at - self._first_at
        last = f" The last error: {self._last_error}." if self._last_error else ""
        return (
            f"The run gave up: its last {self._failures:,} requests all failed, over "
            f"{seconds:.0f} s.{last} Check that the server is up, then resume or repeat the run. "
            "To wait longer, raise give_up_after (--give-up-after)."
        )


def tries_allowed(attempts: int, usual_failures: float) -> int:
    """Return after how many failures of its own an app has failed for good.

    That is `attempts`, or more where many requests fail anyway: five failures in a row mean little
    on a server that fails 15 % of all requests. One attempt stays one: it turns retries off.
    """
    if attempts == 1:
        return 1
    share = min(usual_failures, _WORST_SHARE)
    return max(attempts, round(attempts * log(_CHANCE_PER_ATTEMPT) / log(share)))
