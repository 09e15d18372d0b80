"""Sending again what failed for a moment, with tenacity.

Entered only after a first failure, which is played back as the first attempt: a call that
succeeds at once pays nothing, and the first repetition backs off all the same. One `AsyncRetrying`
per failing call, never a shared one, whose counts would mix.
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
from aioappsapi._http.message import Request
from aioappsapi._http.response_errors import retry_after
from aioappsapi._http.retry.budget import RetryBudget
from aioappsapi._http.retry.policy import Meaning, classify, may_repeat
from aioappsapi.config import RetryPolicy
from aioappsapi.errors import AppsApiError, DeadlineError, RateLimitedError, ResponseError

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

_BROKE: Final = "so much has failed that the budget of repetitions is used up"
_CLOSED: Final = "the rate limit opens again in {:.0f} s, which is more than max_retry_after"

log = logging.getLogger("aioappsapi.retry")


class _Patience:
    """What one failing call has left: of tries, and of time."""

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

    def wants_more(self, state: RetryCallState) -> bool:
        """Tell whether the failure just seen is worth another try. tenacity's `retry`."""
        error = _error(state)
        if error is None:
            return False
        self._meaning, tries = classify(error)
        self._seen[self._meaning] += 1
        if tries is not None:
            self._tries = min(self._tries, tries)
        if self._meaning is Meaning.AMBIGUOUS and (record := current_call_log.get()) is not None:
            record.doubted(repeat_proves_nothing=self._request.repeat_proves_nothing)
        return may_repeat(self._meaning, self._request.replay) and self._has_tries(error)

    def _has_tries(self, error: AppsApiError) -> bool:
        if self._meaning is Meaning.TOKEN:
            return self._renewable and self._seen[Meaning.TOKEN] == 1
        wait = _said_wait(error) or 0.0
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
        if (record := current_call_log.get()) is not None:
            record.gave_up(reason)
        log.warning("%s: not repeated: %s", self._request, reason)

    def pause(self, state: RetryCallState) -> float:
        """Say how many seconds to wait: full jitter, or what was asked. tenacity's `wait`."""
        error = _error(state)
        asked = _said_wait(error) if error is not None else None
        if self._meaning is Meaning.TOKEN or (asked and self._meaning is Meaning.RATE_LIMITED):
            return 0.0  # the login is shared, and so is the gate that the throttle has closed
        ceiling = min(self._policy.base * 2.0 ** (self._seen[self._meaning] - 1), self._policy.cap)
        return max(random.uniform(0.0, ceiling), asked or 0.0)  # noqa: S311 - not for secrets

    def is_too_late(self, state: RetryCallState) -> bool:
        """Tell whether the pause would end after the deadline. tenacity's `stop`."""
        error = _error(state)
        if error is None:
            return False
        # What was asked counts even where the wait is the gate's and not this pause's.
        pause = max(state.upcoming_sleep, _said_wait(error) or 0.0)
        if loop_time() + pause < anyio.current_effective_deadline():
            return False
        raise DeadlineError(
            f"No time for another try before the deadline; the last one: {error}",
            last=error.detached(),
        ) from None

    def say(self, state: RetryCallState) -> None:
        """Note and log that the call is repeated. tenacity's `before_sleep`."""
        if (record := current_call_log.get()) is not None:
            record.repeated()
        log.info("repeating in %.2f s after: %s", state.upcoming_sleep, _error(state))


def _error(state: RetryCallState) -> AppsApiError | None:
    if state.outcome is None or not state.outcome.failed:
        return None
    error = state.outcome.exception()
    return error if isinstance(error, AppsApiError) else None


def _said_wait(error: AppsApiError) -> float | None:
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
    """Go on after a first failure, as long as it is allowed, of use, and in time.

    Raises the last failure, or DeadlineError where there was no time for another try.
    """
    played_back = False

    async def play_back_then_attempt() -> T:
        nonlocal played_back
        if not played_back:
            played_back = True
            raise first
        return await attempt()

    patience = _Patience(request, policy, budget, renewable=renewable)
    retrying = AsyncRetrying(
        retry=patience.wants_more,
        wait=patience.pause,
        stop=patience.is_too_late,
        before_sleep=patience.say,
        sleep=sleep,
        reraise=True,
    )
    return await retrying(play_back_then_attempt)
