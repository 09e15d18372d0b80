"""What goes wrong in the sandbox, by shares of a seeded lot, and what it looks like on the wire."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from enum import Enum
from typing import Final

from .answer import TEXT, Answer, ApiError, rate_limit_exceeded

_SCALE: Final = 2.0**-64


class Fault(Enum):
    """A passing misfortune of one start, stop or restart; the value is the share's name."""

    RATE_LIMITED = "rate_limited"
    BAD_GATEWAY = "bad_gateway"
    UNAVAILABLE = "unavailable"
    RUNNER_UNAVAILABLE = "runner_unavailable"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"


@dataclass(frozen=True, slots=True)
class Lot:
    """What one request drew: a fault or none, and how long the server takes.

    `handled` tells whether a request whose answer is lost at the gateway had reached the server.
    """

    fault: Fault | None
    handled: bool
    delay: float


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what goes wrong; shares are between 0 and 1, and the default is never.

    Transient faults meet start, stop and restart only, and an app at most `max_per_app` times, so
    that a client which repeats gets through. The same seed, app and number of the request on that
    app draw the same lot, in whatever order requests arrive.

    - `without_droplet`: apps that cannot start (422), drawn when the world is made.
    - `rate_limited`: 429 with `Retry-After: 1`; nothing was done.
    - `bad_gateway`: 502 in HTML; half of these requests had been carried out.
    - `unavailable`: 503 `no_endpoints` of the router; nothing was done.
    - `runner_unavailable`: 503 of the API with the state already written down; instances come up
      `repair_after` seconds later. A restart is rolled back.
    - `reset_before`, `reset_after`: the connection breaks, before or after the work.
    - `latency`: mean seconds that every API request takes; `latency_spread` is the part of it
      that is exponential, the rest is the same for all.
    - `startup`: seconds from a start until the instances run.
    - `rate_limit`: requests per user in `rate_window` seconds, admins too unless `limit_admins`
      is off; half of it per address without a valid token. None is no limit.
    - `v2_rate_limit`: requests below /v2 per user in the same window, twice as many for admins.
    """

    without_droplet: float = 0.0
    rate_limited: float = 0.0
    bad_gateway: float = 0.0
    unavailable: float = 0.0
    runner_unavailable: float = 0.0
    reset_before: float = 0.0
    reset_after: float = 0.0
    max_per_app: int = 2
    latency: float = 0.0
    latency_spread: float = 1.0
    startup: float = 0.0
    repair_after: float = 30.0
    rate_limit: int | None = None
    rate_window: float = 60.0
    limit_admins: bool = True
    v2_rate_limit: int | None = None

    def __post_init__(self) -> None:
        shares = {fault.value: getattr(self, fault.value) for fault in Fault}
        for name, share in (shares | {"without_droplet": self.without_droplet}).items():
            if not 0.0 <= share <= 1.0:
                raise ValueError(f"{name} is a share between 0 and 1, not {share!r}")
        if sum(shares.values()) > 1.0 + 1e-9:
            raise ValueError("the shares of the transient faults are more than 1 together")

    @classmethod
    def none(cls) -> Faults:
        """Let everything go well."""
        return cls()

    @classmethod
    def demo(cls) -> Faults:
        """Have a bad day: a little of everything goes wrong, and answers take about 20 ms."""
        return cls(
            without_droplet=0.02,
            rate_limited=0.003,
            bad_gateway=0.01,
            unavailable=0.01,
            runner_unavailable=0.005,
            reset_before=0.01,
            reset_after=0.005,
            latency=0.02,
            repair_after=1.0,
        )

    @property
    def quiet(self) -> bool:
        """Whether no request needs to draw a lot."""
        return not (self.latency or any(getattr(self, fault.value) for fault in Fault))

    def draw(self, seed: int, subject: str, number: int) -> Lot:
        """Draw the lot of the n-th request on this subject."""
        digest = hashlib.blake2b(f"{seed}/{subject}/{number}".encode(), digest_size=24).digest()
        which, coin, wait = (
            int.from_bytes(digest[i : i + 8], "big") * _SCALE for i in range(0, 24, 8)
        )
        return Lot(self._fault(which), coin < 0.5, self._delay(wait))

    def _fault(self, roll: float) -> Fault | None:
        bound = 0.0
        for fault in Fault:
            bound += getattr(self, fault.value)
            if roll < bound:
                return fault
        return None

    def _delay(self, roll: float) -> float:
        if not self.latency:
            return 0.0
        exponential = -math.log(1.0 - min(roll, 1.0 - 1e-12))
        return self.latency * (1.0 - self.latency_spread + self.latency_spread * exponential)


class RateLimiter:
    """Counts requests by user and window as the API does; refused ones count too."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[int, float]] = {}

    def count(self, key: str, limit: int, window: float) -> tuple[bool, dict[str, str]]:
        """Count a request: whether it may pass, and the headers that tell the user."""
        now = time.time()
        used, end = self._windows.get(key, (0, 0.0))
        if end <= now:
            used, end = 0, now + window
        used += 1
        self._windows[key] = (used, end)
        headers = {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-reset": str(math.ceil(end)),
            "x-ratelimit-remaining": str(_in_tenths(limit - used, limit)),
        }
        if used > limit:
            headers["retry-after"] = str(max(1, math.ceil(end - now)))
        return used <= limit, headers


def _in_tenths(left: int, limit: int) -> int:
    # The API shows steps of 10 %, so the last requests are allowed at a remaining 0.
    return max(0, left) * 10 // limit * limit // 10 if limit else 0


def refused(error: ApiError, headers: dict[str, str], *, old: bool = False) -> Answer:
    """Return a 429 as the API sends it: JSON, but typed as plain text.

    Paths of `old` versions get the older error shape.
    """
    body = error.old_body() if old else error.body()
    return Answer(429, body, TEXT, framed=False, headers=headers)


def passing(fault: Fault, host: str) -> Answer:
    """Return the answer of those faults that are answered by something in front of the API."""
    if fault is Fault.RATE_LIMITED:
        return _too_many()
    if fault is Fault.BAD_GATEWAY:
        body = _HTML.format("502 Bad Gateway")
        return Answer(502, body, "text/html", framed=False, in_front=True)
    body = f"503 Service Unavailable: Requested route ('{host}') has no available endpoints.\n"
    headers = {
        "x-cf-routererror": "no_endpoints",
        "x-content-type-options": "nosniff",
        "cache-control": "no-cache, no-store",
    }
    return Answer(503, body, TEXT, framed=False, in_front=True, headers=headers)


def _too_many() -> Answer:
    headers = {
        "x-ratelimit-limit": "20000",
        "x-ratelimit-reset": str(int(time.time()) + 1),
        "x-ratelimit-remaining": "0",
        "retry-after": "1",
    }
    return refused(rate_limit_exceeded(), headers)


_HTML: Final = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
