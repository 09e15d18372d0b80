"""What a login is: something that obtains tokens from the platform's UAA.

Source: RFC 6749; https://docs.cloudfoundry.org/api/uaa/#token
"""

from __future__ import annotations

import base64
import binascii
import time
from typing import Protocol

import msgspec


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An access token. `expires_at` is in seconds of `time.monotonic`; None: not known."""

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
        """Tell whether it is good for that long yet."""
        return self.expires_at is None or time.monotonic() + seconds < self.expires_at


class TokenEndpoint(Protocol):
    """The UAA, as far as a login needs it."""

    async def grant(
        self, form: str, *, client_id: str, client_secret: str, query: str = ""
    ) -> Token:
        """Ask for a token with a form-encoded body. Raises AuthError."""
        ...


class Auth(Protocol):
    """A way to log in. `renewable` says whether asking again can give another token."""

    @property
    def renewable(self) -> bool:
        """Whether a new token can be had when this one ends."""
        ...

    async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
        """Get a token; `previous` is the one that ended or was rejected. Raises AuthError."""
        ...


class Claims(msgspec.Struct, frozen=True):
    """What a token says of itself: when it ends (epoch seconds), whose it is, what it may do."""

    exp: float | None = None
    user_id: str | None = None
    scope: tuple[str, ...] = ()


def read_claims(token: str) -> Claims | None:
    """Read what a JWT says; None if it is none.

    The signature is not checked: that is the server's business. Source: RFC 7519, section 4.
    """
    try:
        payload = token.split(".")[1]
        raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return msgspec.json.decode(raw, type=Claims)
    except (IndexError, binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return None


def jwt_expiry(token: str) -> float | None:
    """Tell when a JWT ends, in seconds of `time.monotonic`; None if it does not say."""
    claims = read_claims(token)
    if claims is None or claims.exp is None:
        return None
    return time.monotonic() + claims.exp - time.time()
