"""The request that aiohttp makes for us: cheaper than its own, and it reports when its bytes leave.

Most of the work of aiohttp per request has the same result for all of our requests, so it is done
once: the headers, the connection's key, and that there are no cookies, no login of aiohttp's and
nothing to compress. That is a sixth of what aiohttp does for a request. If a later version of
aiohttp calls these methods by other names, its own ones run, and the request is the same.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import aiohttp
from aiohttp import hdrs
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.typedefs import LooseHeaders
from multidict import CIMultiDict
from yarl import URL

from aioappsapi._http.watchdog import Watchdog


def session_headers(base: URL | None, user_agent: str) -> CIMultiDict[str]:
    """Return the headers that all requests of a session share."""
    host = None if base is None else base.host_port_subcomponent
    headers = CIMultiDict({} if host is None else {hdrs.HOST: host})
    headers.update(aiohttp.ClientRequest.DEFAULT_HEADERS)
    headers.update({hdrs.ACCEPT: "application/json", hdrs.USER_AGENT: user_agent})
    return headers


class StampedRequest(aiohttp.ClientRequest):
    """A request of this library. `request_class` makes the class of one session."""

    _watchdog: Watchdog
    _authority: str
    _keys: dict[str, ConnectionKey]
    # Without this, aiohttp would add a content type to a request without a body.
    POST_METHODS = set[str]()  # noqa: RUF012

    def send(self, conn: Connection) -> Coroutine[Any, Any, aiohttp.ClientResponse]:
        """Add the headers of the attempt, and report that its bytes leave."""
        # Not a coroutine function: that would cost a frame.
        if (attempt := self._watchdog.current()) is not None:
            self.headers.update(attempt.headers)
            if not attempt.is_sent:
                attempt.sent(self._watchdog.now())
        return super().send(conn)

    # -- fast path: the parts that are the same for all requests of a session

    def update_headers(self, headers: LooseHeaders | None) -> None:
        """Take over the session's headers, which were copied for this request."""
        if not isinstance(headers, CIMultiDict):
            super().update_headers(headers)
            return
        self.headers = headers
        if self.url.raw_authority != self._authority:
            headers[hdrs.HOST] = self.url.host_port_subcomponent or ""

    def update_auto_headers(self, skip_auto_headers: object) -> None:
        """Add nothing: the session's headers have them all."""

    def update_cookies(self, cookies: object) -> None:
        """Send no cookies."""

    def update_content_encoding(self, data: object) -> None:
        """Compress nothing."""

    def update_auth(self, auth: object, trust_env: bool = False) -> None:
        """Add no login: the headers have it."""

    def update_transfer_encoding(self) -> None:
        """Send no chunks: a body has its length."""

    def update_expect_continue(self, expect: bool = False) -> None:
        """Expect no interim answer."""

    @property
    def connection_key(self) -> ConnectionKey:
        """Return the key of the connections that the request may use."""
        if self.url.raw_authority != self._authority or self.proxy_headers:
            return super().connection_key
        if (key := self._keys.get(self.url.scheme)) is None:
            key = self._keys[self.url.scheme] = super().connection_key
        return key


def request_class(watchdog: Watchdog, base: URL | None) -> type[StampedRequest]:
    """Make the class of the requests of one session, whose headers `session_headers` makes.

    `base` is the address that most of them go to.
    """
    common = {
        "_watchdog": watchdog,
        "_authority": "" if base is None else base.raw_authority,
        "_keys": {},
    }
    return type("StampedRequest", (StampedRequest,), common)
