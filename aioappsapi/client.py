"""The Client: builds the layers once, owns the connections, hands out the resources."""

from __future__ import annotations

import os
import platform
import ssl as ssl_module
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from msgspec import UNSET

from aioappsapi._http.call import Caller, within
from aioappsapi._http.call_log import Exchanges, recorded
from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.message import Query, Response
from aioappsapi._http.protocol import free_request, successful
from aioappsapi._http.transport import SessionPool, proxy_from_environment
from aioappsapi._version import __version__
from aioappsapi.auth.base import Auth
from aioappsapi.auth.cf_cli import CfCliLogin, read_config
from aioappsapi.auth.grants import ClientCredentials, PasswordGrant, StaticToken
from aioappsapi.auth.tokens import TokenSource
from aioappsapi.auth.uaa import Uaa
from aioappsapi.bulk.bulk import Bulk
from aioappsapi.config import Limits, RetryPolicy, Timeouts, Tls
from aioappsapi.errors import AuthError, InvalidInputError
from aioappsapi.resources.apps import Apps
from aioappsapi.resources.builds import Builds, Droplets, Packages
from aioappsapi.resources.deployments import Deployments
from aioappsapi.resources.feature_flags import FeatureFlags
from aioappsapi.resources.info import Info
from aioappsapi.resources.jobs import Jobs
from aioappsapi.resources.organizations import Organizations
from aioappsapi.resources.processes import Processes
from aioappsapi.resources.quotas import Quotas
from aioappsapi.resources.roles import Roles
from aioappsapi.resources.spaces import Spaces

Ssl = Tls | ssl_module.SSLContext


