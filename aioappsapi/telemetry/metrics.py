"""The metrics of all clients that share a `Telemetry`."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from aioappsapi._http.limits.throttle import Throttle

# Those that the conventions advise for durations of HTTP requests.
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_LONG_BUCKETS: Final = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600)


class Gauges(Protocol):
    """The present numbers of one client."""

    server: dict[str, str | int]
    throttle: Throttle

    def starting(self) -> Mapping[str, int]:
        """Count the apps whose instances are awaited, by action."""
        ...


class Metrics:
    """The instruments, and the clients whose present numbers are read when metrics are collected.

    That happens in a thread of the SDK, so the clients are a tuple that is replaced as a whole.
    """

    def __init__(self, meter: Meter) -> None:
        self._clients: tuple[weakref.ref[Gauges], ...] = ()
        self.duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of attempts: a request that is sent again is another one.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self.gate = meter.create_histogram(
            "aioappsapi.gate.wait.duration",
            unit="s",
            description="How long requests waited for the rate limit.",
            explicit_bucket_boundaries_advisory=_LONG_BUCKETS,
        )
        self.outcomes = meter.create_counter(
            "aioappsapi.outcomes", unit="{app}", description="Apps of runs by action and outcome."
        )
        self.flushes = meter.create_histogram(
            "aioappsapi.journal.flush.duration",
            unit="s",
            description="How long journals took to be on disk.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        meter.create_observable_up_down_counter(
            "http.client.active_requests",
            [self._in_flight],
            unit="{request}",
            description="Requests in flight.",
        )
        meter.create_observable_gauge(
            "aioappsapi.requests.limit",
            [self._limit],
            unit="{request}",
            description="How many requests may be in flight, as the load of the server allows.",
        )
        meter.create_observable_up_down_counter(
            "aioappsapi.apps.starting",
            [self._starting],
            unit="{app}",
            description="Apps that the server accepted and whose instances are awaited.",
        )

    def add(self, client: Gauges) -> None:
        """Read the numbers of a client as long as it exists."""
        known = (one for one in self._clients if one() is not None)
        self._clients = (*known, weakref.ref(client))

    def _present(self) -> Iterator[Gauges]:
        return (client for one in self._clients if (client := one()) is not None)

    def _in_flight(self, options: CallbackOptions) -> Iterable[Observation]:
        del options
        for client in self._present():
            yield Observation(client.throttle.in_flight, client.server)

    def _limit(self, options: CallbackOptions) -> Iterable[Observation]:
        del options
        for client in self._present():
            yield Observation(client.throttle.limit, client.server)

    def _starting(self, options: CallbackOptions) -> Iterable[Observation]:
        del options
        for client in self._present():
            for action, apps in client.starting().items():
                yield Observation(apps, {**client.server, "aioappsapi.action": action})
