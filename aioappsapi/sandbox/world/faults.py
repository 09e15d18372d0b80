"""Faults of the sandbox, by shares and a seeded random draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Final, Self

from aioappsapi.sandbox.world.randomness import rolls, stretched


class Fault(Enum):
    """A transient fault of one request; the value is the name of its share."""

    RATE_LIMITED = "rate_limited"
    BAD_GATEWAY = "bad_gateway"
    UNAVAILABLE = "unavailable"
    RUNNER_UNAVAILABLE = "runner_unavailable"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    ENDPOINT_FAILURE = "endpoint_failure"
    BALANCER_UNAVAILABLE = "balancer_unavailable"
    GATEWAY_TIMEOUT = "gateway_timeout"
    CLIENT_CLOSED = "client_closed"
    UNKNOWN_ROUTE = "unknown_route"
    UNKNOWN_ERROR = "unknown_error"
    RUNNER_ERROR = "runner_error"
    HOLLOW_SUCCESS = "hollow_success"
    TOKEN_EXPIRED = "token_expired"
    TRUNCATED = "truncated"
    GARBAGE = "garbage"
    DRIP = "drip"


RUNNER: Final = {
    Fault.RUNNER_UNAVAILABLE: "bbs-503",
    Fault.RUNNER_ERROR: "bbs-error",
    Fault.HOLLOW_SUCCESS: "dns",
}
_OTHER_SHARES: Final = (
    "without_droplet",
    "crash",
    "crash_once",
    "staging_failed",
    "latency_spread",
    "startup_spread",
)
_TIMES: Final = (
    "retry_after",
    "rate_limited_for",
    "drip_pause",
    "latency",
    "startup",
    "readiness",
    "shutdown",
    "repair_after",
    "sync_interval",
    "reads",
    "writes",
    "overload_crash",
)


@dataclass(frozen=True, slots=True)
class Draw:
    """The draw of one request: a fault or none, and the time that the server takes.

    `handled`: if the answer is lost at the gateway, the server has carried the request out.
    """

    fault: Fault | None
    handled: bool
    delay: float


@dataclass(frozen=True, slots=True)
class Faults:
    """How often each fault occurs. Shares are between 0 and 1; by default there are no faults.

    Transient faults occur in start, stop and restart, at most `max_per_app` times for each app, so
    that a client with retries succeeds. They occur in GETs by `reads` times the shares, and in
    all other changes by `writes` times the shares; for these, `max_per_app` counts equal requests.
    The same seed, app and number of the request for that app give the same fault, in any order of
    requests. Faults may be replaced at any time: `dataclasses.replace(faults, crash=0.1)`.

    Apps:

    - `without_droplet`: apps that cannot start (422), chosen when the world is created.
    - `staging_failed`: builds that end as FAILED.

    Refused without effect:

    - `rate_limited`: 429 with `Retry-After: {retry_after}`. All requests get a 429 for the next
      `rate_limited_for` seconds.
    - `unavailable`: 503 `no_endpoints` of the router, in text.
    - `unknown_route`: 404 `unknown_route` of the router, in text.
    - `token_expired`: 401, and the token is no longer valid.
    - `reset_before`: the connection breaks.

    Lost on the way; half of the requests take effect:

    - `bad_gateway`: 502 in a load balancer's HTML; `endpoint_failure`: 502 in the router's text.
    - `balancer_unavailable`, `gateway_timeout`: 503 and 504 in HTML.
    - `client_closed`: 499 in text.
    - `unknown_error`: 500 of the API.

    The request takes effect, but:

    - `reset_after`: the connection breaks.
    - `truncated`: the body ends in the middle, and so does the connection.
    - `garbage`: 200 with half of the JSON.
    - `drip`: the answer is complete, but its body comes in pieces, every `drip_pause` seconds.

    The new state is stored, and Diego gets it `repair_after` seconds later (only start, stop and
    restart have these faults):

    - `runner_unavailable`, `runner_error`: 503 and 500 of the API. A restart is rolled back.
    - `hollow_success`: 200, although no instance starts yet. A restart is refused with 503.

    Time:

    - `latency`: mean seconds that every API request takes; `latency_spread` is its
      exponential part, and the rest is constant.
    - `rate_limit`: requests per user in `rate_window` seconds; None means no limit. Admins are
      limited unless `limit_admins` is off. `address_rate_limit`: requests per address without a
      valid token, by default half of `rate_limit`.
    - `v2_rate_limit`: requests below /v2 per user in the same window. Admins get twice as many.

    Instances:

    - `startup`: mean seconds that an instance takes to start; `startup_spread` is its
      exponential part. `readiness`: seconds from running to routable.
    - `shutdown`: seconds that an instance takes to stop.
    - `crash`: instances that crash after every start; `crash_once`: instances that crash only after
      the first start. They stay CRASHED for `crash_backoff` seconds, and twice as long each time.
    - `overload_crash`: if n instances are starting on a cell that can start m at a time
      (`Sandbox(max_starting_per_cell=m)`), the next instance crashes with this share times
      (n+1)/m - 1, and takes (n+1)/m times as long to start.
    - `deployment_interval`: seconds between two steps of a deployment. `sync_interval`: seconds
      until Diego starts the instances that a canceled deployment restores.
    """

    without_droplet: float = 0.0
    rate_limited: float = 0.0
    bad_gateway: float = 0.0
    unavailable: float = 0.0
    runner_unavailable: float = 0.0
    reset_before: float = 0.0
    reset_after: float = 0.0
    endpoint_failure: float = 0.0
    balancer_unavailable: float = 0.0
    gateway_timeout: float = 0.0
    client_closed: float = 0.0
    unknown_route: float = 0.0
    unknown_error: float = 0.0
    runner_error: float = 0.0
    hollow_success: float = 0.0
    token_expired: float = 0.0
    truncated: float = 0.0
    garbage: float = 0.0
    drip: float = 0.0
    max_per_app: int = 2
    reads: float = 0.0
    writes: float = 0.0
    retry_after: int = 1
    rate_limited_for: float = 0.0
    drip_pause: float = 0.01
    latency: float = 0.0
    latency_spread: float = 1.0
    startup: float = 0.0
    startup_spread: float = 0.5
    readiness: float = 0.0
    shutdown: float = 0.0
    crash: float = 0.0
    crash_once: float = 0.0
    crash_backoff: float = 1.0
    overload_crash: float = 0.5
    repair_after: float = 30.0
    deployment_interval: float = 0.1
    sync_interval: float = 0.2
    rate_limit: int | None = None
    rate_window: float = 60.0
    limit_admins: bool = True
    address_rate_limit: int | None = None
    v2_rate_limit: int | None = None
    staging_failed: float = 0.0
    _bounds: tuple[tuple[float, Fault], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shares = {fault: getattr(self, fault.value) for fault in Fault}
        bounds, bound = [], 0.0
        for fault, share in shares.items():
            bound += share
            if share:
                bounds.append((bound, fault))
        object.__setattr__(self, "_bounds", tuple(bounds))
        self._check([fault.value for fault in Fault])

    def _check(self, transient: list[str]) -> None:
        for name in (*transient, *_OTHER_SHARES):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(
                    f"{name} must be a share between 0 and 1, not {getattr(self, name)!r}"
                )
        for name in _TIMES:
            if not getattr(self, name) >= 0.0:
                raise ValueError(
                    f"{name} must be a number of at least 0, not {getattr(self, name)!r}"
                )
        for name in ("crash_backoff", "rate_window", "deployment_interval"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be more than 0 seconds, not {getattr(self, name)!r}")
        together = self._bounds[-1][0] if self._bounds else 0.0
        if together * max(1.0, self.reads, self.writes) > 1.0 + 1e-9:
            raise ValueError("the sum of the shares of the transient faults is more than 1")

    @classmethod
    def none(cls) -> Self:
        """Return no faults."""
        return cls()

    @classmethod
    def demo(cls) -> Self:
        """Return a few faults of most kinds, with answers after about 20 ms."""
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

    @classmethod
    def chaos(cls) -> Self:
        """Return faults for every seventh action, and a few for all other requests.

        All delays are short, so that tests are fast. Only `hollow_success` is missing, because a
        client cannot distinguish it from a success.
        """
        return cls(
            bad_gateway=0.01,
            unavailable=0.01,
            runner_unavailable=0.01,
            reset_before=0.01,
            reset_after=0.01,
            endpoint_failure=0.01,
            balancer_unavailable=0.01,
            gateway_timeout=0.01,
            client_closed=0.01,
            unknown_route=0.01,
            unknown_error=0.01,
            runner_error=0.01,
            truncated=0.01,
            garbage=0.01,
            drip=0.01,
            without_droplet=0.02,
            rate_limited=0.004,
            token_expired=0.004,
            reads=0.3,
            writes=0.5,
            retry_after=0,
            rate_limited_for=0.02,
            drip_pause=0.001,
            startup=0.05,
            crash_once=0.02,
            crash_backoff=0.05,
            repair_after=0.2,
        )

    @classmethod
    def profile(cls, name: str) -> Self:
        """Return the faults of a profile: none, demo or chaos. Raises ValueError for others."""
        if name not in PROFILES:
            known = ", ".join(map(repr, PROFILES))
            raise ValueError(f"there is no profile {name!r}; the profiles are {known}")
        made: Self = getattr(cls, name)()
        return made

    @property
    def quiet(self) -> bool:
        """Whether no request needs a random draw."""
        return not (self._bounds or self.latency)

    def draw(self, seed: int, subject: str, number: int, weight: float = 1.0) -> Draw:
        """Draw for the n-th request of this subject; `weight` multiplies the shares."""
        which, coin, wait = rolls(seed, subject, number, count=3)
        fault = next((f for bound, f in self._bounds if which < bound * weight), None)
        return Draw(fault, coin < 0.5, stretched(self.latency, self.latency_spread, wait))


PROFILES: Final = ("none", "demo", "chaos")
FIELDS: Final = {one.name: one.default for one in fields(Faults) if one.init}


def changed(faults: Faults, values: Mapping[str, object]) -> Faults:
    """Return the faults with other values. Raises ValueError for bad names and values."""
    for name, value in values.items():
        if name not in FIELDS:
            raise ValueError(f"there is no fault {name!r}; the faults are {', '.join(FIELDS)}")
        kind = int if FIELDS[name] is None else type(FIELDS[name])
        number = kind is float and type(value) is int
        nothing = FIELDS[name] is None and value is None
        if not (type(value) is kind or number or nothing):
            raise ValueError(f"{name} cannot be {value!r}")
    return replace(faults, **values)  # type: ignore[arg-type] # checked above
