"""Spans as text, and an SDK that keeps them in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the SDK of OpenTelemetry is not installed")

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from aioappsapi.telemetry import Telemetry

# What a tree shows; ids, addresses and times are left out.
_SHOWN = {
    "http.response.status_code": "",
    "http.request.resend_count": "resend ",
    "aioappsapi.outcome": "",
    "aioappsapi.reason": "because ",
    "aioappsapi.apps": "apps ",
    "aioappsapi.apps.ok": "ok ",
    "aioappsapi.apps.failed": "failed ",
    "error.type": "error ",
}


class Kept:
    """A `Telemetry` whose spans and metrics are kept."""

    def __init__(self, *, sampled: bool = True, app_spans: bool = True) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider(ALWAYS_ON if sampled else ALWAYS_OFF)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        meters = MeterProvider([self._reader])
        self.tracer = self.tracers.get_tracer("tests")
        self.telemetry = Telemetry(
            tracer_provider=self.tracers, meter_provider=meters, app_spans=app_spans
        )

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._spans.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def tree(self) -> str:
        """All spans as text: a line for each, its events below it, indented by their depth."""
        roots = [span for span in self.spans if span.parent is None]
        return "\n".join(line for root in _in_order(roots) for line in self._lines(root, 0))

    def _lines(self, span: ReadableSpan, depth: int) -> Iterator[str]:
        yield f"{'  ' * depth}{_described(span)}"
        for event in span.events:
            seconds = (event.attributes or {}).get("aioappsapi.seconds")
            more = "" if seconds is None else f" {int(seconds)} s"
            yield f"{'  ' * (depth + 1)}* {event.name}{more}"
        mine = [one for one in self.spans if one.parent and one.parent.span_id == _id(span)]
        for child in _in_order(mine):
            yield from self._lines(child, depth + 1)

    def points(self, metric: str) -> dict[frozenset[tuple[str, object]], float]:
        """The points of a metric by their attributes without the server's: a value, or a count."""
        data = self._reader.get_metrics_data()
        found: dict[frozenset[tuple[str, object]], float] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for one in scope.metrics:
                    for point in one.data.data_points if one.name == metric else ():
                        shown = {k: v for k, v in point.attributes.items() if "server" not in k}
                        value = getattr(point, "value", None)
                        key = frozenset(shown.items())
                        found[key] = point.count if value is None else value
        return found


def _id(span: ReadableSpan) -> int:
    return span.get_span_context().span_id


def _in_order(spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
    return sorted(spans, key=lambda span: span.start_time or 0)


def _described(span: ReadableSpan) -> str:
    attributes = span.attributes or {}
    known = [
        f"{label}{str(attributes[name]).partition(' (')[0]}"
        for name, label in _SHOWN.items()
        if name in attributes
    ]
    who = str(attributes.get("cloudfoundry.app.id", ""))
    mark = "!" if span.status.status_code is trace.StatusCode.ERROR else ""
    head = f"{mark}{span.name} {who}".rstrip()
    return f"{head}: {', '.join(known)}" if known else head


class Broken(SpanProcessor):
    """Raises where spans of a name begin or end."""

    def __init__(self, *, start: str = "", end: str = "") -> None:
        self.start, self.end = start, end

    def on_start(self, span: ReadableSpan, parent_context: object = None) -> None:
        if span.name == self.start:
            raise ZeroDivisionError("by zero")

    def on_end(self, span: ReadableSpan) -> None:
        if span.name == self.end:
            raise ZeroDivisionError("by zero")
