"""The ways to log in at a UAA.

oauthlib writes the bodies; this module decides when to refresh and when to log in again.
Source: https://docs.cloudfoundry.org/api/uaa/#token and RFC 6749, RFC 7523.
"""

from __future__ import annotations

import copy
import inspect
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlencode

import msgspec
from oauthlib.oauth2 import BackendApplicationClient, Client, LegacyApplicationClient
from oauthlib.oauth2.rfc6749.parameters import prepare_token_request

from aioappsapi.auth.base import Token, TokenEndpoint, jwt_expiry
from aioappsapi.errors import AuthError, InvalidInputError

# The public client of the cf command, which every installation has.
_CF: Final = "cf"
_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"

log = logging.getLogger("aioappsapi.auth")

Persist = Callable[[str], Awaitable[None] | None]


def _given(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidInputError(f"{what} is empty.")
    return _text(value, what)


def _text(value: str, what: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate, from a variable with bytes that are not UTF-8
        raise InvalidInputError(f"{what} is not UTF-8.") from None
    return value


def _is_only_prefix(token: str) -> bool:
    return token.lower() in {"", "bearer"}


class StaticToken:
    """An access token that you already have, with or without the prefix ``bearer``.

    It cannot be renewed: when it ends, calls raise UnauthorizedError. Raises InvalidInputError for
    a text that is not a token.
    """

    renewable = False

    def __init__(self, access_token: str) -> None:
        kind, _, rest = _given(access_token, "The access token").strip().rpartition(" ")
        if kind.lower() not in {"", "bearer"} or not rest.isprintable() or _is_only_prefix(rest):
            raise InvalidInputError(
                "An access token must be one word, with or without 'bearer' before it."
            )
        self.token = Token(access_token=rest, expires_at=jwt_expiry(rest))

    def __repr__(self) -> str:
        return "StaticToken(...)"

    async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
        """Return the token; nothing is sent."""
        del endpoint, previous
        return self.token


class _Grant(ABC):
    """A login that a client of the UAA makes, with its id and secret."""

    renewable = True

    def __init__(self, client_id: str, client_secret: str) -> None:
        self._client_id = _given(client_id, "The client's id")
        self._client_secret = _text(client_secret, "The client's secret")
        self._refused: AuthError | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(client_id={self._client_id!r}, ...)"

    @abstractmethod
    async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
        """Return a new token. Raises AuthError."""

    async def _ask(self, endpoint: TokenEndpoint, form: str, query: str = "") -> Token:
        return await endpoint.grant(
            form, client_id=self._client_id, client_secret=self._client_secret, query=query
        )

    async def _ask_unless_refused(
        self, endpoint: TokenEndpoint, form: str, query: str = ""
    ) -> Token:
        """Send a credential. If the UAA refused it before, raise that refusal and send nothing."""
        if self._refused is not None:
            raise copy.copy(self._refused)
        try:
            return await self._ask(endpoint, form, query)
        except AuthError as error:
            if error.refused and error.status:  # by the UAA, and not by a check of this library
                self._refused = copy.copy(error).detached()
            raise

    async def _refresh(self, endpoint: TokenEndpoint, refresh_token: str) -> Token:
        form = Client(self._client_id).prepare_refresh_body(refresh_token=refresh_token)
        token = await self._ask(endpoint, form)
        # Many answers have no new refresh token; then the old one stays valid.
        return msgspec.structs.replace(token, refresh_token=token.refresh_token or refresh_token)


class ClientCredentials(_Grant):
    """A client of the UAA that acts for itself, without a user.

    There is no refresh token: when the token ends, the client logs in again.
    Source: RFC 6749, section 4.4.
    """

    def __init__(self, client_id: str, client_secret: str) -> None:
        super().__init__(client_id, client_secret)

    async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
        """Return a new token. Raises AuthError."""
        del previous
        form = BackendApplicationClient(self._client_id).prepare_request_body()
        return await self._ask(endpoint, form)


class PasswordGrant(_Grant):
    """A user's name and password.

    `origin` names the identity provider, e.g. ``ldap``. A refused password counts towards locking
    the account, so it is never sent again: make a new PasswordGrant with the right one.
    Source: RFC 6749, section 4.3.
    """

    def __init__(
        self,
        username: str,
        password: str,
        *,
        origin: str | None = None,
        client_id: str = _CF,
        client_secret: str = "",
    ) -> None:
        super().__init__(client_id, client_secret)
        self._username = _given(username, "The user's name")
        self._password = _given(password, "The password")
        self._query = urlencode({"login_hint": json.dumps({"origin": origin})}) if origin else ""

    def __repr__(self) -> str:
        return f"PasswordGrant({self._username!r}, ...)"

    async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
        """Refresh the token if possible, else log in with the password. Raises AuthError."""
        if previous is not None and previous.refresh_token:
            try:
                return await self._refresh(endpoint, previous.refresh_token)
            except AuthError as error:
                if not error.refused:
                    raise
        return await self._log_in(endpoint)

    async def _log_in(self, endpoint: TokenEndpoint) -> Token:
        form = LegacyApplicationClient(self._client_id).prepare_request_body(
            username=self._username, password=self._password
        )
        return await self._ask_unless_refused(endpoint, form, self._query)


class RefreshToken(_Grant):
    """A refresh token that you already have.

    A UAA may replace it with every renewal and revoke the old one. `on_rotate`, a function or a
    coroutine function, is called with each new one, so that you can store it. If it raises, the
    failure is logged and the new refresh token is kept in memory.
    Source: RFC 6749, section 6.
    """

    def __init__(
        self,
        refresh_token: str,
        *,
        on_rotate: Persist | None = None,
        client_id: str = _CF,
        client_secret: str = "",
    ) -> None:
        super().__init__(client_id, client_secret)
        self._newest = _given(refresh_token, "The refresh token")
        self._on_rotate = on_rotate

    async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
        """Refresh with the newest refresh token. Raises AuthError."""
        del previous
        token = await self._refresh(endpoint, self._newest)
        if token.refresh_token and token.refresh_token != self._newest:
            self._newest = token.refresh_token
            await self._report_rotation(self._newest)
        return token

    async def _report_rotation(self, refresh_token: str) -> None:
        if self._on_rotate is None:
            return
        try:
            result = self._on_rotate(refresh_token)
            if inspect.isawaitable(result):
                await result
        except Exception as failure:  # noqa: BLE001 - a user's callback may raise anything
            # Not its text, which may quote the token.
            log.error(  # noqa: TRY400 - the traceback may quote it too
                "on_rotate failed with %s. The new refresh token is kept in memory only; if this "
                "process ends, log in again.",
                type(failure).__name__,
            )


class _OneTime(_Grant):
    """A credential that works once. After that, only the refresh token does."""

    async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
        """Log in the first time and refresh from then on. Raises AuthError."""
        if previous is None:
            return await self._ask_unless_refused(endpoint, self._form())
        if previous.refresh_token:
            return await self._refresh(endpoint, previous.refresh_token)
        raise AuthError(
            f"A {type(self).__name__} works once, and the UAA gave no refresh token with it: log "
            "in again with a new one."
        )

    @abstractmethod
    def _form(self) -> str: ...


class Passcode(_OneTime):
    """A one-time code, which a user gets from ``/passcode`` of the login page.

    It works once; from then on the refresh token is used.
    """

    def __init__(self, passcode: str, *, client_id: str = _CF, client_secret: str = "") -> None:
        super().__init__(client_id, client_secret)
        self._passcode = _given(passcode, "The passcode")

    def _form(self) -> str:
        return str(prepare_token_request("password", passcode=self._passcode))


class JwtBearer(_OneTime):
    """A JWT of an identity provider that the UAA trusts.

    It is sent once; from then on the refresh token is used. Source: RFC 7523.
    """

    def __init__(self, assertion: str, *, client_id: str = _CF, client_secret: str = "") -> None:
        super().__init__(client_id, client_secret)
        self._assertion = _given(assertion, "The assertion")

    def _form(self) -> str:
        return str(prepare_token_request(_JWT_BEARER, assertion=self._assertion))
