"""The answers of load balancers and routers in front of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aioappsapi.sandbox.api.answer import TEXT, Answer
from aioappsapi.sandbox.world.faults import Fault

_HTML: Final = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_BALANCER: Final = {
    Fault.BAD_GATEWAY: (502, "502 Bad Gateway"),
    Fault.BALANCER_UNAVAILABLE: (503, "503 Service Temporarily Unavailable"),
    Fault.GATEWAY_TIMEOUT: (504, "504 Gateway Time-out"),
}
_ROUTER: Final = {
    Fault.UNAVAILABLE: (
        503,
        "no_endpoints",
        "503 Service Unavailable: Requested route ('{host}') has no available endpoints.",
    ),
    Fault.UNKNOWN_ROUTE: (
        404,
        "unknown_route",
        "404 Not Found: Requested route ('{host}') does not exist.",
    ),
    Fault.ENDPOINT_FAILURE: (
        502,
        "endpoint_failure",
        "502 Bad Gateway: Registered endpoint failed to handle the request.",
    ),
    Fault.CLIENT_CLOSED: (499, "endpoint_failure", "499 Request Cancelled"),
}
NOT_DELIVERED: Final = frozenset({Fault.UNAVAILABLE, Fault.UNKNOWN_ROUTE})


def intermediary_answer(fault: Fault, host: str) -> Answer:
    """Return the answer of a load balancer or router for this fault."""
    if fault in _BALANCER:
        status, title = _BALANCER[fault]
        return Answer(status, _HTML.format(title), "text/html", framed=False, in_gate=True)
    status, reason, text = _ROUTER[fault]
    body = text.format(host=host) + "\n"
    headers = {"x-cf-routererror": reason, **_ROUTER_HEADERS}
    return Answer(status, body, TEXT, framed=False, in_gate=True, headers=headers)


_ROUTER_HEADERS: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache, no-store",
}
