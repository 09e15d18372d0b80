"""Bytes over the network: the only module that touches aiohttp's client.

It knows nothing of the API. Whatever aiohttp, TLS or the operating system raise leaves here as a
TransportError that says whether the server can have seen the request.
"""

from __future__ import annotations

import ssl as ssl_module
import urllib.request
from collections.abc import Mapping
from typing import Final, Protocol

import aiohttp
from yarl import URL

from aioappsapi._http.loop_binding import LoopBinding
from aioappsapi._http.message import Response
from aioappsapi.config import Limits, Timeouts, Tls
from aioappsapi.errors import (
    CertificateError,
    ClosedError,
    ConnectError,
    DisconnectedError,
    InvalidInputError,
    ReadTimeout,
    TlsError,
    TransportError,
)


class Transport(Protocol):
    """Something that carries one request and brings its answer."""

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts | None = None,
    ) -> Response:
        """Send once, follow nothing, repeat nothing. Raises TransportError."""
        ...


class SessionPool:
    """Pooled keep-alive connections to one API and its UAA, for one event loop.

    Opened and closed with the client. There is no cap of connections here: how many requests are
    in flight is bounded above, by the throttle.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        timeouts: Timeouts,
        limits: Limits,
        tls: Tls | ssl_module.SSLContext,
        proxy: str | None,
    ) -> None:
        self._headers = {"Accept": "application/json", "User-Agent": user_agent}
        self._timeout = _client_timeout(timeouts)
        self._limits = limits
        self._ssl = tls if isinstance(tls, ssl_module.SSLContext) else ssl_settings(tls)
        self._proxy = _proxy_url(proxy) if proxy else None
        self._session: aiohttp.ClientSession | None = None
        self.binding = LoopBinding()

    async def open(self) -> None:
        """Make the session in the running event loop; connections come with the first request.

        Raises InvalidInputError if it is open already.
        """
        if self.binding.is_orphaned:
            await self.aclose()
        self.binding.bind()
        connector = aiohttp.TCPConnector(
            limit=0, ssl=self._ssl, keepalive_timeout=self._limits.keepalive
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=self._headers,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Content-Type",),
            raise_for_status=False,
            middlewares=(_only_once,),
        )

    async def aclose(self) -> None:
        """Close all connections; whatever is in flight fails. Harmless when repeated.

        Raises ClosedError if it is open on another event loop, where alone it can be closed.
        """
        self.binding.check_may_close()
        self.binding.release()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts | None = None,
    ) -> Response:
        """Send once, follow nothing, repeat nothing. Raises TransportError."""
        self.binding.check(method, url)
        session = self._session
        if session is None:
            raise ClosedError("The client is closed.", method=method, url=url)
        try:
            # fast path: awaited rather than `async with`, and no body at all where there is none;
            # both are measured in benchmarks/call_cost.py.
            response = await session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                proxy=self._proxy,
                allow_redirects=False,
                timeout=self._timeout if timeouts is None else _client_timeout(timeouts),
            )
            try:
                data = await response.read()
            finally:
                response.release()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RuntimeError) as cause:
            raise transport_error(cause, method, url) from None
        return Response(status=response.status, headers=response.headers, body=data, url=url)


async def _only_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET or DELETE again by itself when its connection breaks.

    What is sent again is decided, counted and paid for above; and a DELETE whose second try finds
    nothing has to be known for a second one.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as cause:
        raise transport_error(cause, request.method, str(request.url)) from None


def _proxy_url(proxy: str) -> URL:
    """Read a proxy's address, which may lack its scheme. Raises InvalidInputError."""
    try:
        url = URL(proxy if "://" in proxy else f"http://{proxy}")
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host:
        # Without the address itself, which may hold a password.
        raise InvalidInputError(
            "The proxy's address would look like http://proxy.example.org:3128."
        )
    return url


def _client_timeout(timeouts: Timeouts) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=timeouts.total, connect=timeouts.connect, sock_read=timeouts.read
    )


