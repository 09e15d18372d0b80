"""The interface of a login: it obtains tokens from the platform's UAA.

Source: RFC 6749; https://docs.cloudfoundry.org/api/uaa/#token
"""

from __future__ import annotations

import base64
import binascii
import time
from typing import Protocol

import msgspec


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An access token.

    `issued_at` and `expires_at` are in seconds of `time.monotonic`; `expires_at` is None if the end
    is unknown. The repr shows no secret.
    """

    access_token: str
    token_type: str = "bearer"
    refresh_token: str | None = None
    issued_at: float = 0.0
    expires_at: float | None = None

    def __repr__(self) -> str:
        return f"<Token expires_at={self.expires_at}>"

    @property
    def authorization(self) -> str:
        """The value of the `Authorization` header."""
        return f"{self.token_type} {self.access_token}"

    def lasts(self, seconds: float) -> bool:
        """Check whether the token lives for that many seconds from now."""
        return self.expires_at is None or time.monotonic() + seconds < self.expires_at


class TokenEndpoint(Protocol):
    """The UAA's token endpoint, which a login sends its form to."""

    async def grant(
        self, form: str, *, client_id: str, client_secret: str, query: str = ""
    ) -> Token:
        """Ask for a token with a form-encoded body.

        Raises AuthError, TargetError, or a TransportError that was not delivered.
        """
        ...


class Auth(Protocol):
    """A way to log in. Write your own with these two members, and pass it as `auth=`.

    `obtain` is never called twice at the same time by one client.
    """

    @property
    def renewable(self) -> bool:
        """Whether `obtain` can return another token after the first one ended."""
        ...

    async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
        """Return a token. `previous` is the token that ends soon or was rejected, or None.

        Raises AuthError; with `refused=False` the login is tried again after a pause.
        """
        ...


class Claims(msgspec.Struct, frozen=True):
    """The claims of a JWT that are of use here: its end (epoch seconds), its owner, its scopes.

    A client of the UAA that acts for itself has a `client_id` and no user.
    """

    exp: float | None = None
    user_id: str | None = None
    user_name: str | None = None
    client_id: str | None = None
    scope: tuple[str, ...] = ()


def read_claims(token: str) -> Claims | None:
    """Return the claims of a JWT, or None for a token that is not a JWT.

    The signature is not checked; the server does that. Source: RFC 7519, section 4.
    """
    try:
        payload = token.split(".")[1]
        raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return msgspec.json.decode(raw, type=Claims)
    except (IndexError, binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return None


def jwt_expiry(token: str) -> float | None:
    """Return when a JWT ends, in seconds of `time.monotonic`, or None if it does not say."""
    claims = read_claims(token)
    if claims is None or claims.exp is None:
        return None
    return time.monotonic() + claims.exp - time.time()
