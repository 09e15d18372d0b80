"""`Telemetry`: what a client is given to make spans and metrics."""

from __future__ import annotations

from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._version import __version__
from aioappsapi.telemetry.metrics import Metrics
from aioappsapi.telemetry.observer import ClientObserver

_NAME: Final = "aioappsapi"


class Telemetry:
    """Spans and metrics of all calls and runs of the clients that have it.

    ``Client(url, auth=auth, telemetry=Telemetry())``. Spans of a run are: run, app, step, attempt;
    a single call has its attempts below the span that is current. ``app_spans=False`` makes no
    spans for apps, steps and their attempts: a run of 10,000 apps is one span then, with the counts
    of its outcomes, and its reads below it. The providers are those of the program; pass others to
    send spans or metrics elsewhere. Share one `Telemetry` among all clients of a process.
    Source: OpenTelemetry's semantic conventions for HTTP clients.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        app_spans: bool = True,
    ) -> None:
        self._tracer = trace.get_tracer(_NAME, __version__, tracer_provider)
        self._metrics = Metrics(metrics.get_meter(_NAME, __version__, meter_provider))
        self._app_spans = app_spans

    def __repr__(self) -> str:
        return f"Telemetry(app_spans={self._app_spans})"

    def observe(self, api_url: str, throttle: Throttle) -> ClientObserver:
        """Make the observer of a client. `Client` calls this."""
        observer = ClientObserver(
            self._tracer, self._metrics, api_url, throttle, app_spans=self._app_spans
        )
        self._metrics.add(observer)
        return observer
