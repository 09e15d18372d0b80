"""The token that all calls of a client share, and its renewal.

current() ── fresh ──────────────────────────────────────────────▶ header
    └─ none: get() ─▶ no pause: join the renewal under way, or begin it
                          ├─ a token: the pauses start again at the shortest
                          └─ a failure: the next pause begins, for all callers
                      a pause: wait for its end, or raise the failure that began it
"""

from __future__ import annotations

import asyncio
import copy
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Final, TypeVar

import anyio

from aioappsapi.auth.base import Auth, Claims, Token, TokenEndpoint, read_claims
from aioappsapi.errors import (
    AppsApiError,
    AuthError,
    CertificateError,
    ClosedError,
    DeadlineError,
    TargetError,
)

T = TypeVar("T")

# A token is renewed this long before it ends: the server counts a request with an expired token
# against our address.
_MARGIN: Final = 60.0
# While the UAA fails, the old token is used until this long before it ends.
_LAST_USE: Final = 10.0
# The pauses after failed logins double from the first to the longest.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0
# Callers wait while the UAA has been away for less than this many seconds. After that they get its
# error at once, until a login succeeds. A login that never worked gets less time: it is probably
# wrong.
_PATIENCE: Final = 60.0
_PATIENCE_AT_FIRST: Final = 10.0
# A login gives up this long before the deadline. So the caller still gets the login's own error.
_LEAD: Final = 0.02

log = logging.getLogger("aioappsapi.auth")


