"""What traces and metrics cost per call, in processor instructions: absent, off and on.

The method is that of `benchmarks.instructions`. `absent`: OpenTelemetry cannot be imported.
`off`: it is imported, and the client has no `Telemetry`. `no_sdk`: the client has one, and the
program has no SDK. `on`: an SDK makes all spans and metrics, which are kept in memory.
`run_only`: the same without spans of apps. Each is measured for single calls and for a run. Exits
with 1 if `off` costs more than `absent` by more than the method can tell.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import sys
from typing import TYPE_CHECKING, Final

from benchmarks.instructions import WORKERS, by_workers, guids, per_call, server

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from aioappsapi.telemetry import Telemetry

MODES: Final = ("absent", "off", "no_sdk", "on", "run_only")
# How exact the method is.
_SPARE: Final = 1.005


async def start(url: str, calls: int, telemetry: Telemetry | None) -> None:
    """Start with single calls."""
    from aioappsapi import Client, StaticToken

    async with Client(url, auth=StaticToken("token"), proxy="", telemetry=telemetry) as client:
        await by_workers(calls, client.apps.start)


async def bulk(url: str, calls: int, telemetry: Telemetry | None) -> None:
    """Start with a run that sends without looking first."""
    from aioappsapi import Client, StaticToken

    async with Client(url, auth=StaticToken("token"), proxy="", telemetry=telemetry) as client:
        report = await client.bulk.start(guids(calls), concurrency=WORKERS, skip_unchanged=False)
        assert report.counts["ok"] == calls


def prepare(mode: str) -> Telemetry | None:
    """Bring the process into a mode, and return what the client gets."""
    if mode == "absent":
        sys.modules["opentelemetry"] = None  # type: ignore[assignment]
        return None
    from aioappsapi.telemetry import Telemetry

    if mode == "off":
        return None
    if mode == "no_sdk":
        return Telemetry()
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    meters = MeterProvider([InMemoryMetricReader()])
    return Telemetry(tracer_provider=tracers(), meter_provider=meters, app_spans=mode != "run_only")


def tracers() -> TracerProvider:
    """Make an SDK that keeps the spans which have ended, and sends them nowhere."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    return made


def run(name: str, calls: int, url: str) -> None:
    """Carry out one contender, such as ``bulk-off``."""
    import aioappsapi.client  # noqa: F401 - before the freeze

    kind, _, mode = name.partition("-")
    work = {"start": start, "bulk": bulk}[kind]
    telemetry = prepare(mode)
    # A large module that is imported makes each garbage collection longer, whatever calls do.
    gc.collect()
    gc.freeze()
    asyncio.run(work(url, calls, telemetry))


def main(kinds: list[str]) -> int:
    """Print a table of some kinds, ``start`` and ``bulk``, or of both; return the exit status."""
    if shutil.which("valgrind") is None:
        print("valgrind is not installed, so no instructions are counted.")
        return 0
    print(f"| thousand instructions | {' | '.join(MODES)} |\n|---|{'---|' * len(MODES)}")
    dearer = False
    with server() as url:
        for kind in kinds or ("start", "bulk"):
            found = [per_call(f"{kind}-{mode}", url, "benchmarks.telemetry") for mode in MODES]
            print(f"| {kind} | {' | '.join(f'{one:.1f}' for one in found)} |", flush=True)
            dearer |= found[1] > found[0] * _SPARE
    return int(dearer)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--run", name, calls, url]:
            run(name, int(calls), url)
        case kinds:
            sys.exit(main(kinds))
