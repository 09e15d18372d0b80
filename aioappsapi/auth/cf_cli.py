"""The login of the `cf` command. Its file is read and never written.

Processes that write this file side by side corrupt it, so a renewed token stays in memory.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from aioappsapi.auth.base import Auth, Token, TokenEndpoint, jwt_expiry
from aioappsapi.auth.grants import ClientCredentials, RefreshToken, StaticToken
from aioappsapi.errors import AuthError, InvalidInputError

# A token from the file that is valid for less time is renewed at once, if possible.
_WORTH_USING = 60.0


class CfCliConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of the `cf` command's file that a login needs. It ignores all others.

    Versions of the command differ in what they write: `CFOnK8s` is absent in 8.0 and an object
    from 8.1 on. Only the texts below are checked; a null counts as an absent field.
    """

    target: str | None = msgspec.field(default=None, name="Target")
    access_token: str | None = msgspec.field(default=None, name="AccessToken")
    refresh_token: str | None = msgspec.field(default=None, name="RefreshToken")
    grant_type: str | None = msgspec.field(default=None, name="UAAGrantType")
    client_id: str | None = msgspec.field(default=None, name="UAAOAuthClient")
    client_secret: str | None = msgspec.field(default=None, name="UAAOAuthClientSecret")
    ssl_disabled: object = msgspec.field(default=False, name="SSLDisabled")
    cf_on_k8s: object = msgspec.field(default=False, name="CFOnK8s")

    def __repr__(self) -> str:
        return f"<CfCliConfig target={self.target!r}>"

    @property
    def skips_certificate_check(self) -> bool:
        """Whether the user logged in with ``--skip-ssl-validation``."""
        return self.ssl_disabled is True

    @property
    def on_kubernetes(self) -> bool:
        """Whether the target is a Kubernetes cluster (Korifi), which has no UAA."""
        value = self.cf_on_k8s
        return (value.get("Enabled") if isinstance(value, dict) else value) is True


def config_path() -> Path:
    """Return the file of the `cf` command, below `$CF_HOME` or the home directory.

    Raises AuthError if neither is known.
    """
    try:
        return Path(os.environ.get("CF_HOME") or Path.home()) / ".cf" / "config.json"
    except RuntimeError:
        raise AuthError("The home directory is unknown: set CF_HOME.") from None


def read_config(path: Path | None = None) -> CfCliConfig:
    """Read the file of the `cf` command. Raises AuthError if it is missing or broken."""
    path = path or config_path()
    try:
        return msgspec.json.decode(path.read_bytes(), type=CfCliConfig)
    except OSError as cause:
        why = cause.strerror or "it cannot be read"
        raise AuthError(f"No login of the cf command in {path} ({why}): run `cf login`.") from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        # Without the decoder's text, which may quote the file.
        raise AuthError(
            f"{path} cannot be read as a login of the cf command: run `cf login`."
        ) from None


def require_login(config: CfCliConfig) -> CfCliConfig:
    """Return the same file if it holds a login at a UAA. Raises AuthError otherwise."""
    if config.on_kubernetes:
        raise AuthError(
            "The cf command is logged in at a Kubernetes cluster, which has no UAA to ask for a "
            "token: pass a StaticToken, or set CF_API and CF_ACCESS_TOKEN."
        )
    if not config.access_token and not config.refresh_token:
        raise AuthError("The cf command is not logged in: run `cf login`.")
    return config


class CfCliLogin:
    """The user or client that is logged in with the `cf` command.

    The token in the file is used until it expires. Then it is renewed in memory: with the refresh
    token, or with the client's id and secret after ``cf auth ID SECRET --client-credentials``.
    The `cf` command does not keep that secret, so such a login usually ends with its token.

    `path` is the file, by default ``$CF_HOME/.cf/config.json``. It is read when the first token is
    needed, and again after the UAA refused a renewal, so that a new ``cf login`` counts.
    """

    renewable = True

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._config: CfCliConfig | None = None
        self._renewal: Auth | None = None

    def __repr__(self) -> str:
        return f"CfCliLogin({str(self._path or config_path())!r})"

    async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
        """Return the token in the file until it expires, then renew it. Raises AuthError."""
        if self._config is None:
            self._config = require_login(read_config(self._path))
            self._renewal = _renewal(self._config)
            token = _living_token(self._config, renewable=self._renewal is not None)
            if token is not None and (previous is None or _differ(token, previous)):
                return token
        if self._renewal is None:
            ended, self._config = self._config, None
            raise AuthError(_how_to_log_in_again(ended))
        return await self._renew(self._renewal, endpoint, previous)

    async def _renew(self, renewal: Auth, endpoint: TokenEndpoint, previous: Token | None) -> Token:
        try:
            return await renewal.obtain(endpoint, previous)
        except AuthError as error:
            if error.refused:
                self._config = None
            raise


def _renewal(config: CfCliConfig) -> Auth | None:
    """Return the login that renews the token, or None if the file holds nothing for it."""
    client_id, secret = config.client_id or "cf", config.client_secret or ""
    if config.refresh_token:
        return RefreshToken(config.refresh_token, client_id=client_id, client_secret=secret)
    if config.grant_type == "client_credentials" and secret:
        return ClientCredentials(client_id, secret)
    return None


def _living_token(config: CfCliConfig, *, renewable: bool) -> Token | None:
    """Return the token in the file, unless it has expired or should be renewed at once."""
    try:
        token = StaticToken(config.access_token or "").token
    except InvalidInputError:
        return None
    if jwt_expiry(token.access_token) is None:  # its end is unknown
        return None if renewable else token
    return token if token.lasts(_WORTH_USING if renewable else 0.0) else None


def _differ(one: Token, other: Token) -> bool:
    return one.access_token != other.access_token


def _how_to_log_in_again(config: CfCliConfig) -> str:
    if config.grant_type == "client_credentials":
        return (
            "The token of the cf command has ended, and its file has no client secret to get a "
            "new one: run `cf auth ID SECRET --client-credentials` again, or set CF_CLIENT_ID and "
            "CF_CLIENT_SECRET."
        )
    return "The login of the cf command has ended: run `cf login` again."
