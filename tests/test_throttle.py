from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from itertools import pairwise

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi._http.limits.concurrency import Ticket
from aioappsapi._http.limits.patience import Patience
from aioappsapi._http.limits.throttle import Pause, Throttle
from aioappsapi._http.message import Request
from aioappsapi.errors import DeadlineError, NotAttemptedError
from tests.fakes import GET, START, VirtualLoop, request, response, run_virtual, settle, virtual

CALL = request(GET)
WRITE = request(START)
RUN = Patience()


async def later(throttle: Throttle, name: str, order: list[str]) -> Ticket:
    ticket = await throttle.admit(CALL)
    order.append(name)
    return ticket


@virtual
async def test_the_ceiling_bounds_requests_in_flight() -> None:
    throttle = Throttle(3)
    most = 0

    async def work() -> None:
        nonlocal most
        ticket = await throttle.admit(CALL)
        most = max(most, throttle.in_flight)
        await asyncio.sleep(1)
        throttle.succeeded(ticket)

    began = anyio.current_time()
    await asyncio.gather(*(work() for _ in range(10)))

    assert most == 3
    assert anyio.current_time() - began == 4  # ten of them, three at a time
    assert throttle.in_flight == 0


@virtual
async def test_a_free_slot_is_taken_at_once() -> None:
    throttle = Throttle(1)
    assert throttle.try_admit(CALL) is not None
    assert throttle.try_admit(CALL) is None
    assert throttle.in_flight == 1


@virtual
async def test_slots_are_given_in_order_of_arrival() -> None:
    throttle = Throttle(1)
    ticket = await throttle.admit(CALL)
    order: list[str] = []
    tasks = []
    for name in "abcd":
        tasks.append(asyncio.create_task(later(throttle, name, order)))
        await settle()
    for task in tasks:
        throttle.succeeded(ticket)
        ticket = await task

    assert order == list("abcd")


@virtual
async def test_no_request_overtakes_waiting_requests() -> None:
    throttle = Throttle(1)
    ticket = await throttle.admit(CALL)
    order: list[str] = []
    first = asyncio.create_task(later(throttle, "first", order))
    await settle()
    throttle.succeeded(ticket)  # the place is given to the first one, which has not run yet
    assert throttle.try_admit(CALL) is None
    second = asyncio.create_task(later(throttle, "second", order))
    throttle.succeeded(await first)
    await second

    assert order == ["first", "second"]


@virtual
async def test_the_gate_holds_all_requests_until_it_opens() -> None:
    throttle = Throttle(6)
    throttle.close_gate(30)
    began = anyio.current_time()
    order: list[str] = []

    assert throttle.closed_for == 30
    assert throttle.try_admit(CALL) is None
    await asyncio.gather(*(later(throttle, name, order) for name in "abc"))

    assert 30 <= anyio.current_time() - began <= 31
    assert order == list("abc")
    assert throttle.closed_for == 0


@virtual
async def test_the_gate_holds_requests_that_wait_for_a_slot_too() -> None:
    throttle = Throttle(1)
    ticket = await throttle.admit(CALL)
    waiting = asyncio.create_task(throttle.admit(CALL))
    await settle()
    throttle.close_gate(30)
    throttle.succeeded(ticket)
    await settle()
    assert not waiting.done()

    began = anyio.current_time()
    await waiting
    assert anyio.current_time() - began == pytest.approx(30)


@virtual
async def test_no_request_overtakes_at_the_moment_when_the_gate_opens() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    throttle = Throttle(1)
    throttle.close_gate(10)
    order: list[str] = []
    first = asyncio.create_task(later(throttle, "first", order))
    await settle()
    second = asyncio.create_task(later(throttle, "second", order))
    loop.now += 10  # the time has come, and the timer has not run yet
    await settle()
    assert order == ["first"]

    await asyncio.sleep(1)
    throttle.succeeded(await first)
    await second
    assert order == ["first", "second"]


@virtual
async def test_a_later_opening_counts_and_an_earlier_one_does_not() -> None:
    throttle = Throttle(1)
    began = anyio.current_time()
    throttle.close_gate(10)
    waiting = asyncio.create_task(throttle.admit(CALL))
    await settle()
    throttle.close_gate(40)
    throttle.close_gate(1)
    await waiting

    assert anyio.current_time() - began == pytest.approx(40)


