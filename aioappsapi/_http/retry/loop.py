"""Retries with tenacity.

Entered only after the first failure, which tenacity gets as the first attempt. So a call that
succeeds at once pays nothing, and the first retry still backs off. Each failing call has an
`AsyncRetrying` of its own, because the counts of a shared one would mix.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from math import inf
from typing import Final, TypeVar

import anyio
from tenacity import AsyncRetrying, RetryCallState

from aioappsapi._headers import retry_after
from aioappsapi._http.call_log import current_call_log
from aioappsapi._http.clock import loop_time
from aioappsapi._http.limits.outage import OUTAGE_FEW
from aioappsapi._http.limits.patience import current_patience, tries_allowed
from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.message import Replay, Request
from aioappsapi._http.retry.policy import Meaning, classify, may_repeat
from aioappsapi.config import RetryPolicy
from aioappsapi.errors import (
    AppsApiError,
    DeadlineError,
    DecodeError,
    NotAttemptedError,
    RateLimitedError,
    ResponseError,
)

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

_CLOSED: Final = "the rate limit opens again in {:.0f} s, which is more than max_retry_after"

# A refused token is replaced. The new one may have been revoked meanwhile, so once more; a third
# refusal means that the server refuses this login.
_RENEWALS: Final = 2

# Two failures in a row may be the beginning of an outage. Two more attempts show it.
_MORE: Final = OUTAGE_FEW - 2

log = logging.getLogger("aioappsapi.retry")


class _FailingCall:
    """The remaining attempts and time of one failing call.

    A call of a bulk run outlasts an outage: no failure of an outage counts, until the run gives
    up. It also gets more attempts if the server fails many requests anyway. A single call keeps
    its few attempts.
    """

    def __init__(
        self, request: Request, policy: RetryPolicy, throttle: Throttle, *, renewable: bool
    ) -> None:
        self._request = request
        self._policy = policy
        self._throttle = throttle
        self._renewable = renewable
        self._patience = current_patience.get()
        self._seen: Counter[Meaning] = Counter()
        self._row_cap: int | None = None  # of all rows of the table that matched
        self._meaning = Meaning.PERMANENT
        self._in_outage = False
        self._pause_until = -inf

    def should_retry(self, state: RetryCallState) -> bool:
        """Check whether the last failure is worth another attempt. tenacity's `retry`."""
        error = _error(state)
        if error is None:
            return False
        self._meaning, cap = classify(error)
        if cap is not None:
            self._row_cap = min(self._row_cap or cap, cap)
        self._report_doubt(error)
        if self._run_gives_up() or not may_repeat(self._meaning, self._request.replay):
            return False
        self._in_outage = self._outlasts_outage(error)
        if not self._in_outage:
            self._seen[self._meaning] += 1
        return self._in_outage or self._has_tries(error)

    def _run_gives_up(self) -> bool:
        patience = self._patience
        if patience is None or not patience.gives_up(loop_time()):
            return False
        self._give_up(patience.reason)
        self._throttle.dismiss(patience)
        return True

    def _outlasts_outage(self, error: AppsApiError) -> bool:
        if self._patience is None or self._meaning not in (Meaning.TRANSIENT, Meaning.AMBIGUOUS):
            return False
        too_long = (_requested_wait(error) or 0.0) > self._policy.max_retry_after
        return (
            not too_long and self._policy.attempts > 1 and self._throttle.in_outage(self._request)
        )

    def _report_doubt(self, error: AppsApiError) -> None:
        """Report a failure after which the request may have taken effect."""
        calls = current_call_log.get()
        if calls is None or self._request.replay is Replay.SAFE:  # a GET changes nothing
            return
        if isinstance(error, DecodeError):
            calls.doubted(repeat_proves_nothing=True)
        elif self._meaning is Meaning.AMBIGUOUS:
            calls.doubted(repeat_proves_nothing=self._request.repeat_proves_nothing)

    def _has_tries(self, error: AppsApiError) -> bool:
        if self._meaning is Meaning.TOKEN:
            return self._renewable and self._seen[Meaning.TOKEN] <= _RENEWALS
        wait = _requested_wait(error) or 0.0
        if wait > self._policy.max_retry_after:
            if self._meaning is Meaning.RATE_LIMITED:
                self._give_up(_CLOSED.format(wait))
            return False
        if self._meaning is Meaning.RATE_LIMITED:
            return self._seen[self._meaning] < self._policy.rate_limited_attempts
        tries = self._seen[Meaning.TRANSIENT] + self._seen[Meaning.AMBIGUOUS]
        attempts = self._policy.attempts
        if self._patience is None:
            return tries < (attempts if self._row_cap is None else min(attempts, self._row_cap))
        allowed = tries_allowed(attempts, self._throttle.limiter.usual_failures)
        return tries < allowed or (tries < allowed + _MORE and self._may_be_an_outage())

    def _may_be_an_outage(self) -> bool:
        """Check whether all requests fail now, but not yet enough of them for an outage.

        Then the next attempt follows a pause that is long enough to decide.
        """
        self._pause_until = self._throttle.outage_shows_at(self._request)
        return self._policy.attempts >= OUTAGE_FEW and self._pause_until > -inf

    def _give_up(self, reason: str) -> None:
        if (calls := current_call_log.get()) is not None:
            calls.gave_up(reason)
        log.warning("%s: not retried: %s", self._request, reason)

    def pause(self, state: RetryCallState) -> float:
        """Return the seconds to wait: full jitter, or the requested time. tenacity's `wait`."""
        error = _error(state)
        requested = _requested_wait(error) if error is not None else None
        if self._in_outage:
            return requested or 0.0  # the throttle makes it wait for its turn as a probe
        if self._meaning is Meaning.TOKEN or (requested and self._meaning is Meaning.RATE_LIMITED):
            return 0.0  # the login is shared, and so is the closed gate of the throttle
        doublings = 0 if self._pause_until > -inf else self._seen[self._meaning] - 1
        ceiling = min(self._policy.base * 2.0**doublings, self._policy.cap)
        jitter = random.uniform(0.0, ceiling)  # noqa: S311 - not for secrets
        return max(jitter, requested or 0.0, self._pause_until - loop_time())

    def is_too_late(self, state: RetryCallState) -> bool:
        """Check whether the pause would end after the deadline. tenacity's `stop`."""
        error = _error(state)
        if error is None:
            return False
        # The requested wait counts even if the gate waits and not this pause.
        pause = max(state.upcoming_sleep, _requested_wait(error) or 0.0)
        if loop_time() + pause < anyio.current_effective_deadline():
            return False
        raise DeadlineError(
            f"No time for another attempt before the deadline. The last one: {error}",
            last=error.detached(),
        ) from None

    def log_retry(self, state: RetryCallState) -> None:
        """Note and log that the call is sent again. tenacity's `before_sleep`."""
        if (calls := current_call_log.get()) is not None:
            calls.repeated()
        log.info("retry in %.2f s after: %s", state.upcoming_sleep, _error(state))