class Client:
    """One Cloud Foundry API and one login, for one event loop.

    ``async with Client("https://api.example.org", auth=PasswordGrant(name, password)) as client:``

    `client.apps` works on one app, `client.bulk` on many. Beside them are `builds`, `deployments`,
    `droplets`, `feature_flags`, `info`, `jobs`, `organizations`, `packages`, `processes`, `quotas`,
    `roles` and `spaces`; `client.request` asks whatever has no method here.

    `api_url` is what ``cf api`` shows, `auth` a way to log in; the UAA is found through the API.
    `ssl` is a `Tls` or a ready `ssl.SSLContext`. `proxy` is an address, None to look into the
    environment (once), or "" for none. Everything that the client sends shares one pool of
    connections, one token and one limit of requests in flight. Raises InvalidInputError for an
    address that cannot be one.
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
    ) -> None:
        url = checked_url(api_url)
        limits = limits or Limits()
        tls = ssl if ssl is not None else Tls()
        self._pool = SessionPool(
            user_agent=user_agent or default_user_agent(),
            timeouts=timeouts or Timeouts(),
            limits=limits,
            tls=tls,
            proxy=proxy_from_environment(url) if proxy is None else proxy,
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
        self._ceiling = limits.concurrency
        self._offer(caller)

    def _offer(self, caller: Caller) -> None:
        """Make the resources on a caller: one line for each."""
        self._caller = caller
        self.apps = Apps(caller)
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
        self.bulk = Bulk(self.apps, target=caller.base_url, ceiling=self._ceiling)

    def __repr__(self) -> str:
        return f"<Client {self.api_url}>"

    @property
    def api_url(self) -> str:
        """The address of the API, without a slash at its end."""
        return self._caller.base_url

    @classmethod
    def from_env(
        cls,
        *,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        ssl: Ssl | None = None,
    ) -> Self:
        """Make a client from `CF_API` and a login in the environment.

        The login is `CF_ACCESS_TOKEN`, or `CF_CLIENT_ID` with `CF_CLIENT_SECRET`, or `CF_USERNAME`
        with `CF_PASSWORD`, looked for in this order. Raises AuthError if something is missing.
        """
        url = os.environ.get("CF_API")
        if not url:
            raise AuthError("CF_API is not set: it is the API's address.")
        auth = auth_from_env()
        return cls(url, auth=auth, limits=limits, timeouts=timeouts, retry=retry, ssl=ssl)

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
    ) -> Self:
        """Make a client from the login of the `cf` command, whose file is only read.

        `path` is that file, by default below `$CF_HOME` or the home directory. That the `cf`
        command was told to skip the check of certificates counts only with `honour_ssl_disabled`.
        Raises AuthError if nobody is logged in.
        """
        config = read_config(path)
        if not config.target:
            raise AuthError("The cf command has no target: run `cf api` and `cf login`.")
        if ssl is None and honour_ssl_disabled and config.ssl_disabled:
            ssl = Tls(insecure=True)
        return cls(
            config.target,
            auth=CfCliLogin(path),
            limits=limits,
            timeouts=timeouts,
            retry=retry,
            ssl=ssl,
        )

    def with_options(
        self, *, retry: RetryPolicy | None = None, timeouts: Timeouts | None = None
    ) -> Client:
        """Make a view with other settings on the same connections, login and limits.

        A view needs no `async with` of its own and ends with this client.
        """
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._offer(self._caller.with_options(retry=retry, timeouts=timeouts))
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
        """Ask an endpoint that has no method here, with the same care as any other call.

        `path` is that below the API's address, like ``/v3/buildpacks``. What fails is repeated as
        far as the method allows: a POST only if it surely did not arrive, or `repeatable` says
        that a second one does no harm. Raises the same errors as the typed calls.
        """
        request = free_request(method, path, query=query, json=json, repeatable=repeatable)
        call = self._caller.run(request, successful)
        return await (call if deadline is None else within(deadline, call, request))

    @staticmethod
    def capture() -> AbstractContextManager[Exchanges]:
        """Keep the raw answers of calls: ``with client.capture() as exchanges:``.

        `exchanges.last` has the newest one's `headers`, `warnings`, `request_id`, `rate_limit`.
        """
        return recorded(Exchanges)

    async def log_in(self) -> None:
        """Find the UAA and get a token now, rather than with the first call.

        Raises AuthError, TargetError if the address is no Cloud Foundry API, TransportError if
        nobody answers there.
        """
        await self._uaa.read_root()
        await self._tokens.get()

    async def open(self) -> Self:
        """Make the client usable in the running event loop; `async with` does it."""
        await self._pool.open()
        return self

    async def aclose(self) -> None:
        """Close all connections. Harmless when repeated; `async with` does it."""
        await self._tokens.aclose()
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
    """Say who asks. Not `cf…`, for which the server has warnings of its own."""
    return f"aioappsapi/{__version__} (Python {platform.python_version()})"


def auth_from_env() -> Auth:
    """Find a login in the environment. Raises AuthError if there is none, or half of one."""
    env = os.environ
    if token := env.get("CF_ACCESS_TOKEN"):
        return StaticToken(token)
    if client_id := env.get("CF_CLIENT_ID"):
        if (secret := env.get("CF_CLIENT_SECRET")) is None:
            raise AuthError("No login: CF_CLIENT_SECRET is not set, and CF_CLIENT_ID is.")
        return ClientCredentials(client_id, secret)
    username, password = env.get("CF_USERNAME"), env.get("CF_PASSWORD")
    if username and password:
        return PasswordGrant(username, password)
    missing = "CF_PASSWORD" if username else "CF_USERNAME"
    raise AuthError(
        f"No login: {missing} is not set (or CF_CLIENT_ID and CF_CLIENT_SECRET, "
        "or CF_ACCESS_TOKEN)."
    )


def checked_url(url: str) -> str:
    """Check an API's address and cut what does not belong to it. Raises InvalidInputError."""
    text = url.strip()
    text = text if "://" in text else f"https://{text}"
    if not _is_api_url(text):
        raise InvalidInputError(
            "The API's address is not usable: it would look like https://api.example.org, "
            "without a user, a password or a query."
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
