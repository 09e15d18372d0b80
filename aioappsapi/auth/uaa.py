"""The platform's UAA: found through the API's root, asked for tokens.

Source: https://docs.cloudfoundry.org/api/uaa/#token and RFC 6749, sections 4 and 5.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec
from oauthlib.oauth2 import OAuth2Error
from oauthlib.oauth2.rfc6749.parameters import parse_token_response

from aioappsapi.auth.base import Token, jwt_expiry
from aioappsapi.errors import (
    AppsApiError,
    AuthError,
    CertificateError,
    ConnectError,
    TargetError,
    TransportError,
)
from aioappsapi.models.root import Root


class Answer(Protocol):
    """What the network brings, as far as a login looks at it."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def body(self) -> bytes:
        """The body, whatever it is."""
        ...


class Send(Protocol):
    """Carries one request. Raises TransportError."""

    async def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """Send once."""
        ...


_WORD: Final = re.compile(r"[!-~]+")
_ROOT: Final = msgspec.json.Decoder(Root)


class Uaa:
    """The token endpoint of the platform behind an API."""

    def __init__(self, api_url: str, send: Send, *, allow_plain: bool = False) -> None:
        self._api_url = api_url
        self._send = send
        self._allow_plain = allow_plain
        self._url: str | None = None

    async def discover(self) -> str:
        """Find the UAA's address in the API's root; asked once, then remembered.

        Raises TargetError if the address is not a Cloud Foundry API, TransportError if nobody
        answers, AuthError if the platform has no UAA or one without TLS behind an API with it.
        """
        if self._url is None:
            links = (await self._root_for_login()).links
            link = links.uaa or links.login
            if link is None or not link.href:
                raise AuthError(f"{self._api_url} names no UAA to log in at.")
            self._url = self._checked(link.href.rstrip("/"))
        return self._url

    async def _root_for_login(self) -> Root:
        try:
            return await self.read_root()
        except TransportError as cause:
            if not cause.delivered:
                raise
            # What the caller wants to send has not been sent, whatever became of this.
            raise ConnectError(str(cause), method=cause.method, url=cause.url) from cause

    async def read_root(self) -> Root:
        """Read the API's root, which needs no token. Raises TargetError, TransportError."""
        answer = await self._send("GET", f"{self._api_url}/", {}, None)
        try:
            if answer.status == 200 and _is_api(root := _ROOT.decode(answer.body)):
                return root
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        if answer.status >= 500 or answer.status == 429:
            raise ConnectError(  # not delivered: there is no API behind it at the moment
                f"GET {self._api_url}/: the API's root answered {answer.status}",
                method="GET",
                url=self._api_url,
            )
        said = str(answer.status) if answer.status != 200 else "without its list of links"
        raise TargetError(
            f"{self._api_url} is not a Cloud Foundry API: its root answered {said}; "
            "the address is the one that `cf api` shows, like https://api.example.org."
        )

    def _checked(self, url: str) -> str:
        try:
            scheme = urlsplit(url).scheme
        except ValueError:
            raise AuthError(f"{self._api_url} names a UAA at no usable address.") from None
        if scheme == "https" or urlsplit(self._api_url).scheme != "https" or self._allow_plain:
            return url
        raise AuthError(f"The UAA is at {url}, without TLS: no password is sent there.")

    async def grant(
        self, form: str, *, client_id: str, client_secret: str, query: str = ""
    ) -> Token:
        """Ask for a token. Raises AuthError; `refused` in it says whether the UAA said no."""
        url = f"{await self.discover()}/oauth/token" + (f"?{query}" if query else "")
        basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        headers = {
            "Authorization": f"Basic {basic}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        asked_at = time.monotonic()
        try:
            answer = await self._send("POST", url, headers, form.encode())
        except TransportError as cause:
            final = isinstance(cause, CertificateError)
            raise AuthError(f"The UAA cannot be asked: {cause}", refused=final) from cause
        return read_token(answer, asked_at)


def _is_api(root: Root) -> bool:
    """Tell it from other JSON with links, such as that of a page below the root."""
    links = root.links
    return any(link is not None for link in (links.cloud_controller_v3, links.uaa, links.login))


def _one_word(value: object) -> str:
    """Check a token, which has to fit into a header. Raises ValueError."""
    if isinstance(value, str) and _WORD.fullmatch(value):
        return value
    raise ValueError


# Whatever oauthlib and the conversions raise for a body that is no token.
_NO_TOKEN: Final = (
    OAuth2Error,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    ArithmeticError,
    RecursionError,
    Warning,
)


class _Refusal(msgspec.Struct, frozen=True):
    error: str
    error_description: str = ""


def read_token(answer: Answer, asked_at: float) -> Token:
    """Read a token out of the UAA's answer, or raise the AuthError that it is."""
    if answer.status != 200:
        raise _refusal(answer)
    try:
        fields = parse_token_response(answer.body.decode())
        access = _one_word(fields["access_token"])
        refresh = fields.get("refresh_token")
        lifetime = fields.get("expires_in")
        return Token(
            access_token=access,
            token_type="bearer",
            refresh_token=_one_word(refresh) if refresh else None,
            issued_at=asked_at,
            expires_at=jwt_expiry(access) if lifetime is None else asked_at + float(lifetime),
        )
    except _NO_TOKEN:
        raise AuthError(
            "The UAA answered 200 with something that is no token.",
            refused=False,
            status=answer.status,
        ) from None


def _refusal(answer: Answer) -> AppsApiError:
    status = answer.status
    refused = 400 <= status < 500 and status not in {408, 429}
    try:
        said = msgspec.json.decode(answer.body, type=_Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return AuthError(f"The UAA answered {status}.", refused=refused, status=status)
    text = " ".join(f"{said.error}: {said.error_description}".split())[:300]
    if refused:
        message = f"The login was refused by the UAA: {status} {text}"
    else:
        message = f"The UAA cannot log in now: {status} {text}"
    return AuthError(message, refused=refused, error=said.error, status=status)