@virtual
async def test_requests_are_spread_over_a_second_when_the_gate_opens_and_the_limit_stays() -> None:
    throttle = Throttle(10)
    throttle.close_gate(20)
    began = anyio.current_time()
    order: list[str] = []
    tasks = [asyncio.create_task(later(throttle, name, order)) for name in "abcdefghij"]
    await asyncio.sleep(20.45)
    assert order == list("abcde")

    await asyncio.gather(*tasks)
    assert anyio.current_time() - began == pytest.approx(20.9)
    assert throttle.limit == 10


@virtual
async def test_a_gate_that_opens_after_the_deadline_is_not_waited_for() -> None:
    throttle = Throttle(1)
    throttle.close_gate(60)
    began = anyio.current_time()
    with anyio.fail_after(30), pytest.raises(DeadlineError, match=r"opens again in 60 s.*nothing"):
        await throttle.admit(CALL)
    assert anyio.current_time() == began

    with anyio.fail_after(90):
        await throttle.admit(CALL)
    assert throttle.in_flight == 1


@virtual
async def test_a_request_that_waits_fails_when_the_gate_closes_beyond_its_deadline() -> None:
    throttle = Throttle(1)
    ticket = await throttle.admit(CALL)
    began = anyio.current_time()
    order: list[str] = []

    async def hurried() -> None:
        with anyio.fail_after(30), pytest.raises(DeadlineError, match="nothing was sent"):
            await throttle.admit(CALL)
        order.append("hurried")

    patient = asyncio.create_task(later(throttle, "patient", order))
    waiting = asyncio.create_task(hurried())
    await settle()
    throttle.close_gate(20)
    await settle()
    assert order == []
    throttle.close_gate(60)
    await waiting
    assert (order, anyio.current_time()) == (["hurried"], began)
    throttle.succeeded(ticket)
    await patient
    assert anyio.current_time() - began == pytest.approx(60)


@virtual
async def test_a_closing_and_a_notable_extension_are_reported() -> None:
    throttle = Throttle(4)
    pauses: list[Pause] = []
    end = throttle.on_pause(pauses.append)
    for seconds in (10, 10.5, 5, 40):
        throttle.close_gate(seconds)
    assert pauses == [Pause(10, "rate limit reached"), Pause(40, "rate limit reached")]
    await asyncio.sleep(41)
    throttle.close_gate(3)
    assert len(pauses) == 3
    end()
    end()  # harmless
    throttle.close_gate(300)
    assert len(pauses) == 3


@virtual
async def test_a_callback_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    throttle = Throttle(1)
    pauses: list[Pause] = []

    def broken(pause: Pause) -> None:
        raise KeyError("bug")

    throttle.on_pause(broken)
    throttle.on_pause(pauses.append)
    throttle.close_gate(10)
    await throttle.admit(CALL)
    assert (len(pauses), throttle.in_flight, throttle.closed_for) == (1, 1, 0)
    assert "a listener of pauses raised" in caplog.text


async def test_a_clock_may_be_given() -> None:
    now = 0.0
    throttle = Throttle(1, clock=lambda: now)
    throttle.close_gate(100)
    now = 40.0
    assert throttle.closed_for == 60

    now = 102.0
    assert throttle.closed_for == 0
    await throttle.admit(CALL)
    assert throttle.in_flight == 1


@pytest.mark.parametrize("moment", ["waiting", "given", "passed over"])
def test_cancelling_a_waiting_request_loses_no_slot(moment: str) -> None:
    async def scenario() -> None:
        throttle = Throttle(1)
        ticket = await throttle.admit(CALL)
        cancelled = asyncio.create_task(throttle.admit(CALL))
        await settle()
        other = asyncio.create_task(throttle.admit(CALL))
        await settle()
        if moment == "given":
            throttle.succeeded(ticket)
            cancelled.cancel()
        else:
            cancelled.cancel()
            if moment == "waiting":
                await settle()
            throttle.succeeded(ticket)  # before the cancelled one has run, if passed over
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        ticket = await other
        assert throttle.in_flight == 1
        throttle.succeeded(ticket)
        assert throttle.in_flight == 0

    run_virtual(scenario())


