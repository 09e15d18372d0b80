"""The client: it builds the layers once, owns the connections and offers the resources."""

from __future__ import annotations

import os
import platform
import ssl as ssl_module
from collections.abc import Mapping
from contextlib import AbstractContextManager
from copy import copy
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import anyio
from msgspec import UNSET

from aioappsapi._http.call import Caller, within
from aioappsapi._http.call_log import Exchanges, recorded
from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.message import Query, Response
from aioappsapi._http.protocol import free_request, successful
from aioappsapi._http.transport import SessionPool
from aioappsapi._version import __version__
from aioappsapi.api.apps import Apps
from aioappsapi.api.audit_events import AuditEvents
from aioappsapi.api.builds import Builds
from aioappsapi.api.deployments import Deployments
from aioappsapi.api.droplets import Droplets
from aioappsapi.api.feature_flags import FeatureFlags
from aioappsapi.api.info import Info
from aioappsapi.api.jobs import Jobs
from aioappsapi.api.organizations import Organizations
from aioappsapi.api.packages import Packages
from aioappsapi.api.processes import Processes
from aioappsapi.api.quotas import Quotas
from aioappsapi.api.roles import Roles
from aioappsapi.api.spaces import Spaces
from aioappsapi.auth.base import Auth, Claims
from aioappsapi.auth.cf_cli import CfCliLogin, read_config, require_login
from aioappsapi.auth.grants import ClientCredentials, PasswordGrant, StaticToken
from aioappsapi.auth.tokens import TokenSource
from aioappsapi.auth.uaa import Uaa
from aioappsapi.bulk.bulk import Bulk
from aioappsapi.bulk.run.observer import Instrumentation
from aioappsapi.config import Limits, RetryPolicy, Timeouts, Tls
from aioappsapi.errors import AuthError, DeadlineError, InvalidInputError

Ssl = Tls | ssl_module.SSLContext


