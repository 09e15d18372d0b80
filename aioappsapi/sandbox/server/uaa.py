"""The UAA of the sandbox: it issues tokens, rotates refresh tokens and locks accounts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.errors import invalid_token, not_authenticated
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.api.views import UAA
from aioappsapi.sandbox.world.model import OAuthClient, User, guid
from aioappsapi.sandbox.world.state import World

JSON: Final = "application/json;charset=UTF-8"
_LOCKED: Final = "Your account has been locked because of too many failed attempts to login."
_MAX_FAILURES: Final = 5


class UaaError(Exception):
    """A refused login, as an OAuth error."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error

    def answer(self) -> Answer:
        """Return the error as a response."""
        fields = {"error": self.error, "error_description": str(self)}
        return Answer(self.status, json_text(fields), JSON, framed=False, headers=dict(_NO_STORE))


class Uaa:
    """Logins and tokens over the world's users and clients.

    `grants` counts the issued tokens by grant type. `passcodes` maps one-time passcodes to user
    names; a passcode works once.
    """

    def __init__(self, world: World, token_lifetime: float) -> None:
        self.token_lifetime = token_lifetime
        self._clock = world.clock
        self.grants: Counter[str] = Counter()
        self.passcodes: dict[str, str] = {}
        self._world = world
        self._key = hashlib.sha256(f"sandbox/{world.seed}".encode()).digest()
        self._access: dict[str, Token] = {}
        self._refresh: dict[tuple[str, str], User] = {}
        # A separate generator: logins must not change the GUIDs of later apps.
        self._rng = random.Random(f"{world.seed}/uaa")
        self._by_grant: dict[str, Callable[[Mapping[str, str]], User]] = {
            "password": self._user_by_password,
            "refresh_token": self._user_by_refresh,
            "urn:ietf:params:oauth:grant-type:jwt-bearer": self._user_by_assertion,
        }

    def check(self, authorization: str) -> Token:
        """Return the token in an Authorization header.

        Raises ApiError 401: NotAuthenticated without a bearer token, InvalidAuthToken for a token
        that is expired, revoked or foreign.
        """
        kind, _, text = authorization.partition(" ")
        if kind.lower() != "bearer" or not text:
            raise not_authenticated()
        token = self._access.get(text)
        if token is None or token.expires_at <= self._clock():
            raise invalid_token()
        return token

    def expire_tokens(self) -> None:
        """Expire every access token now. Refresh tokens stay valid."""
        self._access.clear()

    def expire(self, authorization: str) -> None:
        """Expire only the access token in an Authorization header."""
        self._access.pop(authorization.partition(" ")[2], None)

    def answer(
        self, method: str, path: str, base: str, authorization: str, query: str, body: bytes
    ) -> Answer:
        """Return the response to any request below /uaa."""
        try:
            if path == f"{UAA}/oauth/token":
                return self._token(method, base, authorization, _form(query, body))
            if method == "GET" and path in {f"{UAA}/info", f"{UAA}/login"}:
                return _ok(_server_info(base))
            if method == "GET" and path == f"{UAA}/userinfo":
                return _ok(self._user_info(authorization))
            if method == "GET" and path == f"{UAA}/passcode":
                return _ok(self._new_passcode(authorization))
        except UaaError as error:
            return error.answer()
        return Answer(404, '{"error":"not_found"}', JSON, framed=False)

    def _token(self, method: str, base: str, authorization: str, form: dict[str, str]) -> Answer:
        if method != "POST":
            raise UaaError(405, "method_not_allowed", f"Request method '{method}' not supported")
        client = self._client(authorization, form)
        grant = form.get("grant_type", "")
        if not grant:
            raise UaaError(400, "invalid_request", "Missing grant type")
        if grant not in client.grants:
            raise UaaError(401, "invalid_client", f"Unauthorized grant type: {grant}")
        form["client_id"] = client.name
        user = None if grant == "client_credentials" else self._by_grant[grant](form)
        self.grants[grant] += 1
        return _ok(self._issue(base, client, user))

    def _client(self, authorization: str, form: dict[str, str]) -> OAuthClient:
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization[:6].lower() == "basic ":
            name, secret = _basic(authorization[6:])
        if not name:
            text = "Full authentication is required to access this resource"
            raise UaaError(401, "unauthorized", text)
        client = self._world.clients.get(name)
        if client is None or not hmac.compare_digest(client.secret.encode(), secret.encode()):
            raise UaaError(401, "invalid_client", "Bad credentials")
        return client

    def _user_by_password(self, form: Mapping[str, str]) -> User:
        if "passcode" in form:
            name = self.passcodes.pop(form["passcode"], None)
            user = self._world.user_named(name) if name is not None else None
            if user is None:
                raise UaaError(401, "unauthorized", "Invalid passcode")
            return user
        user = self._world.user_named(form.get("username", ""))
        if user is not None and user.failed_logins >= _MAX_FAILURES:
            raise UaaError(401, "unauthorized", _LOCKED)
        if user is None or user.password != form.get("password", ""):
            if user is not None:
                user.failed_logins += 1
            raise UaaError(401, "unauthorized", "Bad credentials")
        user.failed_logins = 0
        return user

    def _user_by_refresh(self, form: Mapping[str, str]) -> User:
        text = form.get("refresh_token", "")
        if text in self._access:
            raise UaaError(400, "invalid_grant", "Invalid refresh token")
        user = self._refresh.pop((form["client_id"], text), None)
        if user is None:
            description = "The token expired, was revoked, or the token ID is incorrect."
            raise UaaError(401, "invalid_token", description)
        return user

    def _user_by_assertion(self, form: Mapping[str, str]) -> User:
        token = self._access.get(form.get("assertion", ""))
        if token is None or token.user is None or token.expires_at <= self._clock():
            raise UaaError(401, "invalid_token", "Invalid assertion")
        return token.user

    def _issue(self, base: str, client: OAuthClient, user: User | None) -> dict[str, object]:
        self._forget_expired()
        scopes = client.scopes if user is None else user.scopes
        number = guid(self._rng)
        expires_at = self._clock() + self.token_lifetime
        claims = self._claims(base, client, user, scopes) | {"jti": number, "exp": int(expires_at)}
        access = self._signed(claims)
        user_guid = client.name if user is None else user.guid
        self._access[access] = Token(user_guid, scopes, expires_at, user)
        fields: dict[str, object] = {"access_token": access, "token_type": "bearer"}
        if user is not None:
            refresh = f"{guid(self._rng)}-r"
            self._refresh[client.name, refresh] = user
            fields["refresh_token"] = refresh
        return fields | {
            "expires_in": max(0, int(self.token_lifetime)),
            "scope": " ".join(sorted(scopes)),
            "jti": number,
        }

    def _claims(
        self, base: str, client: OAuthClient, user: User | None, scopes: frozenset[str]
    ) -> dict[str, object]:
        claims: dict[str, object] = {
            "sub": client.name if user is None else user.guid,
            "scope": sorted(scopes),
            "client_id": client.name,
            "cid": client.name,
            "azp": client.name,
            "grant_type": "client_credentials" if user is None else "password",
            "iat": int(self._clock()),
            "iss": f"{base}{UAA}/oauth/token",
            "zid": "uaa",
            "aud": sorted({client.name, *(scope.partition(".")[0] for scope in scopes)}),
        }
        if user is not None:
            person = {"user_id": user.guid, "user_name": user.name, "origin": "uaa"}
            claims |= person | {"email": user.email}
        return claims

    def _signed(self, claims: dict[str, object]) -> str:
        header = {"alg": "HS256", "kid": "sandbox", "typ": "JWT"}
        unsigned = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        signature = hmac.digest(self._key, unsigned.encode(), "sha256")
        return f"{unsigned}.{_base64(signature)}"

    def _forget_expired(self) -> None:
        # Otherwise short lifetimes in a long run would fill the memory with tokens.
        if len(self._access) > 1000:
            now = self._clock()
            self._access = {t: k for t, k in self._access.items() if k.expires_at > now}

    def _logged_in(self, authorization: str) -> User:
        token = self._access.get(authorization.partition(" ")[2])
        if token is None or token.user is None or token.expires_at <= self._clock():
            raise UaaError(401, "invalid_token", "The token is not valid")
        return token.user

    def _new_passcode(self, authorization: str) -> str:
        user = self._logged_in(authorization)
        passcode = guid(self._rng)[:8]
        self.passcodes[passcode] = user.name
        return passcode

    def _user_info(self, authorization: str) -> dict[str, object]:
        user = self._logged_in(authorization)
        return {
            "user_id": user.guid,
            "sub": user.guid,
            "user_name": user.name,
            "email": user.email,
        }


_NO_STORE: Final = {
    "cache-control": "no-store",
    "pragma": "no-cache",
    "x-content-type-options": "nosniff",
}


def _ok(fields: object) -> Answer:
    return Answer(200, json_text(fields), JSON, framed=False, headers=dict(_NO_STORE))


def _form(query: str, body: bytes) -> dict[str, str]:
    text = body.decode("utf-8", "replace")
    return dict(parse_qsl(query)) | dict(parse_qsl(text, keep_blank_values=True))


def _basic(text: str) -> tuple[str, str]:
    try:
        pair = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return "", ""
    name, _, secret = pair.partition(":")
    return unquote_plus(name), unquote_plus(secret)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _server_info(base: str) -> dict[str, object]:
    at = f"{base}{UAA}"
    passcode = f"Temporary Authentication Code ( Get one at {at}/passcode )"
    return {
        "app": {"version": "77.30.0"},
        "links": {"uaa": at, "login": at, "passwd": f"{at}/forgot_password"},
        "zone_name": "uaa",
        "entityID": "sandbox.login",
        "prompts": {
            "username": ["text", "Email"],
            "password": ["password", "Password"],
            "passcode": ["password", passcode],
        },
        "timestamp": "2026-01-01T00:00:00Z",
    }
