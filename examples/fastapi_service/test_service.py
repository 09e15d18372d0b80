"""How a traced service is tested: a sandbox for the platform, an SDK that keeps the spans."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from service import service

from aioappsapi import Client, PasswordGrant
from aioappsapi.sandbox import Sandbox
from aioappsapi.telemetry import Telemetry

# What a run puts between the service and an attempt.
RUN = ("start", "start app", "start apps")


@pytest.fixture(scope="module")
def provider() -> TracerProvider:
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    return provider


@pytest.fixture
def spans(provider: TracerProvider) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


@asynccontextmanager
async def browser(cloud: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """Serve, without a socket, and call the service."""

    def connect() -> Client:
        auth = PasswordGrant("admin", "admin")
        return Client(cloud.url, auth=auth, proxy="", telemetry=Telemetry())

    app = service(connect)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield client


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


def above(span: ReadableSpan, spans: InMemorySpanExporter) -> list[str]:
    """Return the names of the spans above one, the nearest first."""
    finished = spans.get_finished_spans()
    by_id = {one.context.span_id: one for one in finished if one.context is not None}
    names = []
    while span.parent is not None and span.parent.span_id in by_id:
        span = by_id[span.parent.span_id]
        names.append(span.name)
    return names


@pytest.mark.asyncio
@pytest.mark.cf_sandbox(apps=12, seed=3)
async def test_the_span_of_the_service_is_the_parent(
    cf_sandbox: Sandbox, spans: InMemorySpanExporter
) -> None:
    async with browser(cf_sandbox) as client:
        answer = await client.post("/spaces/prod/start")
    counts = answer.json()
    assert answer.status_code == 200
    assert counts["total"] == counts["ok"] > 0
    starts = named(spans, "POST /v3/apps/{guid}/actions/start")
    assert len(starts) == counts["ok"]
    for span in starts:
        assert above(span, spans) == [*RUN, "POST /spaces/{name}/start"]
    assert len({span.context and span.context.trace_id for span in spans.get_finished_spans()}) == 1


@pytest.mark.asyncio
async def test_reads_of_the_service_are_below_its_span_too(
    cf_sandbox: Sandbox, spans: InMemorySpanExporter
) -> None:
    async with browser(cf_sandbox) as client:
        assert (await client.post("/spaces/nowhere/start")).status_code == 404
    [look] = named(spans, "GET /v3/spaces")
    assert above(look, spans) == ["POST /spaces/{name}/start"]