class Client:
    """One Cloud Foundry API and one login, for one event loop.

    ``async with Client("https://api.example.org", auth=PasswordGrant(name, password)) as client:``

    `client.apps` works on one app, `client.bulk` on many. Beside them are `builds`, `deployments`,
    `droplets`, `feature_flags`, `info`, `jobs`, `organizations`, `packages`, `processes`, `quotas`,
    `roles` and `spaces`. `client.request` sends a request to any other endpoint.

    `api_url` is the address that ``cf api`` shows. `auth` is a way to log in; the UAA's address is
    read from the API. `ssl` is a `Tls` or a ready `ssl.SSLContext`. `proxy` is an address, "" for
    no proxy, or None to use the environment, in which the API and the UAA may have different ones.
    All calls share one pool of connections, one token and one limit of requests in flight.
    `telemetry` is an `aioappsapi.telemetry.Telemetry`, which makes spans and metrics of calls and
    runs. Raises InvalidInputError for an address that cannot be one.
    """

    def __init__(
        self,
        api_url: str,
        *,
        auth: Auth,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        ssl: Ssl | None = None,
        proxy: str | None = None,
        user_agent: str | None = None,
        telemetry: Instrumentation | None = None,
    ) -> None:
        url = checked_url(api_url)
        limits = limits or Limits()
        tls = ssl if ssl is not None else Tls()
        self._pool = SessionPool(
            user_agent=user_agent or default_user_agent(),
            timeouts=timeouts or Timeouts(),
            limits=limits,
            tls=tls,
            proxy=proxy,
            base_url=url,
        )
        insecure = isinstance(tls, Tls) and tls.insecure
        self._uaa = Uaa(url, self._pool.send_apart, allow_plain=insecure)
        self._tokens = TokenSource(auth, self._uaa)
        policy = retry or RetryPolicy()
        caller = Caller(
            url,
            transport=self._pool,
            tokens=self._tokens,
            throttle=Throttle(limits.concurrency, longest_pause=policy.max_retry_after),
            retry=policy,
        )
        self._observer = None if telemetry is None else telemetry.observe(url, caller.throttle)
        caller.observer = self._observer
        self._ceiling = limits.concurrency
        self._offer(caller)

    def _offer(self, caller: Caller) -> None:
        """Make the resources that use a caller."""
        self._caller = caller
        self.apps = Apps(caller)
        self.audit_events = AuditEvents(caller)
        self.builds = Builds(caller)
        self.deployments = Deployments(caller)
        self.droplets = Droplets(caller)
        self.feature_flags = FeatureFlags(caller)
        self.info = Info(caller)
        self.jobs = Jobs(caller)
        self.organizations = Organizations(caller)
        self.packages = Packages(caller)
        self.processes = Processes(caller)
        self.quotas = Quotas(caller)
        self.roles = Roles(caller)
        self.spaces = Spaces(caller)
        self.bulk = Bulk(
            caller, target=caller.base_url, ceiling=self._ceiling, observer=self._observer
        )

    def __repr__(self) -> str:
        return f"<Client {self.api_url}>"

    @property
    def api_url(self) -> str:
        """The address of the API, without a slash at the end."""
        return self._caller.base_url

    @classmethod
    def from_env(
        cls,
        *,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        ssl: Ssl | None = None,
        telemetry: Instrumentation | None = None,
    ) -> Self:
        """Make a client from `CF_API` and a login in environment variables.

        The first of these logins is used: `CF_ACCESS_TOKEN`; `CF_CLIENT_ID` with
        `CF_CLIENT_SECRET`; `CF_USERNAME` with `CF_PASSWORD`. Raises AuthError if a variable is
        missing, InvalidInputError if one cannot be used.
        """
        url = os.environ.get("CF_API")
        if not url:
            raise AuthError(
                "CF_API is not set: set it to the API's address, like https://api.example.org."
            )
        auth = auth_from_env()
        return cls(
            url,
            auth=auth,
            limits=limits,
            timeouts=timeouts,
            retry=retry,
            ssl=ssl,
            telemetry=telemetry,
        )

    @classmethod
    def from_cf_cli(
        cls,
        path: Path | None = None,
        *,
        honour_ssl_disabled: bool = False,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        ssl: Ssl | None = None,
        telemetry: Instrumentation | None = None,
    ) -> Self:
        """Make a client with the target and the login of the `cf` command.

        `path` is the command's file, by default ``$CF_HOME/.cf/config.json``; it is read and never
        written. A login with ``--skip-ssl-validation`` still checks certificates here,
        unless `honour_ssl_disabled` is true. Raises AuthError if the file is missing or broken, or
        holds no target or no login.
        """
        config = read_config(path)
        if not config.target:
            raise AuthError("The cf command has no target: run `cf api URL`, then `cf login`.")
        require_login(config)
        if ssl is None and honour_ssl_disabled and config.skips_certificate_check:
            ssl = Tls(insecure=True)
        return cls(
            config.target,
            auth=CfCliLogin(path),
            limits=limits,
            timeouts=timeouts,
            retry=retry,
            ssl=ssl,
            telemetry=telemetry,
        )

    def with_options(
        self, *, retry: RetryPolicy | None = None, timeouts: Timeouts | None = None
    ) -> Client:
        """Return a view with other settings on the same connections, login and limits.

        A view needs no `async with` of its own. It is closed together with this client.
        """
        view = copy(self)
        view._offer(self._caller.with_options(retry=retry, timeouts=timeouts))  # noqa: SLF001
        return view

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: object = UNSET,
        repeatable: bool | None = None,
        deadline: float | None = None,
    ) -> Response:
        """Send a request to an endpoint that has no method here, like ``/v3/buildpacks``.

        `path` follows the API's address. A failed request is retried like that of a typed call: a
        GET whenever the failure may pass; a POST only if it was surely not delivered, or if
        `repeatable` says that a second one does no harm. `deadline` is in seconds from now. Raises
        the same errors as the typed calls.
        """
        request = free_request(method, path, query=query, json=json, repeatable=repeatable)
        call = self._caller.run(request, successful)
        return await (call if deadline is None else within(deadline, call, request))

    @staticmethod
    def capture() -> AbstractContextManager[Exchanges]:
        """Keep the raw answers of the calls inside ``with client.capture() as exchanges:``.

        `exchanges.last` is the newest one, with its `headers`, `warnings`, `request_id` and
        `rate_limit`.
        """
        return recorded(Exchanges)

    async def log_in(self, *, deadline: float | None = None) -> None:
        """Find the UAA and get a token now, rather than with the first call.

        `deadline` is in seconds from now. Raises AuthError, TargetError if the address is not a
        Cloud Foundry API, TransportError if there is no answer, DeadlineError.
        """
        with anyio.move_on_after(deadline) as scope:
            await self._uaa.read_root()
            await self._tokens.get()
        if scope.cancelled_caught:
            raise DeadlineError(
                f"No token within the deadline of {deadline:g} s: {self.api_url} has not answered "
                "yet. No other request was sent."
            )

    async def token_claims(self) -> Claims | None:
        """Read whose token it is, its scopes and its end; None for one that is not a JWT.

        Logs in first, if there is no token yet. Raises the errors of `log_in`.
        """
        return await self._tokens.claims()

    async def open(self) -> Self:
        """Open the client in the running event loop. `async with` does it for you.

        Raises InvalidInputError if it is open already, here or on another event loop.
        """
        await self._pool.open()
        return self

    async def aclose(self) -> None:
        """Close all connections and end a login under way. `async with` does it for you.

        Harmless when repeated. Raises ClosedError if the client is open on another event loop: it
        can only be closed there.
        """
        self._pool.binding.check_may_close()
        try:
            await self._tokens.aclose()
        finally:
            await self._pool.aclose()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def default_user_agent() -> str:
    """Return this library's name. The server warns clients with names that begin with ``cf``."""
    return f"aioappsapi/{__version__} (Python {platform.python_version()})"