class TokenSource:
    """Returns the current token, and renews it once for all callers.

    A renewal is a task of its own: cancelling one caller does not fail the others. After a failed
    renewal all callers share one pause, which grows with each failure and obeys the UAA's
    `Retry-After`. So the UAA gets one request per pause, for any number of waiting calls. A UAA
    that is away for up to a minute fails no call of a client that was logged in before.
    """

    def __init__(
        self, auth: Auth, endpoint: TokenEndpoint, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._auth = auth
        self._endpoint = endpoint
        self._clock = clock
        self._pause = _SharedPause()
        self._renewal: asyncio.Task[AppsApiError | None] | None = None
        self._token: Token | None = None
        self._authorization = ""
        self._fresh_until = 0.0
        self._usable_until = 0.0

    @property
    def renewable(self) -> bool:
        """Whether a rejected token can be replaced by another one."""
        return self._auth.renewable

    def current(self) -> str | None:
        """Return the `Authorization` header of a fresh token, or None if it must be renewed."""
        # fast path: synchronous, except for the first call and one call per token.
        return self._authorization if self._clock() < self._fresh_until else None

    async def get(self) -> str:
        """Return the `Authorization` header; log in or renew the token first if necessary.

        Obeys the deadline of the anyio scope that it is called in. Raises AuthError, TargetError,
        TransportError (never delivered), or DeadlineError; in every case the caller's own request
        was not sent.
        """
        while (authorization := self.current()) is None:
            failure = self._pause.reason()
            if failure is not None:
                await self._wait(failure)
            elif (failure := await self._join_renewal()) is not None and (
                # A login that never worked fails its callers, and the call layer tries again. One
                # that worked before is waited for, unless the client was closed.
                self._token is None or isinstance(failure, ClosedError)
            ):
                raise _own(failure)
        return authorization

    def reject(self, authorization: str) -> None:
        """Forget a token that the server rejected with 401, so that `get` replaces it.

        Harmless for a token that has been replaced meanwhile, and for one that cannot be renewed.
        """
        if authorization == self._authorization and self._auth.renewable:
            self._fresh_until = self._usable_until = 0.0

    async def claims(self) -> Claims | None:
        """Return the claims of the current token, or None if they cannot be read.

        Raises the errors of `get`.
        """
        return read_claims((await self.get()).partition(" ")[2])

    async def aclose(self) -> None:
        """End a renewal that is under way. Its callers get a ClosedError."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])
        self._pause.end()

    async def _wait(self, failure: AppsApiError) -> None:
        patience = _PATIENCE_AT_FIRST if self._token is None else _PATIENCE
        if _is_final(failure) or self._pause.outlasts(patience):
            raise failure
        pause = self._pause.left()
        if asyncio.get_running_loop().time() + pause >= anyio.current_effective_deadline():
            raise _too_late(failure)
        await asyncio.sleep(pause)

    async def _join_renewal(self) -> AppsApiError | None:
        if self._renewal is not None:
            _require_same_loop(self._renewal)
        else:
            # In an empty context: the login belongs to no call, so no call may count it.
            self._renewal = asyncio.create_task(
                self._renew(), name="aioappsapi login", context=Context()
            )
            self._renewal.add_done_callback(self._renewed)
        return await _before_deadline(self._shielded(self._renewal))

    @staticmethod
    async def _shielded(renewal: asyncio.Task[AppsApiError | None]) -> AppsApiError | None:
        try:
            return await asyncio.shield(renewal)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if renewal.cancelled() and task is not None and not task.cancelling():
                raise ClosedError("The client was closed during the login.") from None
            raise

    async def _renew(self) -> AppsApiError | None:
        """Log in. A failure is returned, since every caller raises a copy of its own."""
        try:
            token = await self._auth.obtain(self._endpoint, self._token)
        except AppsApiError as failure:
            self._keep_old_token(self._pause.begin(failure), failure)
            return failure
        self._pause.end()
        self._token = token
        self._authorization = token.authorization
        self._fresh_until, self._usable_until = self._lifetime(token)
        return None

    def _keep_old_token(self, pause: float, failure: AppsApiError) -> None:
        """Keep a token that is due for renewal but still valid."""
        self._fresh_until = min(self._clock() + pause, self._usable_until)
        if self.current() is not None:
            log.warning("The token is not renewed yet; the old one is used. %s", failure)

    def _lifetime(self, token: Token) -> tuple[float, float]:
        """Return the times until which the token is fresh, and until which it may be used."""
        if token.expires_at is None or not self._auth.renewable:
            return math.inf, math.inf
        now = self._clock()
        lifetime = token.expires_at - now
        if lifetime <= 0:
            # Use it once: the server's refusal shows that it has ended.
            return now + 1.0, now + 1.0
        # A token with a lifetime below the margin is fresh for half of it; otherwise each call
        # would log in.
        fresh, usable = min(_MARGIN, lifetime / 2), min(_LAST_USE, lifetime / 4)
        return token.expires_at - fresh, token.expires_at - usable

    def _renewed(self, renewal: asyncio.Task[AppsApiError | None]) -> None:
        self._renewal = None
        if not renewal.cancelled():
            renewal.exception()  # marks it as retrieved, in case no caller waits any more


class _SharedPause:
    """The pause after failed logins, by the clock of the event loop."""

    def __init__(self) -> None:
        self._failures = 0
        self._began = 0.0
        self._until = 0.0
        self._failure: AppsApiError | None = None

    def left(self) -> float:
        """Return the seconds until the next login may be sent."""
        return self._until - asyncio.get_running_loop().time()

    def reason(self) -> AppsApiError | None:
        """Return a copy of the failure that began the pause, for one caller; None without one."""
        if self._failure is None or (left := self.left()) <= 0.0:
            return None
        failure = _own(self._failure)
        if isinstance(failure, AuthError):
            failure.retry_after = left
        return failure

    def outlasts(self, patience: float) -> bool:
        """Check whether the pause ends more than `patience` seconds after the first failure."""
        return self._until > self._began + patience

    def begin(self, failure: AppsApiError) -> float:
        """Begin the next pause and return its seconds. A closed client is not the UAA's failure."""
        if isinstance(failure, ClosedError):
            return 0.0
        now = asyncio.get_running_loop().time()
        if self._failures == 0 or now > self._until + _PATIENCE:  # the last one is long ago
            self._failures, self._began = 0, now
        ceiling = min(_FIRST_PAUSE * 2.0 ** min(self._failures, 10), _LONGEST_PAUSE)
        asked = getattr(failure, "retry_after", None) or 0.0
        # A random time from the upper half: other clients of the same UAA pause too, and they
        # should not all return at the same moment.
        pause = max(random.uniform(ceiling / 2, ceiling), asked)  # noqa: S311
        self._failures += 1
        self._until = now + pause
        self._failure = failure
        return pause

    def end(self) -> None:
        """Forget all failures."""
        self._failures = 0
        self._failure = None


def _is_final(failure: AppsApiError) -> bool:
    """Check whether waiting is useless: the credentials, address or certificate is wrong."""
    refused = isinstance(failure, AuthError) and failure.refused
    return refused or isinstance(failure, TargetError | CertificateError)


def _require_same_loop(renewal: asyncio.Task[AppsApiError | None]) -> None:
    if renewal.get_loop() is not asyncio.get_running_loop():
        raise ClosedError(
            "The client logs in on another event loop: make one client for each event loop."
        )


def _own(failure: AppsApiError) -> AppsApiError:
    """Copy an error for one caller: a shared one would collect the tracebacks of all."""
    return copy.copy(failure).detached()


def _too_late(failure: AppsApiError) -> DeadlineError:
    return DeadlineError(
        f"No token before the deadline, so the request was not sent. The last login: {failure}",
        last=failure,
    )


async def _before_deadline(login: Awaitable[T]) -> T:
    """Await a login until shortly before the deadline of the current scope."""
    deadline = anyio.current_effective_deadline() - _LEAD
    if not asyncio.get_running_loop().time() < deadline < math.inf:
        return await login
    try:
        async with asyncio.timeout_at(deadline):
            return await login
    except TimeoutError:
        raise DeadlineError(
            "No token before the deadline, so the request was not sent: the login server has not "
            "answered yet."
        ) from None
