"""Which proxy the requests to a host go through."""

from __future__ import annotations

import urllib.request
from ipaddress import ip_address, ip_network

from yarl import URL

from aioappsapi.errors import InvalidInputError


class Proxies:
    """The proxy of each host: one address for all of them, or what the environment says.

    `address` is "" for no proxy, or None for the environment. The API and its UAA are different
    hosts, and `NO_PROXY` may name only one of them. Each host is looked up once: aiohttp's own
    look-up for each request costs five times the request. Raises InvalidInputError for an address
    that cannot be one.
    """

    def __init__(self, address: str | None) -> None:
        self._is_fixed = address is not None
        self._fixed = _proxy_url(address) if address else None
        self._found: dict[str, URL | None] = {}

    def find(self, url: str) -> URL | None:
        """Return the proxy for an address; None without one. Raises InvalidInputError."""
        if self._is_fixed:
            return self._fixed
        origin = "/".join(url.split("/", 3)[:3])
        if origin not in self._found:
            proxy = proxy_from_environment(origin)
            self._found[origin] = _proxy_url(proxy) if proxy else None
        return self._found[origin]


def proxy_from_environment(url: str) -> str | None:
    """Find the proxy for an address in `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`.

    `NO_PROXY` lists hosts that need none: names, with their subdomains, addresses, and networks
    like ``10.0.0.0/8``.
    """
    parsed = URL(url)
    if not parsed.host or urllib.request.proxy_bypass(f"{parsed.host}:{parsed.port}"):
        return None
    proxies = urllib.request.getproxies()
    if _is_in_network(parsed.host, proxies.get("no", "")):
        return None
    return proxies.get(parsed.scheme) or proxies.get("all")


def _is_in_network(host: str, no_proxy: str) -> bool:
    """Check whether an address is in one of the networks of `NO_PROXY`, like ``10.0.0.0/8``."""
    try:
        address = ip_address(host)
    except ValueError:
        return False  # a name
    for entry in no_proxy.split(","):
        try:
            if address in ip_network(entry.strip(), strict=False):
                return True
        except ValueError:
            continue  # a name
    return False


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
