"""Bulk runs: one outcome for each app, in every situation."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi import (
    AbandonedError,
    App,
    AppsApiError,
    AuthError,
    DeadlineError,
    InvalidInputError,
    Limits,
    NotAttemptedError,
    NotFoundError,
    Outcome,
    Report,
    Run,
    RunAbortedError,
    ServerError,
    Status,
    TargetError,
    Token,
    UnprocessableError,
    report_of,
)
from aioappsapi.api.apps import Apps
from aioappsapi.bulk.actions.action import Action
from aioappsapi.bulk.actions.map import MapStep
from aioappsapi.bulk.bulk import Bulk
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.bulk.run.progress import Progress
from tests.clients import statuses
from tests.fakes import virtual
from tests.replay import AT_ONCE, ONE_TRY, Answer, Seen, Server, Wire, app_json, refusal, reply

OK, FAILED, TIMED_OUT = Status.OK, Status.FAILED, Status.TIMED_OUT
CANCELLED, NOT_ATTEMPTED, UNVERIFIED = Status.CANCELLED, Status.NOT_ATTEMPTED, Status.UNVERIFIED

Work = Callable[[str], Awaitable[str]]


async def nobody(seen: Seen) -> Answer:
    raise AssertionError(f"nothing is to be sent: {seen}")


class Unread(Bulk):
    """Runs that read no states before: for what is about requests one by one."""

    def _run(self, action: Any, keys: Any, options: Any, **kept: Any) -> Any:
        return super()._run(action, keys, {"skip_unchanged": False, **options}, **kept)


def run_of(work: Work, keys: list[str]) -> Run[str]:
    options = Options(concurrency=50)
    action = Action("x", [MapStep("x", work)])
    return Run(action, Inputs(keys), options, Progress(), target="t")


def bulk_on(wire: Wire, *, ceiling: int = 200, **settings: Any) -> Bulk:
    return Unread(wire.caller(**settings), target="http://cc.test", ceiling=ceiling)


BULK = bulk_on(Wire(nobody))


async def echo(key: str) -> str:
    await asyncio.sleep(0)
    return key.upper()


class Hanging:
    """Work that never ends, and tells when so many have begun."""

    def __init__(self, expected: int = 1) -> None:
        self.begun: list[str] = []
        self.all_begun = asyncio.Event()
        self._expected = expected

    async def __call__(self, key: str) -> str:
        self.begun.append(key)
        if len(self.begun) >= self._expected:
            self.all_begun.set()
        await asyncio.Event().wait()
        raise AssertionError


async def coming(*items: Any) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0)
        if isinstance(item, Exception):
            raise item
        yield item


def answer_to(seen: Seen) -> dict[str, object]:
    """Make the app that a right server answers to a request."""
    state = "STOPPED" if seen.path.endswith("/stop") else "STARTED"
    return app_json(seen.path.split("/")[3], state=state)


def keys_of(report: Any) -> list[str]:
    return [outcome.key for outcome in report]


def check_adds_up(report: Report[Any]) -> None:
    counts = report.counts
    assert counts.pop("total") == len(report) == sum(counts.values())
    assert len(set(keys_of(report))) == len(report)


def cancelled_report(error: BaseException) -> Report[Any]:
    """The report that a plain cancellation brings along."""
    assert type(error) is asyncio.CancelledError
    report = report_of(error)
    assert report is not None
    return report


# -- one outcome each, in order


async def test_every_input_gets_one_outcome_in_input_order() -> None:
    gates = {key: asyncio.Event() for key in "abc"}

    async def work(key: str) -> str:
        await gates[key].wait()
        return key.upper()

    async def open_backwards() -> None:
        for key in "cba":
            gates[key].set()
            await asyncio.sleep(0)

    report, _ = await asyncio.gather(BULK.map(work, ["a", "b", "c"]), open_backwards())
    assert keys_of(report) == ["a", "b", "c"]
    assert [outcome.value for outcome in report] == ["A", "B", "C"]
    assert report.ok
    assert report.complete
    check_adds_up(report)


@pytest.mark.parametrize(
    "keys",
    [["a", "b", "a"], (key for key in "aba"), coming("a", "b", "a"), {"a", "b"}],
    ids=["list", "generator", "async generator", "set"],
)
async def test_an_input_that_occurs_twice_is_processed_once(keys: Any) -> None:
    done: list[str] = []

    async def work(key: str) -> None:
        done.append(key)

    report = await BULK.map(work, keys)
    assert sorted(done) == ["a", "b"]
    assert sorted(keys_of(report)) == ["a", "b"]


async def test_outcomes_take_the_names_of_given_apps() -> None:
    report = await BULK.map(echo, [App(guid="a", name="web"), "b"])
    assert [(o.key, o.name) for o in report] == [("a", "web"), ("b", None)]


async def test_an_empty_input_gives_an_empty_successful_report() -> None:
    for keys in ([], coming()):
        report = await BULK.map(echo, keys)
        assert (len(report), report.ok, report.complete) == (0, True, True)


async def test_a_failure_becomes_the_outcome_of_its_app() -> None:
    async def work(key: str) -> str:
        if key == "b":
            raise NotFoundError("get app b: 404", status=404)
        return await echo(key)

    report = await BULK.map(work, ["a", "b", "c"])
    assert statuses(report) == [OK, FAILED, OK]
    assert isinstance(report[1].error, NotFoundError)
    assert report[1].value is None
    assert report.failed_keys() == ["b"]


async def test_stored_errors_hold_no_frames() -> None:
    async def work(key: str) -> str:
        try:
            raise ValueError("inner")
        except ValueError as cause:
            raise AppsApiError("outer") from cause

    (outcome,) = await BULK.map(work, ["a"])
    assert outcome.error is not None
    assert outcome.error.__traceback__ is None
    assert outcome.error.__cause__ is None
    assert outcome.error.__context__ is None


# -- how many at a time


async def test_concurrency_is_reached_and_never_exceeded() -> None:
    now = most = tasks = 0
    before = len(asyncio.all_tasks())

    async def work(key: str) -> None:
        nonlocal now, most, tasks
        now += 1
        most = max(most, now)
        tasks = max(tasks, len(asyncio.all_tasks()) - before)
        await asyncio.sleep(0)
        now -= 1

    report = await BULK.map(work, [str(n) for n in range(500)], concurrency=7)
    assert report.ok
    assert most == 7
    assert tasks <= 7, "a task for each app would be 500"


async def test_there_are_never_more_workers_than_apps() -> None:
    before = len(asyncio.all_tasks())
    work = Hanging(3)
    async with run_of(work, ["a", "b", "c"]) as run:
        await work.all_begun.wait()
        assert len(asyncio.all_tasks()) <= before + 4
        assert run.in_flight == 3


async def test_default_concurrency_stays_below_the_clients() -> None:
    work = Hanging(3)
    bulk = bulk_on(Wire(nobody), ceiling=3)
    run = asyncio.create_task(bulk.map(work, [str(n) for n in range(9)]))
    await work.all_begun.wait()
    await asyncio.sleep(0)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert len(work.begun) == 3


@pytest.mark.parametrize(
    "bad",
    [
        {"concurrency": 0},
        {"concurrency": -1},
        {"concurrency": 201},
        {"deadline": 0},
        {"deadline": -1.0},
        {"deadline": float("nan")},
        {"max_failures": 0},
        {"max_failures": -0.5},
        {"max_failures": 1.5},
    ],
    ids=repr,
)
async def test_bad_settings_are_refused_before_any_work_begins(bad: dict[str, Any]) -> None:
    begun: list[str] = []

    async def work(key: str) -> None:
        begun.append(key)

    with pytest.raises(InvalidInputError) as caught:
        await BULK.map(work, ["a"], **bad)
    assert next(iter(bad)) in str(caught.value)
    assert begun == []


async def test_bad_input_is_refused_before_anything_is_sent() -> None:
    for keys in ("one-guid", 7, [7]):
        with pytest.raises(InvalidInputError):
            await BULK.start(keys)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="no action"):
        BULK.stream("delete", ["a"])  # type: ignore[arg-type]


async def test_an_awaitable_callback_is_refused() -> None:
    async def tell(outcome: object) -> None: ...

    with pytest.raises(InvalidInputError, match="plain function"):
        await BULK.map(echo, ["a"], on_outcome=tell)


async def test_a_broken_iterable_raises_its_own_error_before_any_work_begins() -> None:
    begun: list[str] = []

    async def work(key: str) -> None:
        begun.append(key)

    def broken() -> Iterator[str]:
        yield "a"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await BULK.map(work, broken())
    assert begun == []


# -- deadlines


@virtual
async def test_the_deadline_separates_apps_in_flight_from_apps_not_begun() -> None:
    told: list[Outcome[str]] = []
    hanging = Hanging()

    async def work(key: str) -> str:
        return key if key == "a" else await hanging(key)

    report = await BULK.map(
        work, list("abcde"), concurrency=2, deadline=0.02, on_outcome=told.append
    )
    assert statuses(report) == [OK, TIMED_OUT, TIMED_OUT, NOT_ATTEMPTED, NOT_ATTEMPTED]
    assert hanging.begun == ["b", "c"]
    assert [type(o.error) for o in report] == [
        type(None),
        DeadlineError,
        DeadlineError,
        NotAttemptedError,
        NotAttemptedError,
    ]
    assert [o.started_at is None for o in report] == [False, False, False, True, True]
    assert "deadline" in str(report[4].error)
    assert sorted(told, key=lambda o: o.key) == list(report)
    check_adds_up(report)


@virtual
async def test_a_deadline_of_the_caller_bounds_the_run() -> None:
    told: list[Outcome[str]] = []
    with anyio.move_on_after(0.02):
        await BULK.map(Hanging(), list("abc"), concurrency=2, on_outcome=told.append)
    assert Counter(o.key for o in told) == Counter("abc")
    assert {o.status for o in told} <= {TIMED_OUT, CANCELLED, NOT_ATTEMPTED}


@virtual
async def test_a_deadline_of_the_caller_bounds_a_stream() -> None:
    server = Gated("ab")
    run = server.bulk.stream("start", ["a", "b"], concurrency=1)
    with anyio.move_on_after(0.02):
        await _read(run)
    assert run.report[0].status in {TIMED_OUT, CANCELLED}
    assert run.report[1].status is NOT_ATTEMPTED
    assert run.report.complete


@virtual
async def test_a_shorter_deadline_of_the_run_leaves_the_callers_alone() -> None:
    with anyio.fail_after(30):
        report = await BULK.map(Hanging(), ["a"], deadline=0.01)
        await asyncio.sleep(0)
    assert statuses(report) == [TIMED_OUT]


async def test_a_deadline_of_a_single_call_ends_only_its_app() -> None:
    async def work(key: str) -> str:
        if key == "a":
            raise DeadlineError("start app a: no answer within the deadline")
        return key

    report = await BULK.map(work, ["a", "b"])
    assert report[0].status in {TIMED_OUT, NOT_ATTEMPTED}
    assert report[1].status is OK


# -- max_failures


@pytest.mark.parametrize(
    ("max_failures", "failed"), [(1, 1), (3, 3), (0.1, 2), (0.2, 4), (0.001, 1), (None, 20)]
)
async def test_a_run_stops_after_max_failures(max_failures: float | None, failed: int) -> None:
    async def work(key: str) -> None:
        raise AppsApiError("no")

    report = await BULK.map(
        work, [str(n) for n in range(20)], concurrency=1, max_failures=max_failures
    )
    counts = report.counts
    assert counts["failed"] == failed
    assert counts["not_attempted"] == 20 - failed
    assert not report.ok
    if failed < 20:
        assert "max_failures" in str(report[-1].error)


async def test_successes_do_not_count_as_failures() -> None:
    report = await BULK.map(echo, list("abc"), max_failures=1)
    assert report.ok


async def test_too_many_failures_end_the_apps_in_flight_as_well() -> None:
    gate = asyncio.Event()

    async def work(key: str) -> str:
        if key == "bad":
            gate.set()
            raise AppsApiError("no")
        await gate.wait()
        await asyncio.sleep(0)
        return key

    report = await BULK.map(work, ["good", "bad", "never"], concurrency=2, max_failures=1)
    assert statuses(report) == [OK, FAILED, NOT_ATTEMPTED]


# -- callbacks


async def test_a_callback_gets_each_outcome_once() -> None:
    told: list[Outcome[str]] = []
    report = await BULK.map(echo, list("abcab"), on_outcome=told.append)
    assert sorted(told, key=lambda o: o.key) == list(report)


async def test_a_callback_that_raises_aborts_the_run_and_loses_nothing() -> None:
    told: list[str] = []

    def tell(outcome: Outcome[str]) -> None:
        told.append(outcome.key)
        if outcome.key == "b":
            raise ZeroDivisionError("in the callback")

    with pytest.raises(RunAbortedError) as caught:
        await BULK.map(echo, list("abcd"), concurrency=1, on_outcome=tell)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    report = caught.value.report
    assert statuses(report) == [OK, OK, NOT_ATTEMPTED, NOT_ATTEMPTED]
    assert told == ["a", "b"]
    check_adds_up(report)


@virtual
async def test_a_callback_that_raises_at_the_deadline_loses_nothing() -> None:
    def tell(outcome: Outcome[str]) -> None:
        raise ZeroDivisionError

    with pytest.raises(RunAbortedError) as caught:
        await BULK.map(Hanging(), list("abc"), concurrency=1, deadline=0.01, on_outcome=tell)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert statuses(caught.value.report) == [TIMED_OUT, NOT_ATTEMPTED, NOT_ATTEMPTED]


async def test_a_callback_that_raises_on_cancellation_cannot_stop_it() -> None:
    def tell(outcome: Outcome[str]) -> None:
        raise ZeroDivisionError

    work = Hanging()
    run = asyncio.create_task(BULK.map(work, list("abc"), concurrency=1, on_outcome=tell))
    await work.all_begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await run
    assert statuses(cancelled_report(caught.value)) == [CANCELLED, NOT_ATTEMPTED, NOT_ATTEMPTED]


async def test_a_bug_in_the_work_aborts_the_run() -> None:
    async def work(key: str) -> str:
        if key == "b":
            raise TypeError("a bug")
        return key

    with pytest.raises(RunAbortedError, match="TypeError") as caught:
        await BULK.map(work, list("abc"), concurrency=1)
    assert isinstance(caught.value.__cause__, TypeError)
    report = caught.value.report
    assert statuses(report) == [OK, CANCELLED, NOT_ATTEMPTED]
    check_adds_up(report)


async def test_work_that_cancels_itself_aborts_the_run() -> None:
    async def work(key: str) -> str:
        if key == "b":
            raise asyncio.CancelledError
        return key

    with pytest.raises(RunAbortedError, match="RuntimeError") as caught:
        await BULK.map(work, list("abc"), concurrency=1)
    assert "b was cancelled from within" in str(caught.value.__cause__)
    assert statuses(caught.value.report) == [OK, CANCELLED, NOT_ATTEMPTED]


# -- cancellation


async def test_a_cancelled_caller_gets_the_report() -> None:
    told: list[Outcome[str]] = []
    hanging = Hanging(2)

    async def work(key: str) -> str:
        return key if key == "a" else await hanging(key)

    run = asyncio.create_task(BULK.map(work, list("abcd"), concurrency=2, on_outcome=told.append))
    await hanging.all_begun.wait()
    run.cancel("by the user")
    with pytest.raises(asyncio.CancelledError) as caught:
        await run
    assert run.cancelled()
    report = cancelled_report(caught.value)
    assert statuses(report) == [OK, CANCELLED, CANCELLED, NOT_ATTEMPTED]
    assert [type(o.error) for o in report[1:]] == [
        AbandonedError,
        AbandonedError,
        NotAttemptedError,
    ]
    assert Counter(o.key for o in told) == Counter("abcd")
    check_adds_up(report)


async def test_a_cancelled_run_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    work = Hanging(5)
    run = asyncio.create_task(BULK.map(work, [str(n) for n in range(9)], concurrency=5))
    await work.all_begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert asyncio.all_tasks() == before


# -- logins that fail


class Refusing:
    """A login that is refused."""

    renewable = True

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked = 0

    async def obtain(self, endpoint: object, previous: Token | None) -> Token:
        self.asked += 1
        raise self.error


@pytest.mark.parametrize(
    "error", [AuthError("wrong password"), TargetError("no API")], ids=lambda e: type(e).__name__
)
async def test_a_login_that_fails_for_all_ends_the_run(error: Exception) -> None:
    login = Refusing(error)
    report = await bulk_on(Wire(nobody), auth=login).start(list("abcdef"), concurrency=2)
    assert login.asked == 1
    assert report.requests.sent == 0
    assert report.counts["failed"] <= 2
    assert report.counts["failed"] + report.counts["not_attempted"] == 6
    assert str(error) in str(report[-1].error)


async def test_a_login_that_fails_for_a_moment_does_not_end_the_run() -> None:
    login = Refusing(AuthError("the UAA is busy", refused=False))
    report = await bulk_on(Wire(nobody), auth=login).start(list("abc"))
    assert statuses(report) == [FAILED, FAILED, FAILED]


# -- inputs that come in time


async def test_an_async_input_that_raises_aborts_the_run_with_the_outcomes_so_far() -> None:
    with pytest.raises(RunAbortedError) as caught:
        await BULK.map(echo, coming("a", "b", ZeroDivisionError("broken")), concurrency=1)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    report = caught.value.report
    assert keys_of(report) == ["a", "b"]
    assert not report.complete
    assert not report.ok


async def test_an_async_input_is_read_to_its_end_after_a_stop() -> None:
    async def work(key: str) -> None:
        raise AppsApiError("no")

    report = await BULK.map(work, coming(*"abcdef"), concurrency=1, max_failures=1)
    assert keys_of(report) == list("abcdef")
    assert statuses(report) == [FAILED] + [NOT_ATTEMPTED] * 5
    assert report.complete


@virtual
async def test_an_async_input_that_hangs_ends_at_the_deadline() -> None:
    async def endless() -> AsyncIterator[str]:
        yield "a"
        await asyncio.Event().wait()

    report = await BULK.map(echo, endless(), deadline=0.01)
    assert statuses(report) == [OK]
    assert not report.complete
    assert not report.ok


async def test_an_async_input_is_not_read_far_ahead() -> None:
    read: list[str] = []

    async def reading() -> AsyncIterator[str]:
        for key in "abcdefgh":
            read.append(key)
            yield key

    work = Hanging(2)
    run = asyncio.create_task(BULK.map(work, reading(), concurrency=2))
    await work.all_begun.wait()
    assert len(read) <= 3
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


# -- streams


def state_after(seen: Seen) -> str:
    return "STOPPED" if seen.path.endswith("/stop") else "STARTED"


class Gated:
    """A server whose apps answer when their gates are opened."""

    def __init__(self, guids: str) -> None:
        self.gates = {guid: asyncio.Event() for guid in guids}
        self.wire = Wire(self)
        self.bulk = bulk_on(self.wire)
        self.came = asyncio.Event()

    async def __call__(self, seen: Seen) -> Answer:
        self.came.set()
        guid = seen.path.split("/")[3]
        await self.gates[guid].wait()
        return reply(answer_to(seen))


async def test_a_stream_yields_outcomes_as_they_come() -> None:
    server = Gated("abc")
    order: list[str] = []
    async with server.bulk.stream("start", list("abc")) as outcomes:
        server.gates["b"].set()
        async for outcome in outcomes:
            order.append(outcome.key)
            server.gates["c" if outcome.key == "b" else "a"].set()
    assert order == ["b", "c", "a"]
    assert keys_of(outcomes.report) == ["a", "b", "c"]
    assert outcomes.report.ok
    assert outcomes.total == 3
    assert outcomes.counts[OK] == 3
    assert outcomes.in_flight == 0


async def test_leaving_a_stream_early_cancels_the_rest() -> None:
    server = Gated("abcd")
    server.gates["a"].set()
    before = asyncio.all_tasks()
    async with server.bulk.stream("stop", list("abcd"), concurrency=2) as outcomes:
        async for outcome in outcomes:
            assert outcome.key == "a"
            break
    report = outcomes.report
    assert len(report) == 4
    assert report[0].status is OK
    assert {o.status for o in report[1:]} <= {CANCELLED, NOT_ATTEMPTED}
    assert asyncio.all_tasks() == before
    check_adds_up(report)


async def test_leaving_a_stream_at_once_still_gives_a_whole_report() -> None:
    told: list[Outcome[App]] = []
    async with BULK.stream("start", list("abc"), on_outcome=told.append) as outcomes:
        pass
    assert statuses(outcomes.report) == [NOT_ATTEMPTED] * 3
    assert told == list(outcomes.report)
    assert outcomes.report.complete


async def test_the_report_of_a_stream_is_live() -> None:
    server = Gated("ab")
    server.gates["a"].set()
    async with server.bulk.stream("start", list("ab")) as outcomes:
        async for _ in outcomes:
            assert outcomes.total == 2
            assert not outcomes.report.complete or len(outcomes.report) == 2
            server.gates["b"].set()
    assert outcomes.report.complete


async def test_a_stop_lets_requests_in_flight_end() -> None:
    server = Gated("abcd")
    async with server.bulk.stream("start", list("abcd"), concurrency=2) as outcomes:
        await server.came.wait()
        outcomes.stop("the operator said so")
        assert outcomes.stopping
        server.gates["a"].set()
        server.gates["b"].set()
        got = [outcome async for outcome in outcomes]
    assert statuses(outcomes.report) == [OK, OK, NOT_ATTEMPTED, NOT_ATTEMPTED]
    assert "the operator said so" in str(outcomes.report[3].error)
    assert len(got) == 4


async def test_a_stop_with_grace_cancels_requests_that_do_not_end() -> None:
    server = Gated("abc")
    async with server.bulk.stream("start", list("abc"), concurrency=2) as outcomes:
        await server.came.wait()
        outcomes.stop(grace=0.01)
        async for _ in outcomes:
            pass
    assert statuses(outcomes.report) == [CANCELLED, CANCELLED, NOT_ATTEMPTED]


async def test_an_error_inside_the_block_cancels_the_run_and_propagates() -> None:
    server = Gated("abc")
    run = server.bulk.stream("start", list("abc"))
    with pytest.raises(ZeroDivisionError):
        await _fail_inside(run, server.came)
    assert statuses(run.report) == [CANCELLED] * 3


async def _fail_inside(run: Run[App], came: asyncio.Event) -> None:
    async with run:
        await came.wait()
        raise ZeroDivisionError


async def test_a_stream_raises_the_error_that_aborted_it() -> None:
    def tell(outcome: object) -> None:
        raise ZeroDivisionError

    server = Gated("ab")
    server.gates["a"].set()
    run = server.bulk.stream("start", list("ab"), on_outcome=tell)
    with pytest.raises(RunAbortedError) as caught:
        await _read(run)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert len(run.report) == 2


async def _read(run: Run[App]) -> list[Outcome[App]]:
    async with run as outcomes:
        return [outcome async for outcome in outcomes]


async def test_an_aborted_stream_whose_block_fails_too_causes_no_warning() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))

    def tell(outcome: object) -> None:
        raise ZeroDivisionError

    server = Gated("a")
    server.gates["a"].set()
    run = server.bulk.stream("start", ["a"], on_outcome=tell)
    with pytest.raises(KeyError):
        await _read_then_fail(run)
    del run
    gc.collect()
    assert complaints == []


async def _read_then_fail(run: Run[App]) -> None:
    async with run as outcomes:
        async for _ in outcomes:
            pass
        raise KeyError


async def test_a_cancelled_reader_of_a_stream_ends_the_run() -> None:
    server = Gated("ab")
    run = server.bulk.stream("start", list("ab"))
    reader = asyncio.create_task(_read(run))
    await server.came.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert statuses(run.report) == [CANCELLED, CANCELLED]


# -- on the wire


def scripted(script: dict[str, list[Answer]]) -> Wire:
    """Answer by GUID: one after the other, the last one for ever; an app where there is none."""

    async def answering(seen: Seen) -> Answer:
        guid = seen.path.split("/")[3]
        await asyncio.sleep(0)
        answers = script.get(guid)
        if not answers:
            return reply(answer_to(seen), X_Vcap_Request_Id=f"id-of-{guid}")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    return Wire(answering)


LOST = refusal(503, "CF-RunnerUnavailable", 170015, "Runner is unavailable")


@pytest.mark.parametrize("action", ["start", "stop"])
async def test_an_acceptance_after_a_lost_answer_proves_nothing(action: Any) -> None:
    state = "STOPPED" if action == "stop" else "STARTED"
    wire = scripted({"b": [LOST, reply(app_json("b", state=state))]})
    report = await getattr(bulk_on(wire, retry=AT_ONCE), action)(["a", "b"])
    assert statuses(report) == [OK, UNVERIFIED]
    assert [o.attempts for o in report] == [1, 2]
    assert report[1].value.guid == "b"
    assert not report.ok
    assert report.failed_keys() == ["b"]


async def test_an_acceptance_after_a_failure_without_effect_counts() -> None:
    busy = refusal(503, "CF-ServiceUnavailable", 10015)
    wire = scripted({"a": [busy, reply(app_json("a"))]})
    report = await bulk_on(wire, retry=AT_ONCE).start(["a"])
    assert statuses(report) == [OK]
    assert report[0].attempts == 2


async def test_an_app_that_waits_for_the_rate_limit_beyond_the_deadline_is_not_attempted() -> None:
    busy = reply({"errors": []}, 429, Retry_After="100")
    wire = scripted({"a": [busy]})
    report = await bulk_on(wire, retry=AT_ONCE).start(["a", "b"], concurrency=1, deadline=30)
    assert statuses(report) == [TIMED_OUT, NOT_ATTEMPTED]
    assert len(wire.seen) == 1
    assert report[0].started_at is not None
    assert (report[1].started_at, report[1].duration) == (None, None)
    assert isinstance(report[1].error, DeadlineError)


async def test_a_restart_is_never_sent_twice() -> None:
    wire = scripted({"a": [LOST, reply(app_json("a"))]})
    report = await bulk_on(wire, retry=AT_ONCE).restart(["a", "b"])
    assert statuses(report) == [FAILED, OK]
    assert isinstance(report[0].error, ServerError)
    assert Counter(seen.path for seen in wire.seen) == {
        "/v3/apps/a/actions/restart": 1,
        "/v3/apps/b/actions/restart": 1,
    }


async def test_requests_are_counted_as_the_server_saw_them() -> None:
    script = {
        "b": [LOST, reply(app_json("b"))],
        "c": [refusal(404, "CF-ResourceNotFound", 10010)],
        "d": [refusal(422, "CF-UnprocessableEntity", 10008)],
    }
    wire = scripted(script)
    report = await bulk_on(wire, retry=AT_ONCE).start(list("abcde"))
    assert statuses(report) == [OK, UNVERIFIED, FAILED, FAILED, OK]
    assert report.requests.sent == len(wire.seen) == 6
    assert report.requests.retried == 1
    assert report.requests.by_status == {"200": 3, "503": 1, "404": 1, "422": 1}
    assert sum(o.attempts for o in report) == len(wire.seen)
    assert isinstance(report[3].error, UnprocessableError)
    assert report[0].request_ids == ("id-of-a",)
    assert report[0].name == "name-of-a"
    assert all(len(o.request_ids) == o.attempts for o in report)


async def test_warnings_of_the_server_are_kept() -> None:
    wire = scripted({"a": [reply(app_json("a"), X_Cf_Warnings="Old+stack%21,second")]})
    (outcome,) = await bulk_on(wire).start(["a"])
    assert outcome.warnings == ("Old stack!", "second")


async def test_an_invalid_guid_fails_without_a_request() -> None:
    wire = scripted({})
    report = await bulk_on(wire).start(["../../v2/info", "", "a"])
    assert statuses(report) == [FAILED, FAILED, OK]
    assert isinstance(report[0].error, InvalidInputError)
    assert [seen.path for seen in wire.seen] == ["/v3/apps/a/actions/start"]


@virtual
async def test_abandoned_requests_count_as_sent() -> None:
    server = Gated("ab")
    report = await server.bulk.start(["a", "b"], concurrency=1, deadline=0.02)
    assert statuses(report) == [TIMED_OUT, NOT_ATTEMPTED]
    assert report.requests.sent == len(server.wire.seen) == 1
    assert report.requests.by_status == {"cancelled": 1}


async def test_map_counts_the_requests_of_single_calls() -> None:
    wire = scripted({"b": [refusal(404, "CF-ResourceNotFound", 10010)]})
    apps = Apps(wire.caller())
    report = await Bulk(wire.caller(), target="http://cc.test", ceiling=9).map(apps.get, ["a", "b"])
    assert report.action == "get"
    assert isinstance(report[0].value, App)
    assert report[0].name == report[0].value.name == "name-of-a"
    assert isinstance(report[1].error, NotFoundError)
    assert report.requests.sent == 2


# -- over a real socket


async def test_a_start_works_over_a_socket() -> None:
    async def answering(seen: Seen) -> Answer:
        guid = seen.path.split("/")[3]
        if guid.endswith("7"):
            return refusal(422, "CF-UnprocessableEntity", 10008, "Assign a droplet")
        return reply(app_json(guid))

    guids = [f"guid-{n}" for n in range(100)]
    async with Server(answering) as server, server.client() as client:
        report = await client.bulk.start(guids, concurrency=20, skip_unchanged=False)
    assert report.target == server.url
    assert keys_of(report) == guids
    assert report.counts["ok"] == 90
    assert report.counts["failed"] == 10
    assert Counter(seen.method + " " + seen.path for seen in server.seen) == {
        f"POST /v3/apps/{guid}/actions/start": 1 for guid in guids
    }
    assert report.requests.sent == 100
    assert all(not seen.body for seen in server.seen)


async def test_a_deadline_works_over_a_socket() -> None:
    async def answering(seen: Seen) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    async with Server(answering) as server, server.client() as client:
        report = await client.bulk.stop(
            ["a", "b", "c"], concurrency=2, deadline=0.1, skip_unchanged=False
        )
    assert statuses(report) == [TIMED_OUT, TIMED_OUT, NOT_ATTEMPTED]
    assert len(server.seen) == 2


async def test_a_cancellation_works_over_a_socket() -> None:
    came = asyncio.Event()

    async def answering(seen: Seen) -> Answer:
        came.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with Server(answering) as server, server.client() as client:
        run = asyncio.create_task(client.bulk.restart(["a", "b"], concurrency=1))
        await came.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await run
    assert statuses(cancelled_report(caught.value)) == [CANCELLED, NOT_ATTEMPTED]
    assert len(server.seen) == 1


async def test_concurrency_above_the_clients_is_refused() -> None:
    async with Server(nobody) as server, server.client(limits=Limits(concurrency=5)) as client:
        with pytest.raises(InvalidInputError, match="Limits"):
            await client.bulk.start(["a"], concurrency=6)
    assert server.seen == []


# -- whatever happens


class Script:
    """Work whose fate is written for each app, and a run over it that may be cancelled."""

    def __init__(self, fates: list[tuple[int, str]]) -> None:
        self.keys = [str(key) for key, _ in fates]
        self.fates = {str(key): fate for key, fate in fates}
        self.begun: list[str] = []
        self.told: list[str] = []

    async def __call__(self, key: str) -> str:
        self.begun.append(key)
        await asyncio.sleep(0)
        match self.fates[key]:
            case "hang":
                await asyncio.Event().wait()
            case "slow":
                await asyncio.sleep(0)
            case "fail":
                raise AppsApiError("no")
        return key

    async def run(self, in_time: bool, cancel_after: int | None, **options: Any) -> Report[object]:
        run = asyncio.create_task(
            BULK.map(
                self,
                coming(*self.keys) if in_time else self.keys,
                on_outcome=lambda outcome: self.told.append(outcome.key),
                **options,
            )
        )
        if cancel_after is not None:
            for _ in range(cancel_after):
                await asyncio.sleep(0)
            run.cancel()
        try:
            return await run
        except asyncio.CancelledError as cancelled:
            return cancelled_report(cancelled)


@settings(max_examples=200, deadline=None)
@given(
    fates=st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["ok", "fail", "slow", "hang"]))),
    concurrency=st.integers(1, 5),
    cancel_after=st.none() | st.integers(1, 40),  # a task that never began has no run
    max_failures=st.none() | st.integers(1, 3),
    in_time=st.booleans(),
)
def test_every_app_has_exactly_one_outcome(
    fates: list[tuple[int, str]],
    concurrency: int,
    cancel_after: int | None,
    max_failures: int | None,
    in_time: bool,
) -> None:
    if cancel_after is None:
        fates = [(key, "slow" if fate == "hang" else fate) for key, fate in fates]
    script = Script(fates)
    report = asyncio.run(
        script.run(in_time, cancel_after, concurrency=concurrency, max_failures=max_failures)
    )
    distinct = list(dict.fromkeys(script.keys))
    assert in_time or report.complete
    assert keys_of(report) == (distinct if report.complete else distinct[: len(report)])
    assert sorted(script.told) == sorted(keys_of(report))
    assert len(script.begun) == len(set(script.begun))
    check_adds_up(report)
    for outcome in report:
        assert (outcome.status is NOT_ATTEMPTED) == (outcome.key not in script.begun)
        assert (outcome.status is OK) == (outcome.value == outcome.key)
        assert (outcome.error is None) == (outcome.status is OK)
        assert (outcome.status is FAILED) <= (script.fates[outcome.key] == "fail")


async def test_one_attempt_means_no_second_round() -> None:
    wire = scripted({"a": [LOST]})
    (outcome,) = await bulk_on(wire, retry=ONE_TRY).start(["a"])
    assert (outcome.status, outcome.attempts, len(wire.seen)) == (FAILED, 1, 1)
