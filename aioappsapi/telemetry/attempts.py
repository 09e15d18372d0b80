"""Spans and durations of attempts."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final, NamedTuple

from opentelemetry import context as contexts
from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from aioappsapi._http.clock import loop_time
from aioappsapi._http.message import Request, Response
from aioappsapi.telemetry import attributes as names
from aioappsapi.telemetry.metrics import Metrics

# The key by which instrumentations of HTTP clients agree that an outer one does the work. It has no
# public name. Without it, spans of both are made.
_SUPPRESS: Final = getattr(
    contexts, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation"
)

# True in the calls of an app whose run shows no spans of apps.
without_spans: ContextVar[bool] = ContextVar("aioappsapi_without_spans", default=False)


class Kind(NamedTuple):
    """The parts that all attempts at one endpoint of one server share.

    `original` is a method that HTTP does not know. It would make a series of its own in a metric.
    """

    span: str
    attributes: Mapping[str, str | int]
    original: str | None

    @classmethod
    def of(cls, request: Request, server: Mapping[str, str | int]) -> Kind:
        """Return the kind of a request."""
        known = request.method in names.METHODS
        attributes = {**server, names.METHOD: request.method if known else "_OTHER"}
        name = request.method if known else "HTTP"
        if request.template:
            attributes[names.TEMPLATE] = template = names.template_of(request.template)
            name = f"{name} {template}"
        return cls(name, attributes, None if known else request.method)


class Attempt:
    """An attempt that is under way; called with its answer, or with what was raised.

    Its span is current until then, so logs have its ids. The HTTP client makes no span of its own
    meanwhile, whatever instruments it: it would be the same one again.
    """

    __slots__ = ("_began", "_kind", "_metrics", "_span", "_token")

    def __init__(
        self, kind: Kind, metrics: Metrics, span: Span | None, headers: dict[str, str]
    ) -> None:
        self._kind = kind
        self._metrics = metrics
        self._span = span
        context = contexts.set_value(_SUPPRESS, True)
        if span is not None:
            context = trace.set_span_in_context(span, context)
        propagate.inject(headers, context)
        self._token = contexts.attach(context)
        self._began = loop_time()

    def __call__(self, end: Response | BaseException) -> None:
        """End the span, and record the duration."""
        seconds = loop_time() - self._began
        contexts.detach(self._token)
        result: dict[str, str | int] = {}
        if isinstance(end, Response):
            result[names.STATUS] = end.status
        if (error := _error_type(end)) is not None:
            result[names.ERROR] = error
        self._metrics.duration.record(seconds, {**self._kind.attributes, **result})
        if self._span is not None:
            if self._span.is_recording():
                _describe(self._span, end, result)
            self._span.end()


def begin_span(
    tracer: Tracer, kind: Kind, url: str, request: Request, headers: dict[str, str], resends: int
) -> Span:
    """Begin the span of an attempt. `url` is the address of the API."""
    span = tracer.start_span(kind.span, kind=SpanKind.CLIENT, attributes=kind.attributes)
    if span.is_recording():
        # Without the query: it may hold a secret, and hundreds of GUIDs.
        span.set_attribute(names.URL, url + request.path.partition("?")[0])
        span.set_attribute(names.REQUEST_ID_SENT, [headers["X-Vcap-Request-Id"]])
        if resends:
            span.set_attribute(names.RESENDS, resends)
        if kind.original is not None:
            span.set_attribute(names.METHOD_ORIGINAL, kind.original)
    return span


def _describe(span: Span, end: Response | BaseException, result: Mapping[str, str | int]) -> None:
    span.set_attributes(result)
    if isinstance(end, Response) and (request_id := end.request_id) is not None:
        span.set_attribute(names.REQUEST_ID, [request_id])
    if names.ERROR in result:
        said = None if isinstance(end, Response) else str(end) or None
        span.set_status(Status(StatusCode.ERROR, said))


def _error_type(end: Response | BaseException) -> str | None:
    if isinstance(end, Response):
        return str(end.status) if end.status >= 400 else None
    return type(end).__name__