def _error(state: RetryCallState) -> AppsApiError | None:
    if state.outcome is None or not state.outcome.failed:
        return None
    error = state.outcome.exception()
    return error if isinstance(error, AppsApiError) else None


def _requested_wait(error: AppsApiError) -> float | None:
    if isinstance(error, RateLimitedError):
        return error.retry_after
    if isinstance(error, ResponseError) and "Retry-After" in error.headers:
        return retry_after(error.headers)
    return None


async def repeat(
    first: AppsApiError,
    attempt: Callable[[], Awaitable[T]],
    request: Request,
    policy: RetryPolicy,
    throttle: Throttle,
    *,
    renewable: bool,
    sleep: Sleep = anyio.sleep,
) -> T:
    """Retry after a first failure, as long as retries are allowed, useful and in time.

    Raises the last failure, or DeadlineError if there was no time for another attempt.
    """
    last: AppsApiError = first
    played_back = False

    async def play_back_then_attempt() -> T:
        nonlocal last, played_back
        if not played_back:
            played_back = True
            raise first
        try:
            return await attempt()
        except NotAttemptedError:
            raise last from None  # the run gave up while this request waited
        except AppsApiError as error:
            last = error
            raise

    call = _FailingCall(request, policy, throttle, renewable=renewable)
    retrying = AsyncRetrying(
        retry=call.should_retry,
        wait=call.pause,
        stop=call.is_too_late,
        before_sleep=call.log_retry,
        sleep=sleep,
        reraise=True,
    )
    return await retrying(play_back_then_attempt)
