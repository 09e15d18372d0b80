"""The one token that everybody uses, renewed once for all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from aioappsapi.auth.base import Auth, Claims, Token, TokenEndpoint, read_claims
from aioappsapi.errors import ClosedError

# Renewed this long before it ends: a request on its way must not meet an expired token, which
# the server counts against our address.
_MARGIN: Final = 60.0


class TokenSource:
    """Hands out the current token, and sees to it that one renewal serves all callers.

    The renewal is a task of its own, so that cancelling one caller does not fail the others. A
    failed one is told to those who waited for it and then forgotten.
    """

    def __init__(
        self, auth: Auth, endpoint: TokenEndpoint, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._auth = auth
        self._endpoint = endpoint
        self._clock = clock
        self._token: Token | None = None
        self._authorization = ""
        self._fresh_until = 0.0
        self._renewal: asyncio.Task[None] | None = None

    @property
    def renewable(self) -> bool:
        """Whether a rejected token can be replaced."""
        return self._auth.renewable

    def current(self) -> str | None:
        """Give the `Authorization` header of a token that is good for a while yet, or None."""
        # fast path: synchronous, for all but the first call and one per token's life.
        return self._authorization if self._clock() < self._fresh_until else None

    async def get(self) -> str:
        """Give the `Authorization` header, renewing the token first if need be.

        Raises AuthError.
        """
        while (authorization := self.current()) is None:
            if self._renewal is None:
                self._renewal = asyncio.create_task(self._renew(), name="aioappsapi login")
                self._renewal.add_done_callback(self._renewed)
            await self._wait_for(self._renewal)
        return authorization

    async def claims(self) -> Claims | None:
        """Tell what the current token says of its owner; None if that cannot be read.

        Raises AuthError.
        """
        return read_claims((await self.get()).partition(" ")[2])

    async def _wait_for(self, renewal: asyncio.Task[None]) -> None:
        try:
            await asyncio.shield(renewal)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if renewal.cancelled() and task is not None and not task.cancelling():
                raise ClosedError("The client was closed during the login.") from None
            raise

    def reject(self, authorization: str) -> None:
        """Note that the server refused this one; a newer token that came meanwhile stays."""
        if authorization == self._authorization and self._auth.renewable:
            self._fresh_until = 0.0

    async def aclose(self) -> None:
        """End a renewal that is under way."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])

    async def _renew(self) -> None:
        token = await self._auth.obtain(self._endpoint, self._token)
        self._token = token
        self._authorization = token.authorization
        self._fresh_until = self._good_until(token)

    def _good_until(self, token: Token) -> float:
        if token.expires_at is None or not self._auth.renewable:
            return float("inf")
        now = self._clock()
        life = token.expires_at - now
        # A token that lives shorter than the margin is used for half its life, else each call
        # would log in; one that is over already is used once, so that the server can say so.
        return token.expires_at - min(_MARGIN, life / 2) if life > 0 else now + 1.0

    def _renewed(self, renewal: asyncio.Task[None]) -> None:
        self._renewal = None
        if not renewal.cancelled():
            renewal.exception()  # those who wait have it; when nobody does, it is no warning