@virtual
async def test_a_request_that_is_cancelled_at_a_closed_gate_is_forgotten() -> None:
    throttle = Throttle(1)
    throttle.close_gate(10)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await throttle.admit(CALL)
    await asyncio.sleep(11)

    assert throttle.in_flight == 0
    assert throttle.try_admit(CALL) is not None


# -- while the server is away


async def goes_away(throttle: Throttle, request: Request = WRITE) -> None:
    for _ in range(20):
        throttle.failed(await throttle.admit(request, patience=RUN))
    assert throttle.in_outage(request)


@virtual
async def test_requests_of_a_run_are_probes_with_growing_pauses() -> None:
    throttle = Throttle(50)
    await goes_away(throttle)
    began = anyio.current_time()
    sent: list[float] = []

    async def work() -> None:
        ticket = await throttle.admit(WRITE, patience=RUN)
        sent.append(anyio.current_time() - began)
        throttle.failed(ticket)

    await asyncio.gather(*(work() for _ in range(6)))
    pauses = [after - before for before, after in pairwise([0.0, *sent])]
    assert pauses == pytest.approx([0.25 * 1.5**n for n in range(6)], rel=1e-3)


@virtual
async def test_a_single_call_is_the_next_probe_although_a_run_waited_before_it() -> None:
    throttle = Throttle(50)
    await goes_away(throttle)
    order: list[str] = []

    async def work(name: str, patience: Patience | None) -> None:
        ticket = await throttle.admit(WRITE, patience=patience)
        order.append(name)
        throttle.failed(ticket)

    tasks = [asyncio.create_task(work("run", RUN)) for _ in range(3)]
    await settle()
    await work("single", None)
    await asyncio.gather(*tasks)
    assert order == ["single", "run", "run", "run"]


@virtual
async def test_single_calls_wait_at_most_two_seconds() -> None:
    throttle = Throttle(50)
    await goes_away(throttle)
    began = anyio.current_time()

    async def work() -> None:
        throttle.failed(await throttle.admit(WRITE))

    await asyncio.gather(*(work() for _ in range(30)))
    assert anyio.current_time() - began == pytest.approx(2.0)


@virtual
async def test_reads_go_on_while_only_writes_fail() -> None:
    throttle = Throttle(50)
    await goes_away(throttle, WRITE)
    waiting = asyncio.create_task(throttle.admit(WRITE, patience=RUN))
    await settle()
    began = anyio.current_time()
    throttle.succeeded(await throttle.admit(CALL))
    assert anyio.current_time() == began
    assert throttle.in_outage(WRITE)
    await waiting


@virtual
async def test_all_requests_go_on_once_a_probe_succeeds() -> None:
    throttle = Throttle(50)
    await goes_away(throttle)

    async def work() -> None:
        ticket = await throttle.admit(WRITE, patience=RUN)
        await asyncio.sleep(0.05)
        throttle.succeeded(ticket)

    began = anyio.current_time()
    await asyncio.gather(*(work() for _ in range(200)))
    assert anyio.current_time() - began < 1.5
    assert not throttle.in_outage(WRITE)


@virtual
async def test_the_beginning_and_the_end_of_an_outage_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    throttle = Throttle(50)
    await goes_away(throttle)
    throttle.succeeded(await throttle.admit(WRITE))
    assert caplog.messages == [
        "All writes fail: one at a time is sent until the server recovers.",
        "The server answers again.",
    ]


@virtual
async def test_requests_of_a_run_that_gives_up_fail_at_once() -> None:
    throttle = Throttle(50)
    await goes_away(throttle)
    patience = Patience(give_up_after=0.0)
    for _ in range(20):
        patience.failed(anyio.current_time(), "down")
    waiting = [asyncio.create_task(throttle.admit(WRITE, patience=patience)) for _ in range(5)]
    other = asyncio.create_task(throttle.admit(WRITE, patience=RUN))
    await settle()
    throttle.dismiss(patience)
    for task in waiting:
        with pytest.raises(NotAttemptedError, match=r"start app .*: The run gave up"):
            await task
    await other


