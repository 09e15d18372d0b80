"""The observer of one client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode, Tracer

from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.message import Request
from aioappsapi._http.observer import OnEnd
from aioappsapi.bulk.reports import outcome as outcomes
from aioappsapi.bulk.run.observer import Numbers, RunEvents
from aioappsapi.telemetry import attributes as names
from aioappsapi.telemetry.attempts import Attempt, Kind, begin_span, without_spans
from aioappsapi.telemetry.metrics import Metrics
from aioappsapi.telemetry.runs import RunCounts, RunSpans, note_error
from aioappsapi.telemetry.waits import waiting


class ClientObserver:
    """Makes the spans and metrics of the calls and runs of one client."""

    def __init__(
        self,
        tracer: Tracer,
        metrics: Metrics,
        api_url: str,
        throttle: Throttle,
        *,
        app_spans: bool,
    ) -> None:
        self.server = names.server_of(api_url)
        self.throttle = throttle
        self._tracer = tracer
        self._metrics = metrics
        self._url = api_url
        self._app_spans = app_spans
        self._runs: tuple[Numbers, ...] = ()
        self._kinds: dict[tuple[str, str], Kind] = {}

    def starting(self) -> Counter[str]:
        """Count the apps whose instances are awaited, by action."""
        found: Counter[str] = Counter()
        for run in self._runs:
            found[run.action] += run.waiting
        return found

    # -- calls

    def attempt(self, request: Request, headers: dict[str, str], resends: int) -> OnEnd:
        """Begin the span of an attempt."""
        place = (request.method, request.template)
        kind = self._kinds.get(place)
        if kind is None:
            kind = self._kinds[place] = Kind.of(request, self.server)
        span = None
        if not without_spans.get():
            span = begin_span(self._tracer, kind, self._url, request, headers, resends)
        return Attempt(kind, self._metrics, span, headers)

    def waiting(self, request: Request, *, closed: bool) -> Callable[[], object]:
        """Note on the current span how long a request waits, once it goes on."""
        del request
        return waiting(self._metrics, self.server, trace.get_current_span(), closed=closed)

    def backing_off(self, request: Request, seconds: float) -> None:
        """Note on the current span that a failed request pauses."""
        del request
        if not seconds:
            return  # the shared gate or login makes it wait
        trace.get_current_span().add_event("back-off", {names.SECONDS: seconds})

    # -- runs

    @contextmanager
    def run(self, numbers: Numbers) -> Iterator[RunEvents]:
        """Make the span of a run, which is current inside."""
        action = numbers.action
        self._runs = (*self._runs, numbers)
        with self._tracer.start_as_current_span(
            f"{action} apps",
            attributes={**self.server, names.ACTION: action},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield self._events(action)
            except BaseException as error:
                _summarise(span, numbers)
                note_error(span, error)
                raise
            else:
                _summarise(span, numbers)
            finally:
                self._runs = tuple(one for one in self._runs if one is not numbers)

    def _events(self, action: str) -> RunEvents:
        if not self._app_spans or not trace.get_current_span().is_recording():
            return RunCounts(self._metrics, action, self.server)
        here = contexts.get_current()
        return RunSpans(self._metrics, action, self.server, self._tracer, here)


def _summarise(span: Span, numbers: Numbers) -> None:
    counts = numbers.counts
    span.set_attribute(names.APPS, numbers.total or 0)
    for status in outcomes.Status:
        if counts[status]:
            span.set_attribute(f"{names.APPS}.{status.value}", counts[status])
    span.set_attribute(names.REQUESTS, numbers.requests.sent)
    span.set_attribute(f"{names.REQUESTS}.retried", numbers.requests.retried)
    if numbers.stop_reason is not None:
        span.set_attribute(names.STOPPED, numbers.stop_reason)
    failed = counts[outcomes.Status.FAILED] + counts[outcomes.Status.TIMED_OUT]
    if failed:
        span.set_status(Status(StatusCode.ERROR, f"{failed} of {numbers.total} apps failed"))
