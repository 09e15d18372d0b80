"""Waits for the rate limit, or for a free place."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry.trace import Span

from aioappsapi._http.clock import loop_time
from aioappsapi.telemetry import attributes as names
from aioappsapi.telemetry.metrics import Metrics

# A shorter wait is the usual queue for a free place, and not worth an event.
_NOTABLE: Final = 0.1


def waiting(
    metrics: Metrics, server: Mapping[str, str | int], span: Span, *, closed: bool
) -> Callable[[], object]:
    """Begin to measure a wait; `closed`: the gate of the rate limit is closed.

    The function that is returned ends the wait, and notes it on the span.
    """
    since, began = time.time_ns(), loop_time()

    def goes_on() -> None:
        seconds = loop_time() - began
        if closed:
            metrics.gate.record(seconds, server)
        if closed or seconds > _NOTABLE:
            event = "waiting for the rate limit" if closed else "waiting for a free place"
            span.add_event(event, {names.SECONDS: seconds}, since)

    return goes_on