# The first row that matches decides; a test holds every exception of aiohttp against it.
_MEANING: Final[tuple[tuple[type[BaseException], type[TransportError], str], ...]] = (
    (
        aiohttp.ClientConnectorCertificateError,
        CertificateError,
        "the server's certificate is not trusted",
    ),
    (aiohttp.ClientSSLError, TlsError, "the TLS handshake failed"),
    (
        aiohttp.ServerFingerprintMismatch,
        CertificateError,
        "the server's certificate is another one",
    ),
    (aiohttp.ClientConnectorDNSError, ConnectError, "the host name is not known"),
    (aiohttp.ClientProxyConnectionError, ConnectError, "the proxy cannot be reached"),
    (aiohttp.ClientHttpProxyError, ConnectError, "the proxy refused"),
    (aiohttp.ClientConnectorError, ConnectError, "no connection"),
    (aiohttp.ConnectionTimeoutError, ConnectError, "no connection in time"),
    (aiohttp.ServerTimeoutError, ReadTimeout, "no answer in time"),
    (TimeoutError, ReadTimeout, "no complete answer in time"),
    (aiohttp.ClientPayloadError, DisconnectedError, "the answer broke off"),
    (aiohttp.ServerConnectionError, DisconnectedError, "the server closed the connection"),
    (aiohttp.ClientResponseError, DisconnectedError, "the answer is not HTTP"),
    (aiohttp.ClientError, DisconnectedError, "the connection failed"),
    (ssl_module.SSLError, TlsError, "TLS failed"),
    (OSError, DisconnectedError, "the connection was reset"),
    (RuntimeError, ClosedError, "the client is closed"),
)


def transport_error(
    cause: BaseException, method: str, url: str
) -> TransportError | InvalidInputError:
    """Give what was raised its meaning here: which error, and whether it can have been delivered.

    An address that cannot be one is the caller's mistake: InvalidInputError.
    """
    if isinstance(cause, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return InvalidInputError(f"{_shown(url)!r} is not an address that can be asked.")
    for kind, error, meaning in _MEANING:
        if isinstance(cause, kind):
            return error(f"{method} {_shown(url)}: {meaning}{_why(cause)}", method=method, url=url)
    # After the others, because an untrusted certificate is a ValueError too.
    if isinstance(cause, ValueError):
        return InvalidInputError(f"{method} {_shown(url)}: not a request that can be sent.")
    raise cause


def _why(cause: BaseException) -> str:
    # Not str(cause): aiohttp puts whole URLs, with what they may hold, in some of its messages.
    inner = getattr(cause, "os_error", None) or getattr(cause, "certificate_error", None)
    inner = inner if inner is not None else cause if isinstance(cause, OSError) else None
    text = " ".join(str(getattr(inner, "strerror", None) or inner or "").split())
    return f" ({text})" if text else ""


def _shown(url: str) -> str:
    """Cut the query, which is long, and any user and password out of an address."""
    try:
        return str(URL(url, encoded=True).with_user(None).with_query(None))
    except ValueError:
        return url.partition("?")[0].rpartition("@")[2]


def ssl_settings(tls: Tls) -> ssl_module.SSLContext | bool:
    """Make the TLS settings. Raises InvalidInputError for a file that is missing or no PEM."""
    # aiohttp has one for the usual case, and reading all authorities takes 20 ms.
    return True if tls == Tls() else ssl_context(tls)


def ssl_context(tls: Tls) -> ssl_module.SSLContext:
    """Make the TLS settings. Raises InvalidInputError for a file that is missing or no PEM."""
    try:
        context = ssl_module.create_default_context(cafile=tls.ca_file)
        if tls.client_cert is not None:
            # An encrypted key is an error, not a question at the terminal.
            context.load_cert_chain(tls.client_cert, tls.client_key, password="")
    except (OSError, ssl_module.SSLError) as cause:
        files = ", ".join(filter(None, (tls.ca_file, tls.client_cert, tls.client_key)))
        raise InvalidInputError(f"TLS cannot be set up from {files}: {cause}") from None
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl_module.CERT_NONE
    return context


def proxy_from_environment(url: str) -> str | None:
    """Find the proxy for an address in `HTTPS_PROXY` and the like, minding `NO_PROXY`.

    Resolved once, when a client is made: aiohttp's own look-up for each request costs five times
    the request.
    """
    parsed = URL(url)
    if not parsed.host or urllib.request.proxy_bypass(f"{parsed.host}:{parsed.port}"):
        return None
    return urllib.request.getproxies().get(parsed.scheme)
