"""Spans and metrics of calls and runs, as an SDK of OpenTelemetry sees them."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

import pytest

from aioappsapi import (
    Client,
    ConnectError,
    NotFoundError,
    Outcome,
    PasswordGrant,
    ResponseError,
    RetryPolicy,
    RunAbortedError,
    Scale,
    Waves,
)
from aioappsapi._http.protocol import free_request, successful
from aioappsapi.bulk import Bulk
from aioappsapi.sandbox import Faults, Sandbox
from tests.cloud import CRASHING, Cloud, Planned, web
from tests.command_line import run
from tests.fakes import virtual
from tests.replay import AT_ONCE, Answer, Seen
from tests.spans import Broken, Kept, trace

START = "POST /v3/apps/{guid}/actions/start"
APP = "cloudfoundry.app.id"
LIMITED = Answer(429, b"{}", (("Retry-After", "16"),))
BUSY = Answer(503, b"{}", (("Retry-After", "4"),))
TREE = """\
!start apps: apps 3, ok 2, failed 1
  * waiting for the rate limit 15 s
  start app busy: ok
    start
      * back-off 4 s
      !POST /v3/apps/{guid}/actions/start: 503, error 503
      POST /v3/apps/{guid}/actions/start: 200, resend 1
    wait
  GET /v3/apps: 200
  start app limited: ok
    start
      * waiting for the rate limit 16 s
      !POST /v3/apps/{guid}/actions/start: 429, error 429
      POST /v3/apps/{guid}/actions/start: 200, resend 1
    wait
  !start app crashes: failed, because its instances crash, error CrashedError
    start
      POST /v3/apps/{guid}/actions/start: 200
    !wait
      * an instance crashed"""


def observed(cloud: Cloud, kept: Kept, retry: RetryPolicy = AT_ONCE) -> Bulk:
    caller = cloud.wire.caller(retry=retry)
    caller.observer = kept.telemetry.observe(caller.base_url, caller.throttle)
    return Bulk(caller, target=caller.base_url, ceiling=200, observer=caller.observer)


def night() -> Cloud:
    return Cloud(
        Planned("busy", answers=[BUSY]),
        Planned("limited", answers=[LIMITED]),
        Planned("crashes", [web(CRASHING)]),
    )


# -- spans


@virtual
async def test_the_tree_of_a_run_with_a_retry_a_429_and_a_crash() -> None:
    random.seed(1)  # pauses have a random part
    kept, cloud = Kept(), night()
    await observed(cloud, kept).start(list(cloud.apps), wait="all", concurrency=1, crash_grace=5.0)
    tree, polls = kept.tree().splitlines(), "  GET /v3/processes: 200"
    assert polls in tree
    looks = {polls, "  GET /v3/audit_events: 200"}
    assert [line for line in tree if line not in looks] == TREE.splitlines()


@virtual
async def test_an_attempt_has_the_attributes_of_the_conventions_for_http() -> None:
    kept = Kept()
    await observed(Cloud("a"), kept).start(["a"])
    [start] = kept.named(START)
    assert start.kind is trace.SpanKind.CLIENT
    attributes = dict(start.attributes or {})
    assert len(attributes.pop("http.request.header.x-vcap-request-id")[0]) == 36
    assert attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "server.address": "cc.test",
        "server.port": 80,
        "url.full": "http://cc.test/v3/apps/a/actions/start",
        "url.template": "/v3/apps/{guid}/actions/start",
    }
    [look] = kept.named("GET /v3/apps")
    assert (look.attributes or {})["url.full"] == "http://cc.test/v3/apps", "without the query"


@virtual
async def test_every_request_takes_the_context_of_its_span_along() -> None:
    kept, cloud = Kept(), night()
    await observed(cloud, kept).start(list(cloud.apps), wait="all", crash_grace=5.0)
    sent = [seen.headers["traceparent"].split("-") for seen in cloud.seen]
    ids = {
        (f"{one.trace_id:032x}", f"{one.span_id:016x}")
        for span in kept.spans
        if span.kind is trace.SpanKind.CLIENT and (one := span.get_span_context())
    }
    assert {(trace_id, span_id) for _, trace_id, span_id, _ in sent} == ids
    assert len({trace_id for trace_id, _ in ids}) == 1


@virtual
async def test_without_spans_of_apps_a_run_is_one_span_with_counts() -> None:
    kept, cloud = Kept(app_spans=False), night()
    await observed(cloud, kept).start(list(cloud.apps), wait="all", crash_grace=5.0)
    assert {span.name for span in kept.spans} == {
        "start apps",
        "GET /v3/apps",
        "GET /v3/processes",
        "GET /v3/audit_events",
    }
    [run] = kept.named("start apps")
    attributes = run.attributes or {}
    assert attributes["aioappsapi.apps.ok"] == 2
    assert attributes["aioappsapi.apps.failed"] == 1
    assert all("traceparent" in seen.headers for seen in cloud.seen)
    assert sum(kept.points("aioappsapi.outcomes").values()) == 3


@virtual
async def test_a_trace_that_is_not_sampled_has_no_span_and_all_metrics() -> None:
    kept, cloud = Kept(sampled=False), night()
    await observed(cloud, kept).start(list(cloud.apps))
    assert not kept.spans
    assert sum(kept.points("aioappsapi.outcomes").values()) == 3
    flags = {seen.headers["traceparent"].rpartition("-")[2] for seen in cloud.seen}
    assert all(int(one, 16) & 1 == 0 for one in flags), "nobody else should sample it either"


@virtual
async def test_single_calls_are_below_the_span_that_is_current() -> None:
    kept, cloud = Kept(), Cloud("a")
    bulk = observed(cloud, kept)
    with kept.tracer.start_as_current_span("service"):
        await bulk.map(lambda key: asyncio.sleep(0), ["a"])
        apps = cloud.apps_on()
        apps._caller.observer = bulk._caller.observer
        await apps.start("a")
        with pytest.raises(NotFoundError):
            await apps.get("b")
    assert "  POST /v3/apps/{guid}/actions/start: 200" in kept.tree().splitlines()
    assert "  !GET /v3/apps/{guid}: 404, error 404" in kept.tree().splitlines()
    assert kept.tree().startswith("service")


@virtual
async def test_a_cancelled_attempt_ends_its_span_and_gives_the_context_back() -> None:
    kept = Kept()
    cloud = Cloud("a", latency=100.0)
    apps = cloud.apps_on()
    apps._caller.observer = kept.telemetry.observe("https://cc.test", apps._caller.throttle)
    with kept.tracer.start_as_current_span("service") as service:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.0):
                await apps.start("a")
        assert trace.get_current_span() is service
    assert f"  !{START}: error CancelledError" in kept.tree().splitlines()
    assert (kept.named(START)[0].attributes or {})["server.port"] == 443


@virtual
async def test_steps_waves_and_second_rounds_are_seen() -> None:
    kept = Kept()
    cloud = Cloud("a", Planned("b", answers=[ConnectError("away", method="POST", url="-")]))
    bulk = observed(cloud, kept, RetryPolicy(attempts=1))
    await bulk.start(["a", "b"], waves=Waves([["a"], ["b"]]))
    waves = {
        (span.attributes or {})["cloudfoundry.app.id"]: (span.attributes or {})["aioappsapi.wave"]
        for span in kept.named("start app")
    }
    assert waves == {"a": 1, "b": 2}
    assert "    * put off until the others are through" in kept.tree().splitlines()


@virtual
async def test_apps_that_are_held_back_say_so() -> None:
    kept, cloud = Kept(), Cloud("a", "b")
    await observed(cloud, kept).start(["a", "b"], wait="all", max_starting=1)
    held = ["    * held back until others have come up", "    * may start now"]
    assert [line for line in kept.tree().splitlines() if line in held] == held


@virtual
async def test_apps_that_the_journal_has_not_noted_yet_wait_for_the_gate(tmp_path: Path) -> None:
    kept = Kept()
    bulk = observed(Cloud("a"), kept)
    bulk._caller.throttle.close_gate(9.0)
    await bulk.start(["a"], journal=tmp_path / "run.journal", skip_unchanged=False)
    assert "    * waiting for the rate limit 9 s" in kept.tree().splitlines()
    assert kept.points("aioappsapi.gate.wait.duration") == {frozenset(): 1}


@virtual
async def test_an_app_that_is_held_back_to_the_end_never_may_start() -> None:
    kept, cloud = Kept(), Cloud(Planned("a", [web(after=100.0)]), "b")
    await observed(cloud, kept).start(["a", "b"], wait="all", max_starting=1, deadline=9.0)
    [held] = [one for one in kept.named("start app") if (one.attributes or {})[APP] == "b"]
    assert [event.name for event in held.events] == ["held back until others have come up"]
    assert (held.attributes or {})["aioappsapi.outcome"] == "not_attempted"


@virtual
async def test_a_dry_run_counts_no_outcome() -> None:
    kept, cloud = Kept(), Cloud("a")
    await observed(cloud, kept).scale(["a"], Scale(instances=2), dry_run=True)
    assert kept.points("aioappsapi.outcomes") == {}
    assert {span.name for span in kept.spans} == {"GET /v3/apps", "GET /v3/processes"}


@virtual
@pytest.mark.parametrize("broken", [Broken(start="start app"), Broken(end="start app")])
async def test_apps_whose_spans_fail_have_their_outcomes(
    broken: Broken, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept()
    kept.tracers.add_span_processor(broken)
    report = await observed(Cloud("a", "b"), kept).start(["a", "b"], wait="all")
    assert report.ok
    assert caplog.messages.count("A span or a metric could not be made.") == 1


@virtual
@pytest.mark.parametrize(("broken", "ok"), [("start", 1), ("start apps", 3)])
async def test_a_run_whose_spans_fail_ends_with_the_report_of_all_apps(
    broken: str, ok: int
) -> None:
    kept = Kept()
    kept.tracers.add_span_processor(Broken(end=broken))
    with pytest.raises(RunAbortedError, match="aborted by ZeroDivisionError") as caught:
        await observed(Cloud(*"abc"), kept).start([*"abc"], concurrency=1)
    assert len(caught.value.report) == 3
    assert caught.value.report.counts["ok"] == ok


@virtual
async def test_a_run_that_is_aborted_ends_all_its_spans() -> None:
    kept, cloud = Kept(), Cloud(*"abc")

    def broken(outcome: Outcome) -> None:
        raise ValueError("a bug")

    with pytest.raises(RunAbortedError):
        await observed(cloud, kept).start([*"abc"], on_outcome=broken, concurrency=1)
    [run] = kept.named("start apps")
    assert (run.attributes or {})["error.type"] == "RunAbortedError"
    assert len(kept.named("start app")) >= 1
    assert {one.parent.span_id for one in kept.named("start app") if one.parent} == {
        run.get_span_context().span_id
    }


async def test_no_secret_is_in_a_span_or_a_metric() -> None:
    kept = Kept()
    async with (
        Sandbox(3) as cloud,
        Client(
            cloud.url, auth=PasswordGrant("admin", "admin"), proxy="", telemetry=kept.telemetry
        ) as client,
    ):
        guid, *_ = cloud.apps
        await client.apps.get_env(guid)
        await client.request("GET", "/v3/apps", query={"names": "secret"})
        await client.bulk.scale([guid], Scale(instances=1))
        token = await client._tokens.get()
    said = "".join(span.to_json() for span in kept.spans)
    assert guid in said
    assert token.removeprefix("bearer ") not in said
    assert "authorization" not in said.lower()
    assert "secret" not in said
    assert kept.named("GET /v3/apps/{guid}/env")
    assert kept.named("POST /v3/apps/{guid}/processes/{type}/actions/scale") or kept.named(
        "GET /v3/processes"
    )


# -- metrics


@virtual
async def test_durations_outcomes_and_the_closed_gate_are_measured() -> None:
    kept, cloud = Kept(), night()
    await observed(cloud, kept).start(list(cloud.apps), wait="all", concurrency=1, crash_grace=5.0)
    durations = kept.points("http.client.request.duration")
    started = {
        ("http.request.method", "POST"),
        ("http.response.status_code", 200),
        ("url.template", "/v3/apps/{guid}/actions/start"),
    }
    assert durations[frozenset(started)] == 3
    assert kept.points("aioappsapi.outcomes") == {
        frozenset({("aioappsapi.action", "start"), ("aioappsapi.outcome", "ok")}): 2,
        frozenset({("aioappsapi.action", "start"), ("aioappsapi.outcome", "failed")}): 1,
    }
    assert kept.points("aioappsapi.gate.wait.duration") == {frozenset(): 2}


@virtual
async def test_present_numbers_are_read_when_metrics_are_collected() -> None:
    kept, cloud = Kept(), Cloud("a", "b")
    seen: list[tuple[object, ...]] = []

    def look(_: Seen) -> None:
        seen.append(
            (
                *kept.points("http.client.active_requests").values(),
                *kept.points("aioappsapi.requests.limit").values(),
                *kept.points("aioappsapi.apps.starting").values(),
            )
        )

    cloud.meddlers.append(look)
    bulk = observed(cloud, kept)
    await bulk.start(["a", "b"], wait="all", concurrency=1)
    assert seen[0] == (1, 20, 0)
    assert seen[-1] == (1, 20, 2), "two apps come up while they are polled"
    assert kept.points("aioappsapi.apps.starting") == {}


@virtual
async def test_flushes_of_the_journal_are_measured(tmp_path: Path) -> None:
    kept, cloud = Kept(), Cloud("a", "b")
    bulk = observed(cloud, kept)
    await bulk.start(["a", "b"], journal=tmp_path / "run.journal")
    [flushes] = kept.points("aioappsapi.journal.flush.duration").values()
    assert flushes >= 1
    cloud.apps["a"].state = "STOPPED"
    before = len(kept.named("start app"))
    await bulk.start(["a", "b"], journal=tmp_path / "run.journal", resume=True)
    assert len(kept.named("start app")) == before, "apps of the earlier process have no span here"
    assert sum(kept.points("aioappsapi.outcomes").values()) == 4


@virtual
async def test_a_method_that_http_does_not_know_makes_no_series_of_its_own() -> None:
    kept, cloud = Kept(), Cloud("a")
    caller = cloud.wire.caller()
    caller.observer = kept.telemetry.observe(caller.base_url, caller.throttle)
    cloud.meddlers.append(lambda seen: Answer(405))
    for method in ("PURGE", "LINK"):
        with pytest.raises(ResponseError):
            await caller.run(free_request(method, "/v3/apps"), successful)
    [(series, count)] = kept.points("http.client.request.duration").items()
    assert count == 2
    assert ("http.request.method", "_OTHER") in series
    names = [
        (one.name, (one.attributes or {})["http.request.method_original"]) for one in kept.spans
    ]
    assert names == [("HTTP", "PURGE"), ("HTTP", "LINK")]


# -- beside others


async def test_the_stock_instrumentation_of_aiohttp_doubles_no_span() -> None:
    stock = pytest.importorskip("opentelemetry.instrumentation.aiohttp_client")
    kept = Kept()
    stock.AioHttpClientInstrumentor().instrument(tracer_provider=kept.tracers)
    try:
        async with (
            Sandbox(2, faults=Faults()) as cloud,
            Client(
                cloud.url, auth=PasswordGrant("admin", "admin"), proxy="", telemetry=kept.telemetry
            ) as client,
        ):
            report = await client.bulk.start(list(cloud.apps))
    finally:
        stock.AioHttpClientInstrumentor().uninstrument()
    client_spans = [one for one in kept.spans if one.kind is trace.SpanKind.CLIENT]
    by_us = [one for one in client_spans if "url.template" in (one.attributes or {})]
    logins = [one for one in client_spans if one not in by_us]
    assert len(by_us) == report.requests.sent == 3
    assert {one.name for one in logins} == {"GET", "POST"}, "the stock one shows only the login"


@pytest.mark.usefixtures("target", "sandbox_thread")
def test_a_command_is_one_trace_that_its_log_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an SDK that was set up before the program began, as opentelemetry-instrument does."""
    kept = Kept()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: kept.tracers)
    done = run("restart", "app-00002", "--log-format", "json", "--trace")
    assert done.exit_code == 0, done.stderr
    [attempt] = kept.named("POST /v3/apps/{guid}/actions/restart")
    assert {"aioappsapi", "restart apps", "restart app"} <= {span.name for span in kept.spans}
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    ids = attempt.get_span_context()
    assert {line["trace_id"] for line in lines} == {f"{ids.trace_id:032x}"}
    [sent] = [line for line in lines if "/actions/restart" in line["message"]]
    assert sent["span_id"] == f"{ids.span_id:016x}"


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("aioappsapi.telemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    with pytest.raises(ModuleNotFoundError, match=r"install aioappsapi\[otel\]"):
        import aioappsapi.telemetry  # noqa: F401
