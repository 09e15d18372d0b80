"""Traces and metrics of calls and runs, for the tools that read OpenTelemetry.

Needs the extra ``otel``, which brings the API of OpenTelemetry. The program decides with an SDK
where spans and metrics go; without one they go nowhere.
"""

from __future__ import annotations

try:
    import opentelemetry.trace  # noqa: F401 - only whether it is there
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "aioappsapi.telemetry needs opentelemetry-api: install aioappsapi[otel], which brings it.",
        name=missing.name,
    ) from None

from aioappsapi.telemetry.telemetry import Telemetry

__all__ = ["Telemetry"]
