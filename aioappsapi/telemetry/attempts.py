"""Spans and durations of attempts."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

from opentelemetry import context as contexts
from opentelemetry import propagate, trace
from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from aioappsapi._http.clock import loop_time
from aioappsapi._http.message import Request, Response
from aioappsapi.telemetry import attributes as names
from aioappsapi.telemetry.metrics import Metrics

# True in the calls of an app whose run shows no spans of apps.
without_spans: ContextVar[bool] = ContextVar("aioappsapi_without_spans", default=False)


class Attempt:
    """An attempt that is under way; called with its answer, or with what was raised.

    Its span is current until then, so logs have its ids. The HTTP client makes no span of its own
    meanwhile, whatever instruments it: it would be the same one again.
    """

    __slots__ = ("_attributes", "_began", "_metrics", "_span", "_token")

    def __init__(
        self,
        tracer: Tracer,
        metrics: Metrics,
        url: str,
        server: Mapping[str, str | int],
        request: Request,
        headers: dict[str, str],
        resends: int,
    ) -> None:
        self._metrics = metrics
        self._attributes: dict[str, str | int] = {**server, **names.method_of(request.method)}
        if request.template:
            self._attributes[names.TEMPLATE] = names.template_of(request.template)
        self._span: Span = trace.INVALID_SPAN
        context = contexts.set_value(_SUPPRESS_HTTP_INSTRUMENTATION_KEY, True)
        if not without_spans.get():
            self._span = _begin(tracer, self._attributes, url, request, headers, resends)
            context = trace.set_span_in_context(self._span, context)
        propagate.inject(headers, context)
        self._token = contexts.attach(context)
        self._began = loop_time()

    def __call__(self, end: Response | BaseException) -> None:
        """End the span, and record the duration."""
        seconds = loop_time() - self._began
        contexts.detach(self._token)
        attributes, error = self._attributes, _error_type(end)
        if isinstance(end, Response):
            attributes[names.STATUS] = end.status
        if error is not None:
            attributes[names.ERROR] = error
        self._metrics.duration.record(seconds, attributes)
        if self._span.is_recording():
            self._describe(end, error)
        self._span.end()

    def _describe(self, end: Response | BaseException, error: str | None) -> None:
        span = self._span
        if isinstance(end, Response):
            span.set_attribute(names.STATUS, end.status)
            if (request_id := end.request_id) is not None:
                span.set_attribute(names.REQUEST_ID, [request_id])
        if error is not None:
            span.set_attribute(names.ERROR, error)
            said = None if isinstance(end, Response) else str(end) or None
            span.set_status(Status(StatusCode.ERROR, said))


def _begin(
    tracer: Tracer,
    attributes: Mapping[str, str | int],
    url: str,
    request: Request,
    headers: Mapping[str, str],
    resends: int,
) -> Span:
    method = str(attributes[names.METHOD])
    template = attributes.get(names.TEMPLATE)
    more: dict[str, str | int | list[str]] = {
        # Without the query: it may hold a secret, and hundreds of GUIDs.
        names.URL: url + request.path.partition("?")[0],
        names.REQUEST_ID_SENT: [headers["X-Vcap-Request-Id"]],
    }
    if resends:
        more[names.RESENDS] = resends
    verb = "HTTP" if method == "_OTHER" else method
    return tracer.start_span(
        f"{verb} {template}" if template else verb,
        kind=SpanKind.CLIENT,
        attributes={**attributes, **more},
    )


def _error_type(end: Response | BaseException) -> str | None:
    if isinstance(end, Response):
        return str(end.status) if end.status >= 400 else None
    return type(end).__name__
