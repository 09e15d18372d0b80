"""Retries with tenacity.

Entered only after the first failure, which is played back as the first attempt. So a call that
succeeds at once pays nothing, and the first retry backs off all the same. Each failing call has an
`AsyncRetrying` of its own, because the counts of a shared one would mix.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio
from tenacity import AsyncRetrying, RetryCallState

from aioappsapi._http.call_log import current_call_log
from aioappsapi._http.clock import loop_time
from aioappsapi._http.message import Replay, Request
from aioappsapi._http.response_errors import retry_after
from aioappsapi._http.retry.budget import RetryBudget
from aioappsapi._http.retry.policy import Meaning, classify, may_repeat
from aioappsapi.config import RetryPolicy
from aioappsapi.errors import (
    AppsApiError,
    DeadlineError,
    DecodeError,
    RateLimitedError,
    ResponseError,
)

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

_BROKE: Final = "so many requests failed that the budget of retries is used up"
# A refused token is replaced. The new one may have been revoked meanwhile, so once more; a third
# refusal means that the server refuses this login.
_RENEWALS: Final = 2
_CLOSED: Final = "the rate limit opens again in {:.0f} s, which is more than max_retry_after"

log = logging.getLogger("aioappsapi.retry")


class _FailingCall:
    """The failures of one call so far, and what they allow: another attempt, after what pause."""

    def __init__(
        self, request: Request, policy: RetryPolicy, budget: RetryBudget, *, renewable: bool
    ) -> None:
        self._request = request
        self._policy = policy
        self._budget = budget
        self._renewable = renewable
        self._seen: Counter[Meaning] = Counter()
        self._tries = policy.attempts
        self._meaning = Meaning.PERMANENT

    def should_retry(self, state: RetryCallState) -> bool:
        """Check whether the last failure is worth another attempt. tenacity's `retry`."""
        error = _error(state)
        if error is None:
            return False
        self._meaning, tries = classify(error)
        self._seen[self._meaning] += 1
        if tries is not None:
            self._tries = min(self._tries, tries)
        self._report_doubt(error)
        return may_repeat(self._meaning, self._request.replay) and self._has_tries(error)

    def _report_doubt(self, error: AppsApiError) -> None:
        """Report a failure that leaves open whether the request was carried out."""
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
        return tries < self._tries and self._can_afford_it()

    def _can_afford_it(self) -> bool:
        if self._budget.take():
            return True
        self._give_up(_BROKE)
        return False

    def _give_up(self, reason: str) -> None:
        if (calls := current_call_log.get()) is not None:
            calls.gave_up(reason)
        log.warning("%s: not retried: %s", self._request, reason)

    def pause(self, state: RetryCallState) -> float:
        """Return the seconds to wait: full jitter, at least `Retry-After`. tenacity's `wait`."""
        error = _error(state)
        requested = _requested_wait(error) if error is not None else None
        if self._meaning is Meaning.TOKEN or (requested and self._meaning is Meaning.RATE_LIMITED):
            return 0.0  # the login is shared, and so is the gate that the throttle has closed
        ceiling = min(self._policy.base * 2.0 ** (self._seen[self._meaning] - 1), self._policy.cap)
        return max(random.uniform(0.0, ceiling), requested or 0.0)  # noqa: S311 - not for secrets

    def is_too_late(self, state: RetryCallState) -> bool:
        """Check whether the pause would end after the deadline. tenacity's `stop`."""
        error = _error(state)
        if error is None:
            return False
        # The server's `Retry-After` counts, even where the call waits for it at the gate.
        pause = max(state.upcoming_sleep, _requested_wait(error) or 0.0)
        if loop_time() + pause < anyio.current_effective_deadline():
            return False
        raise DeadlineError(
            f"No time for another attempt before the deadline. The last one: {error}",
            last=error.detached(),
        ) from None

    def log_retry(self, state: RetryCallState) -> None:
        """Report and log that the call is retried. tenacity's `before_sleep`."""
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
    budget: RetryBudget,
    *,
    renewable: bool,
    sleep: Sleep = anyio.sleep,
) -> T:
    """Go on after a first failure, as long as retries are allowed, useful and in time.

    Raises the last failure, or DeadlineError where there was no time for another attempt.
    """
    played_back = False

    async def play_back_then_attempt() -> T:
        nonlocal played_back
        if not played_back:
            played_back = True
            raise first
        return await attempt()

    call = _FailingCall(request, policy, budget, renewable=renewable)
    retrying = AsyncRetrying(
        retry=call.should_retry,
        wait=call.pause,
        stop=call.is_too_late,
        before_sleep=call.log_retry,
        sleep=sleep,
        reraise=True,
    )
    return await retrying(play_back_then_attempt)