class Crowd:
    """Callers that come, hurry, go, fail and are cancelled, before a gate that opens and closes."""

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.throttle = Throttle(ceiling, wall=asyncio.get_running_loop().time)
        self.tasks: list[asyncio.Task[None]] = []
        self.leave: list[asyncio.Event] = []
        self.patience: Patience | None = None
        self.failing = False
        self.was_away = False
        self.highest = 0

    async def work(self, leave: asyncio.Event, deadline: float) -> None:
        with anyio.move_on_after(deadline):
            ticket = await self.throttle.admit(CALL, patience=self.patience)
            end = self.throttle.discarded
            try:
                await leave.wait()
                end = self.throttle.failed if self.failing else self.throttle.succeeded
            finally:
                self.highest = max(self.highest, self.throttle.limit)
                end(ticket)
                self.was_away |= self.throttle.in_outage(CALL)

    async def come(self, number: int, deadline: float = math.inf) -> None:
        self.leave.append(asyncio.Event())
        self.tasks.append(asyncio.create_task(self.work(self.leave[-1], deadline)))

    async def hurry(self, number: int) -> None:
        await self.come(number, deadline=number)

    async def cancel(self, number: int) -> None:
        for task in self.tasks[number : number + 1]:
            task.cancel()

    async def go(self, number: int) -> None:
        for leave in self.leave[number : number + 1]:
            leave.set()

    async def gate(self, number: int) -> None:
        self.throttle.close_gate(number)

    async def fail(self, number: int) -> None:
        self.failing = number % 2 == 0
        self.patience = RUN if number % 3 == 0 else None

    async def go_away(self, number: int) -> None:
        for _ in range(20):
            if (ticket := self.throttle.try_admit(CALL)) is not None:
                self.throttle.failed(ticket)

    async def told(self, number: int) -> None:
        resets_at = str(asyncio.get_running_loop().time() + number)
        headers = {"X-RateLimit-Remaining": str(number), "X-RateLimit-Reset": resets_at}
        self.throttle.rate_window.observe(
            response(200, headers={"X-RateLimit-Limit": "20", **headers})
        )

    async def run(self, number: int) -> None:
        await asyncio.sleep(0)

    async def wait(self, number: int) -> None:
        await asyncio.sleep(number)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                Crowd.come,
                Crowd.come,
                Crowd.hurry,
                Crowd.cancel,
                Crowd.go,
                Crowd.gate,
                Crowd.fail,
                Crowd.go_away,
                Crowd.told,
                Crowd.run,
                Crowd.wait,
            ]
        ),
        st.integers(0, 8),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 8), STEPS)
def test_whatever_happens_no_ticket_is_lost_or_ended_twice(
    ceiling: int, steps: list[tuple[Callable[[Crowd, int], Awaitable[None]], int]]
) -> None:
    async def scenario() -> None:
        crowd = Crowd(ceiling)
        throttle = crowd.throttle
        for step, number in steps:
            crowd.highest = throttle.in_flight
            crowd.was_away = throttle.in_outage(CALL)
            await step(crowd, number)
            assert 1 <= throttle.limit <= ceiling
            # A limit that shrinks takes no ticket back. Beyond it only probes of an outage get
            # tickets: one at a time, and a few single calls. The step may also end an outage.
            if not (crowd.was_away or throttle.in_outage(CALL)):
                assert throttle.in_flight <= max(crowd.highest, throttle.limit)
        for leave in crowd.leave:
            leave.set()
        results = await asyncio.gather(*crowd.tasks, return_exceptions=True)

        # No request hangs, each ticket was ended, and only late or cancelled ones raised.
        expected = (asyncio.CancelledError, DeadlineError)
        assert all(result is None or isinstance(result, expected) for result in results)
        assert throttle.in_flight == 0
        throttle.succeeded(await throttle.admit(CALL))
        for _ in range(throttle.limit):
            await throttle.admit(CALL)
        assert throttle.in_flight == throttle.limit >= 1

    run_virtual(scenario())


@virtual
async def test_a_very_short_pause_is_not_announced(
    caplog: pytest.LogCaptureFixture,
) -> None:
    throttle = Throttle(1)
    pauses: list[Pause] = []
    throttle.on_pause(pauses.append)
    throttle.close_gate(0.01)
    assert (pauses, caplog.messages) == ([], [])
