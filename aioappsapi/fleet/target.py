"""A named target: the address of a foundation, and where its login comes from. It has no secret."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import msgspec

from aioappsapi.auth.base import Auth
from aioappsapi.auth.cf_cli import CfCliLogin, read_config, require_login
from aioappsapi.auth.grants import ClientCredentials, PasswordGrant, StaticToken
from aioappsapi.bulk.run.observer import Instrumentation
from aioappsapi.client import Client, auth_from_env, checked_url
from aioappsapi.config import Limits, RetryPolicy, Timeouts, Tls
from aioappsapi.errors import AuthError, InvalidInputError, refuse_unless

# A name is part of file names, too: each foundation has a journal of its own.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
_VARIABLES: Final = (
    "username_env",
    "password_env",
    "client_id_env",
    "client_secret_env",
    "access_token_env",
)


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A foundation by name. It can be pickled, written down and sent: it holds no secret.

    The login is one of four. `cf_home` is a folder that was the `CF_HOME` of ``cf login``.
    `password_env`, `client_secret_env` and `access_token_env` name environment variables; a
    password needs `username` or `username_env` beside it, a client's secret `client_id` or
    `client_id_env`. Without any of them the login is that of `Client.from_env`.

    `api` is the address; with `cf_home` it may be left out. `ca_file`, `client_cert`, `client_key`
    and `insecure` are those of `Tls`. `concurrency` is that of `Limits`. Raises InvalidInputError
    for values that do not go together.
    """

    name: str
    api: str | None = None
    cf_home: str | None = None
    username: str | None = None
    username_env: str | None = None
    password_env: str | None = None
    origin: str | None = None
    client_id: str | None = None
    client_id_env: str | None = None
    client_secret_env: str | None = None
    access_token_env: str | None = None
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    insecure: bool = False
    proxy: str | None = None
    concurrency: int | None = None

    def __post_init__(self) -> None:
        check_target_name(self.name)
        refuse_unless(
            bool(self.api or self.cf_home), f"target {self.name}: it needs api, or cf_home."
        )
        self._check_variables()
        self._check_login()
        # A password in an address would be a secret in a file.
        refuse_unless(
            "@" not in (self.proxy or ""),
            f"target {self.name}: proxy must not have a user or a password. Set HTTPS_PROXY.",
        )
        if self.api is not None:
            checked_url(self.api)

    def _check_variables(self) -> None:
        for key in _VARIABLES:
            value = getattr(self, key)
            # Without the value: it may be the secret itself.
            refuse_unless(
                value is None or _VARIABLE.fullmatch(value) is not None,
                f"target {self.name}: {key} is not the name of an environment variable, "
                "like EU_PASSWORD.",
            )

    def _check_login(self) -> None:
        logins = [self.cf_home, self.password_env, self.client_secret_env, self.access_token_env]
        refuse_unless(
            sum(one is not None for one in logins) <= 1,
            f"target {self.name}: it has more than one login. Keep one of cf_home, password_env, "
            "client_secret_env and access_token_env.",
        )
        for login, owner in (("password_env", "username"), ("client_secret_env", "client_id")):
            names = [getattr(self, owner), getattr(self, f"{owner}_env")]
            wanted = int(getattr(self, login) is not None)
            refuse_unless(
                sum(one is not None for one in names) == wanted,
                f"target {self.name}: {login} goes with one of {owner} and {owner}_env.",
            )

    def client(
        self,
        *,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        telemetry: Instrumentation | None = None,
    ) -> Client:
        """Make a client. Its secrets are read from the environment now.

        `limits` counts before the target's own `concurrency`. Raises AuthError if a variable or
        the login of the `cf` command is missing.
        """
        auth, api = self._login()
        if limits is None and self.concurrency is not None:
            limits = Limits(concurrency=self.concurrency)
        return Client(
            api,
            auth=auth,
            limits=limits,
            timeouts=timeouts,
            retry=retry,
            ssl=Tls(
                ca_file=self.ca_file,
                client_cert=self.client_cert,
                client_key=self.client_key,
                insecure=self.insecure,
            ),
            proxy=self.proxy,
            telemetry=telemetry,
        )

    def _login(self) -> tuple[Auth, str]:
        if self.cf_home is not None:
            return self._cf_login(Path(self.cf_home) / ".cf" / "config.json")
        if self.access_token_env is not None:
            auth: Auth = StaticToken(self._variable("access_token_env"))
        elif self.client_secret_env is not None:
            auth = ClientCredentials(self._owner("client_id"), self._variable("client_secret_env"))
        elif self.password_env is not None:
            name, password = self._owner("username"), self._variable("password_env")
            auth = PasswordGrant(name, password, origin=self.origin)
        else:
            auth = auth_from_env()
        return auth, self.api or ""

    def _cf_login(self, path: Path) -> tuple[Auth, str]:
        config = require_login(read_config(path))
        api = self.api or config.target
        if not api:
            raise AuthError(f"target {self.name}: {path} has no target. Run `cf api`, `cf login`.")
        # The token of one foundation must not be shown to another one.
        if config.target and checked_url(config.target) != checked_url(api):
            raise InvalidInputError(
                f"target {self.name}: api is {api}, but the login in cf_home is for "
                f"{config.target}. Leave api out, or log in there."
            )
        return CfCliLogin(path), api

    def _owner(self, key: str) -> str:
        given = getattr(self, key)
        return given if isinstance(given, str) else self._variable(f"{key}_env")

    def _variable(self, key: str) -> str:
        variable = getattr(self, key)
        if not (value := os.environ.get(variable)):
            raise AuthError(
                f"target {self.name}: the environment variable {variable} ({key}) is not set."
            )
        return value


def check_target_name(name: str) -> None:
    """Refuse a name that no target can have. Raises InvalidInputError."""
    refuse_unless(
        _NAME.fullmatch(name) is not None,
        f"{name!r} cannot name a target: use letters, digits, dots, hyphens and underscores.",
    )
