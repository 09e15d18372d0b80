"""Bytes over the network: with its request class, the only module that uses aiohttp's client.

It knows nothing of the API. Every exception of aiohttp, TLS or the operating system becomes a
TransportError with `delivered`: whether the server may have received the request.
"""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from collections.abc import Mapping
from io import BytesIO
from typing import Final, Protocol

import aiohttp
from yarl import URL

from aioappsapi._http.call_log import logged_to
from aioappsapi._http.clock import loop_time
from aioappsapi._http.loop_binding import LoopBinding
from aioappsapi._http.message import Response
from aioappsapi._http.proxies import Proxies
from aioappsapi._http.stamped_request import request_class, session_headers
from aioappsapi._http.watchdog import Attempt, Watchdog
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
    """Sends one request and returns its answer."""

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

    Opened and closed with the client. There is no limit of connections here: the throttle above
    limits the requests in flight. `proxy` is an address, "" for none, or None for the
    environment's. `base_url` is the address that most requests begin with.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        timeouts: Timeouts,
        limits: Limits,
        tls: Tls | ssl_module.SSLContext,
        proxy: str | None,
        base_url: str = "",
    ) -> None:
        self._user_agent = user_agent
        self._timeouts = timeouts
        self._limits = limits
        self._ssl = tls if isinstance(tls, ssl_module.SSLContext) else ssl_settings(tls)
        self._proxies = Proxies(proxy)
        self._proxy = self._proxies.find(base_url)
        self._login_timeouts = login_timeouts(timeouts)
        self._origin = "/".join(base_url.split("/")[:3])
        self._prefix = f"{self._origin}/"
        self._base = URL(self._origin) if base_url else None
        self._session: aiohttp.ClientSession | None = None
        self._watchdog: Watchdog | None = None
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
        self._watchdog = Watchdog()
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=session_headers(self._base, self._user_agent),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the watchdog's task
            cookie_jar=aiohttp.DummyCookieJar(),
            raise_for_status=False,
            request_class=request_class(self._watchdog, self._base),
        )

    async def aclose(self) -> None:
        """Close all connections; requests in flight fail. Harmless when repeated.

        Raises ClosedError if it is open on another event loop; it can be closed only there.
        """
        self.binding.check_may_close()
        self.binding.release()
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        if self._watchdog is not None:
            self._watchdog.stop()

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
        session, watchdog = self._session, self._watchdog
        if session is None or watchdog is None:
            raise ClosedError("The client is closed.", method=method, url=url)
        attempt = watchdog.begin(timeouts or self._timeouts, headers)
        is_stubbed = aiohttp.ClientSession._request is not _REAL_REQUEST  # noqa: SLF001
        if is_stubbed:  # then no request of our class is made
            attempt.sent(watchdog.now())
        try:
            # fast path: awaited rather than `async with`, and no body at all where there is none;
            # both are measured in benchmarks/instructions.py.
            response = await session.request(
                method,
                self._target(url),
                headers=headers if is_stubbed else None,  # our request adds them
                data=body,
                proxy=self._proxy if url.startswith(self._prefix) else self._proxies.find(url),
                allow_redirects=False,
                middlewares=_MIDDLEWARES.get(method),
            )
            content = response.content
            # fast path: most bodies arrive together with their headers.
            data = (
                content.read_nowait() if content.is_eof() else await self._rest(response, attempt)
            )
        except asyncio.CancelledError:
            if attempt.is_timeout():
                raise _timed_out(attempt, method, url) from None
            raise
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RuntimeError) as cause:
            raise transport_error(cause, method, url) from None
        finally:
            watchdog.end(attempt)
        too_large = len(data) > self._limits.max_answer
        if too_large:
            data = data[:_KEPT_OF_TOO_LARGE]
        return Response(
            status=response.status,
            headers=response.headers,
            body=data,
            url=url,
            too_large=too_large,
        )

    async def send_apart(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        """Send a request of a login; the log of the waiting call does not count it."""
        with logged_to(None):
            return await self.send(method, url, headers, body, self._login_timeouts)

    def _target(self, url: str) -> URL:
        # fast path: parsing an address costs more than changing the path of a parsed address.
        base, start = self._base, len(self._origin)
        if base is None or "?" in url or "#" in url or url[: start + 1] != self._prefix:
            return URL(url, encoded=True)
        return base.with_path(url[start:], encoded=True)

    async def _rest(self, response: aiohttp.ClientResponse, attempt: Attempt) -> bytes:
        """Read a body that comes in parts, and end as soon as it is larger than allowed."""
        # Not a list: joining the parts of a large body would hold up the event loop.
        body = BytesIO()
        size = 0
        most = self._limits.max_answer
        attempt.received(loop_time())  # the headers
        try:
            while size <= most and (part := await response.content.readany()):
                attempt.received(loop_time())
                size += body.write(part)
        except BaseException:
            response.close()
            raise
        if size > most:
            response.close()
        return body.getvalue()


# A start may take minutes where its runner cannot be reached. A login may not: every call waits for
# it.
_LONGEST_LOGIN: Final = 30.0


def login_timeouts(timeouts: Timeouts) -> Timeouts:
    """Return the time limits of a request of a login: those of other requests, or shorter ones."""
    read, total = (
        min(one or _LONGEST_LOGIN, _LONGEST_LOGIN) for one in (timeouts.read, timeouts.total)
    )
    return Timeouts(connect=timeouts.connect, read=read, total=total)


# This much of a too large answer is kept, to show what it was.
_KEPT_OF_TOO_LARGE: Final = 4096


# Something such as aioresponses answers in place of aiohttp's session where this has changed.
_REAL_REQUEST: Final = aiohttp.ClientSession._request  # noqa: SLF001


def _timed_out(attempt: Attempt, method: str, url: str) -> TransportError:
    if attempt.is_sent:
        return ReadTimeout(
            f"{method} {_shown(url)}: no complete answer in time", method=method, url=url
        )
    return ConnectError(f"{method} {_shown(url)}: no connection in time", method=method, url=url)


async def _only_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Prevent aiohttp from sending a GET or DELETE again by itself when a connection breaks.

    The caller decides on repeats, counts them and limits them. If a repeated DELETE gets a 404, the
    caller has to know that it was a repeat.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as cause:
        raise transport_error(cause, request.method, str(request.url)) from None


# Methods that aiohttp would repeat by itself; for all others it needs no middleware.
_MIDDLEWARES: Final = dict.fromkeys(
    ("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"), (_only_once,)
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
    """Translate an exception into a typed error, with `delivered` where it is known.

    An impossible address is the caller's mistake: InvalidInputError.
    """
    if isinstance(cause, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return InvalidInputError(f"{_shown(url)!r} is not a usable address.")
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
    """Remove the query (it is long), the user and the password from an address."""
    try:
        return str(URL(url, encoded=True).with_user(None).with_query(None))
    except ValueError:
        return url.partition("?")[0].rpartition("@")[2]


def ssl_settings(tls: Tls) -> ssl_module.SSLContext | bool:
    """Make the TLS settings. Raises InvalidInputError for a file that is missing or no PEM."""
    # aiohttp keeps a context for the usual case; reading all authorities again takes 20 ms.
    return True if tls == Tls() else ssl_context(tls)


def ssl_context(tls: Tls) -> ssl_module.SSLContext:
    """Make the TLS settings. Raises InvalidInputError for a file that is missing or no PEM."""
    try:
        context = ssl_module.create_default_context(cafile=tls.ca_file)
        if tls.client_cert is not None:
            # An encrypted key is an error; without a password, OpenSSL would ask at the terminal.
            context.load_cert_chain(tls.client_cert, tls.client_key, password="")
    except (OSError, ssl_module.SSLError) as cause:
        files = ", ".join(filter(None, (tls.ca_file, tls.client_cert, tls.client_key)))
        raise InvalidInputError(f"TLS cannot be set up from {files}: {cause}") from None
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl_module.CERT_NONE
    return context
