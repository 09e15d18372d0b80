"""Spans of a run's apps: app, step, and waiting for a proof."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, Tracer

from aioappsapi.bulk.reports import outcome as outcomes
from aioappsapi.bulk.reports.causes import cause_of
from aioappsapi.bulk.reports.outcome import Outcome
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.states import State
from aioappsapi.telemetry import attributes as names
from aioappsapi.telemetry.attempts import without_spans
from aioappsapi.telemetry.metrics import Metrics
from aioappsapi.telemetry.waits import waiting

log = logging.getLogger("aioappsapi")

_FAILURES: Final = frozenset({outcomes.Status.FAILED, outcomes.Status.TIMED_OUT})


class RunCounts:
    """Follows a run without spans of its apps: only counts, and the journal's flushes."""

    def __init__(self, metrics: Metrics, action: str, server: Mapping[str, str | int]) -> None:
        self._metrics = metrics
        self._server = server
        self._action = action
        self._is_broken = False

    def moved(self, run: AppRun, before: State) -> None:
        """Do nothing."""

    def at_gate(self, run: AppRun) -> Callable[[], object]:
        """Measure how long an app waits for the rate limit before the journal notes it."""
        return waiting(self._metrics, self._server, self._span_of(run), closed=True)

    def _span_of(self, run: AppRun) -> Span:
        del run
        return trace.INVALID_SPAN

    def step(self, run: AppRun, sending: Awaitable[None]) -> Awaitable[None]:
        """Send the request of a step, and make no spans for its attempts."""
        del run
        return _without_spans(sending)

    def ended(self, run: AppRun, outcome: Outcome[object]) -> None:
        """Count an outcome, and end the spans of its app if there are any."""
        try:
            self._end(run, outcome)
        except Exception as failure:  # noqa: BLE001 - a processor or exporter of the SDK's user
            self._broken(failure)

    def _broken(self, failure: Exception) -> None:
        """Log once that spans or metrics are missing: no app is without an outcome for that."""
        if not self._is_broken:
            self._is_broken = True
            log.warning("A span or a metric could not be made.", exc_info=failure)

    def _end(self, run: AppRun, outcome: Outcome[object]) -> None:
        del run
        attributes = {names.ACTION: self._action, names.OUTCOME: outcome.status.value}
        self._metrics.outcomes.add(1, {**self._server, **attributes})

    def flushed(self, seconds: float) -> None:
        """Record a flush of the journal."""
        self._metrics.flushes.record(seconds, self._server)


async def _without_spans(sending: Awaitable[None]) -> None:
    token = without_spans.set(True)
    try:
        await sending
    finally:
        without_spans.reset(token)


class _AppSpans:
    """The open spans of one app: its own, and that of waiting for a proof."""

    __slots__ = ("app", "context", "wait")

    def __init__(self, app: Span, parent: Context) -> None:
        self.app = app
        self.context = trace.set_span_in_context(app, parent)
        self.wait: Span | None = None


class RunSpans(RunCounts):
    """Follows the apps of a run with spans below that of the run, which is in `parent`."""

    def __init__(
        self,
        metrics: Metrics,
        action: str,
        server: Mapping[str, str | int],
        tracer: Tracer,
        parent: Context,
    ) -> None:
        super().__init__(metrics, action, server)
        self._tracer = tracer
        self._parent = parent
        self._apps: dict[str, _AppSpans] = {}

    def moved(self, run: AppRun, before: State) -> None:
        """Begin and end spans, and note what happens in between."""
        try:
            self._move(run, before)
        except Exception as failure:  # noqa: BLE001 - a processor or exporter of the SDK's user
            self._broken(failure)

    def _move(self, run: AppRun, before: State) -> None:
        spans = self._apps.get(run.key)
        if spans is None:
            if run.state is State.ASKING:
                self._begin(run)
        elif before is State.VERIFYING:
            self._looked(run, spans)
        elif run.state is State.VERIFYING:
            spans.wait = self._tracer.start_span("wait", context=spans.context)
        elif run.state is State.HELD:
            spans.app.add_event("held back until others have come up")
        elif before is State.HELD and run.state is State.ASKING:
            spans.app.add_event("may start now")
        elif run.state is State.RETRY_LATER:
            spans.app.add_event("put off until the others are through")

    def _span_of(self, run: AppRun) -> Span:
        spans = self._apps.get(run.key)
        return trace.INVALID_SPAN if spans is None else spans.app

    def _begin(self, run: AppRun) -> None:
        app = self._tracer.start_span(
            f"{self._action} app", context=self._parent, attributes=names.app_of(run)
        )
        self._apps[run.key] = _AppSpans(app, self._parent)

    def _looked(self, run: AppRun, spans: _AppSpans) -> None:
        if spans.wait is None:
            return
        if run.state is State.VERIFYING:
            spans.wait.add_event("an instance crashed")
            return
        if run.status in _FAILURES:
            spans.wait.set_status(Status(StatusCode.ERROR))
        spans.wait.end()
        spans.wait = None

    def step(self, run: AppRun, sending: Awaitable[None]) -> Awaitable[None]:
        """Send the request of a step in a span of its own."""
        spans = self._apps.get(run.key)
        if spans is None:  # it could not be made
            return _without_spans(sending)
        return self._step(spans, run.steps[run.step].name, sending)

    async def _step(self, spans: _AppSpans, name: str, sending: Awaitable[None]) -> None:
        with self._tracer.start_as_current_span(
            name, context=spans.context, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                await sending
            except BaseException as error:
                note_error(span, error)
                raise

    def _end(self, run: AppRun, outcome: Outcome[object]) -> None:
        super()._end(run, outcome)
        if (spans := self._apps.pop(run.key, None)) is None:
            return
        reason = cause_of(outcome)
        spans.app.set_attributes(names.end_of(outcome, reason))
        if outcome.status in _FAILURES:
            spans.app.set_status(Status(StatusCode.ERROR, reason))
        spans.app.end()


def note_error(span: Span, error: BaseException) -> None:
    """Mark a span as failed. The error's text has no secrets, its traceback might."""
    span.set_attribute(names.ERROR, type(error).__name__)
    span.set_status(Status(StatusCode.ERROR, str(error) or None))
