"""OpenTelemetry for the command line.

`opentelemetry-instrument aioappsapi …` sets an SDK up before this program begins. Only then are
there spans, and ids of traces in logs; in any other case nothing of OpenTelemetry is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aioappsapi.bulk.run.observer import Instrumentation


def is_set_up() -> bool:
    """Check whether an SDK was loaded before this program began."""
    return "opentelemetry.sdk.trace" in sys.modules


def instrumentation() -> Instrumentation | None:
    """Return what makes spans and metrics of calls and runs; None without an SDK."""
    if not is_set_up():
        return None
    from aioappsapi.telemetry import Telemetry

    return Telemetry()


@contextmanager
def command_span() -> Iterator[None]:
    """Make a span around the work of a command, so that all of its logs are of one trace."""
    if not is_set_up():
        yield
        return
    from opentelemetry import trace

    with trace.get_tracer("aioappsapi").start_as_current_span("aioappsapi"):
        yield


def trace_ids() -> dict[str, str]:
    """Return the ids of the current span, for a line of the log; none without an SDK."""
    if not is_set_up():
        return {}
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