def auth_from_env() -> Auth:
    """Return the login in the environment. Raises AuthError if there is none, or half of one."""
    env = os.environ
    if token := env.get("CF_ACCESS_TOKEN"):
        return StaticToken(token)
    if client_id := env.get("CF_CLIENT_ID"):
        if (secret := env.get("CF_CLIENT_SECRET")) is None:
            raise AuthError(
                "CF_CLIENT_ID is set, but CF_CLIENT_SECRET is not set: set both (the secret may "
                "be empty)."
            )
        return ClientCredentials(client_id, secret)
    username, password = env.get("CF_USERNAME"), env.get("CF_PASSWORD")
    if username and password:
        return PasswordGrant(username, password)
    raise AuthError(_half_a_login(env))


def _half_a_login(env: Mapping[str, str]) -> str:
    for given, missing in (
        ("CF_USERNAME", "CF_PASSWORD"),
        ("CF_PASSWORD", "CF_USERNAME"),
        ("CF_CLIENT_SECRET", "CF_CLIENT_ID"),
    ):
        if env.get(given):
            return f"{given} is set, but {missing} is not set: set both."
    return (
        "No login in the environment: set CF_USERNAME and CF_PASSWORD, or CF_CLIENT_ID and "
        "CF_CLIENT_SECRET, or CF_ACCESS_TOKEN."
    )


def checked_url(url: str) -> str:
    """Return an API's address without spaces and slashes around it. Raises InvalidInputError."""
    text = url.strip()
    text = text if "://" in text else f"https://{text}"
    if not _is_api_url(text):
        raise InvalidInputError(
            "The API's address is not usable: it must look like https://api.example.org, without "
            "a user, a password or a query."
        )
    return text.rstrip("/")


def _is_api_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    extras = "@" in parts.netloc or "?" in text or "#" in text
    printable = text.isprintable() and " " not in text
    return bool(host) and not extras and parts.scheme in {"http", "https"} and printable
