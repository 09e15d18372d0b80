"""The platform's UAA, found through the API's root, and its token endpoint.

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

from aioappsapi._headers import retry_after
from aioappsapi.auth.base import Token, jwt_expiry
from aioappsapi.errors import (
    AuthError,
    CertificateError,
    ClosedError,
    ConnectError,
    TargetError,
    TransportError,
)
from aioappsapi.models.root import Root


class Answer(Protocol):
    """The parts of an HTTP answer that a login reads."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, looked up without regard to case."""
        ...

    @property
    def body(self) -> bytes:
        """The body, of any type."""
        ...


class Send(Protocol):
    """Sends one request. Raises TransportError."""

    async def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """Send once, without following or repeating anything."""
        ...


_WORD: Final = re.compile(r"[!-~]+")
_ROOT: Final = msgspec.json.Decoder(Root)


class Uaa:
    """The token endpoint of the platform behind an API.

    `allow_plain` accepts a UAA without TLS behind an API with TLS.
    """

    def __init__(self, api_url: str, send: Send, *, allow_plain: bool = False) -> None:
        self._api_url = api_url
        self._send = send
        self._allow_plain = allow_plain
        self._url: str | None = None

    async def discover(self) -> str:
        """Return the UAA's address from the API's root. It is read once, then remembered.

        Raises TargetError if the address is not a Cloud Foundry API, TransportError if there is no
        answer, AuthError if the API names no UAA, or one without TLS although it has TLS itself.
        """
        if self._url is None:
            links = (await self._root_for_login()).links
            link = links.uaa or links.login
            if link is None or not link.href:
                raise AuthError(
                    f"{self._api_url} names no UAA to log in at: pass a StaticToken, or set "
                    "CF_ACCESS_TOKEN."
                )
            self._url = self._checked(link.href.rstrip("/"))
        return self._url

    async def _root_for_login(self) -> Root:
        try:
            return await self.read_root()
        except TransportError as cause:
            if not cause.delivered:
                raise
            # The caller's own request waits for the login: it was surely not delivered.
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
            raise ConnectError(  # not delivered: the router has no API at the moment
                f"GET {self._api_url}/: the API's root answered {answer.status}",
                method="GET",
                url=self._api_url,
            )
        answered = str(answer.status) if answer.status != 200 else "without its list of links"
        raise TargetError(
            f"{self._api_url} is not a Cloud Foundry API: its root answered {answered}. "
            "Use the address that `cf api` shows, like https://api.example.org."
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
        """Ask for a token with a form-encoded body.

        Raises AuthError. Its `refused` says whether the UAA refused the credentials, and its
        `retry_after` how long the UAA asks to wait.
        """
        url = f"{await self.discover()}/oauth/token" + (f"?{query}" if query else "")
        basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        headers = {
            "Authorization": f"Basic {basic}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        asked_at = time.monotonic()
        try:
            answer = await self._send("POST", url, headers, form.encode())
        except ClosedError:
            raise
        except TransportError as cause:
            final = isinstance(cause, CertificateError)
            raise AuthError(f"No token from the UAA. {cause}", refused=final) from cause
        return read_token(answer, asked_at)


def _is_api(root: Root) -> bool:
    """Check whether JSON is the API's root, and not another page with links."""
    links = root.links
    return any(link is not None for link in (links.cloud_controller_v3, links.uaa, links.login))


def _one_word(value: object) -> str:
    """Return a token that fits into a header. Raises ValueError for anything else."""
    if isinstance(value, str) and _WORD.fullmatch(value):
        return value
    raise ValueError


# The exceptions of oauthlib and of conversions for a body that is not a token.
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
    """Read the token in the UAA's answer. Raises AuthError if there is none."""
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
            "The UAA answered 200, but not with a token.", refused=False, status=answer.status
        ) from None


def _refusal(answer: Answer) -> AuthError:
    status = answer.status
    refused = 400 <= status < 500 and status not in {408, 429}
    try:
        answered = msgspec.json.decode(answer.body, type=_Refusal)
        code, text = answered.error, _one_line(f"{answered.error}: {answered.error_description}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        code, text = None, ""
    happened = "The login was refused by the UAA" if refused else "The UAA cannot log in now"
    return AuthError(
        f"{happened}: {status} {text}".rstrip(),
        refused=refused,
        error=code,
        status=status,
        retry_after=None if refused else retry_after(answer.headers),
    )


def _one_line(text: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:300]
