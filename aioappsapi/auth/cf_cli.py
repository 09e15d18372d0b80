"""The login that the `cf` command left behind. Its file is read and never written.

Writers that run side by side corrupt that file, so what is refreshed here stays in memory.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from aioappsapi.auth.base import Token, TokenEndpoint, jwt_expiry
from aioappsapi.auth.grants import RefreshToken, StaticToken
from aioappsapi.errors import AuthError


class CfTarget(msgspec.Struct, frozen=True, rename="pascal"):
    """The organization or space that `cf target` chose."""

    guid: str = msgspec.field(default="", name="GUID")
    name: str = ""


class CfCliConfig(msgspec.Struct, frozen=True, rename="pascal"):
    """What is of use in the file of the `cf` command."""

    target: str = ""
    access_token: str = ""
    refresh_token: str = ""
    ssl_disabled: bool = msgspec.field(default=False, name="SSLDisabled")
    uaa_client: str = msgspec.field(default="cf", name="UAAOAuthClient")
    uaa_client_secret: str = msgspec.field(default="", name="UAAOAuthClientSecret")
    organization: CfTarget = msgspec.field(default=CfTarget(), name="OrganizationFields")
    space: CfTarget = msgspec.field(default=CfTarget(), name="SpaceFields")
    on_kubernetes: bool = msgspec.field(default=False, name="CFOnK8s")

    def __repr__(self) -> str:
        return f"<CfCliConfig target={self.target!r}>"


def config_path() -> Path:
    """Say where the `cf` command keeps its login: below `$CF_HOME`, else the home directory."""
    return Path(os.environ.get("CF_HOME") or Path.home()) / ".cf" / "config.json"


def read_config(path: Path | None = None) -> CfCliConfig:
    """Read the login of the `cf` command. Raises AuthError if there is none, or it is broken."""
    path = path or config_path()
    try:
        return msgspec.json.decode(path.read_bytes(), type=CfCliConfig)
    except OSError as cause:
        why = cause.strerror or "it cannot be read"
        raise AuthError(f"No login of the cf command in {path} ({why}): run `cf login`.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise AuthError(f"{path} is not a login of the cf command: run `cf login`.") from None


class CfCliLogin:
    """The user that is logged in with the `cf` command.

    `path` is its file, by default ``$CF_HOME/.cf/config.json``; read when the first token is
    needed.
    """

    renewable = True

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._refresh: RefreshToken | None = None

    def __repr__(self) -> str:
        return f"CfCliLogin({str(self._path or config_path())!r})"

    async def obtain(self, endpoint: TokenEndpoint, previous: Token | None) -> Token:
        """Use the token in the file while it lasts, then refresh in memory. Raises AuthError."""
        if self._refresh is None:
            config = self._read()
            self._refresh = RefreshToken(
                config.refresh_token,
                client_id=config.uaa_client or "cf",
                client_secret=config.uaa_client_secret,
            )
            if previous is None and config.access_token and jwt_expiry(config.access_token):
                token = await StaticToken(config.access_token).obtain(endpoint, None)
                if token.lasts(60.0):
                    return token
        return await self._refresh.obtain(endpoint, previous)

    def _read(self) -> CfCliConfig:
        config = read_config(self._path)
        if config.on_kubernetes:
            raise AuthError("The cf command is logged in at a Kubernetes cluster, without a UAA.")
        if not config.refresh_token:
            raise AuthError("The cf command is logged out: run `cf login`.")
        return config
