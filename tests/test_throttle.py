from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi._http.limits.throttle import Pause, Throttle
from aioappsapi.errors import DeadlineError
from tests.fakes import VirtualLoop, response, run_virtual, settle, virtual


async def later(throttle: Throttle, name: str, order: list[str]) -> None:
    await throttle.acquire()
    order.append(name)


@virtual
async def test_no_more_than_the_ceiling_at_once() -> None:
    throttle = Throttle(3)
    most = 0

    async def work() -> None:
        nonlocal most
        await throttle.acquire()
        most = max(most, throttle.in_flight)
        await asyncio.sleep(1)
        throttle.release()

    began = anyio.current_time()
    await asyncio.gather(*(work() for _ in range(10)))

    assert most == 3
    assert anyio.current_time() - began == 4  # ten of them, three at a time
    assert throttle.in_flight == 0


@virtual
async def test_a_free_slot_is_had_at_once() -> None:
    throttle = Throttle(1)
    acquiring = throttle.acquire()
    with pytest.raises(StopIteration):
        acquiring.send(None)

    assert throttle.in_flight == 1


@virtual
async def test_first_come_first_served() -> None:
    throttle = Throttle(1)
    await throttle.acquire()
    order: list[str] = []
    tasks = []
    for name in "abcd":
        tasks.append(asyncio.create_task(later(throttle, name, order)))
        await settle()
    for _ in tasks:
        throttle.release()
        await settle()

    assert order == list("abcd")


@virtual
async def test_nobody_overtakes_those_who_wait() -> None:
    throttle = Throttle(1)
    await throttle.acquire()
    order: list[str] = []
    first = asyncio.create_task(later(throttle, "first", order))
    await settle()
    throttle.release()  # it is the first one's now, who does not know yet
    second = asyncio.create_task(later(throttle, "second", order))
    await settle()
    throttle.release()
    await asyncio.gather(first, second)

    assert order == ["first", "second"]


@virtual
async def test_the_gate_holds_everybody_back_until_it_opens() -> None:
    throttle = Throttle(6)
    throttle.close_gate(30)
    began = anyio.current_time()
    order: list[str] = []

    assert throttle.closed_for == 30
    await asyncio.gather(*(later(throttle, name, order) for name in "abc"))

    assert anyio.current_time() - began == pytest.approx(30)
    assert order == list("abc")
    assert throttle.closed_for == 0


@virtual
async def test_the_gate_holds_back_even_those_who_wait_for_a_slot() -> None:
    throttle = Throttle(1)
    await throttle.acquire()
    waiting = asyncio.create_task(throttle.acquire())
    await settle()
    throttle.close_gate(30)
    throttle.release()
    await settle()
    assert not waiting.done()

    began = anyio.current_time()
    await waiting
    assert anyio.current_time() - began == pytest.approx(30)


@virtual
async def test_nobody_overtakes_in_the_moment_in_which_the_gate_opens() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    throttle = Throttle(1)
    throttle.close_gate(10)
    order: list[str] = []
    first = asyncio.create_task(later(throttle, "first", order))
    await settle()
    second = asyncio.create_task(later(throttle, "second", order))
    loop.now += 10  # the time has come, and those who wait have not been told yet
    await settle()
    assert order == ["first"]

    throttle.release()
    await asyncio.gather(first, second)
    assert order == ["first", "second"]


@virtual
async def test_a_later_opening_counts_and_an_earlier_one_does_not() -> None:
    throttle = Throttle(1)
    began = anyio.current_time()
    throttle.close_gate(10)
    waiting = asyncio.create_task(throttle.acquire())
    await settle()
    throttle.close_gate(40)
    throttle.close_gate(1)
    await waiting

    assert anyio.current_time() - began == pytest.approx(40)


@virtual
async def test_the_gate_opens_for_half_of_what_was_let_through_before() -> None:
    throttle = Throttle(4)
    throttle.close_gate(5)
    order: list[str] = []
    tasks = [asyncio.create_task(later(throttle, name, order)) for name in "abcd"]
    await asyncio.sleep(6)
    assert (order, throttle.in_flight) == (list("ab"), 2)

    throttle.release()
    throttle.release()
    await asyncio.gather(*tasks)
    assert order == list("abcd")


@virtual
async def test_a_gate_that_opens_after_the_deadline_is_not_waited_for() -> None:
    throttle = Throttle(1)
    throttle.close_gate(60)
    began = anyio.current_time()
    with anyio.fail_after(30), pytest.raises(DeadlineError, match=r"opens again in 60 s.*nothing"):
        await throttle.acquire()
    assert anyio.current_time() == began

    with anyio.fail_after(90):
        await throttle.acquire()
    assert throttle.in_flight == 1


@virtual
async def test_those_who_wait_are_told_when_the_gate_closes_beyond_their_deadline() -> None:
    throttle = Throttle(1)
    await throttle.acquire()
    began = anyio.current_time()
    order: list[str] = []

    async def hurried() -> None:
        with anyio.fail_after(30), pytest.raises(DeadlineError, match="nothing was sent"):
            await throttle.acquire()
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
    throttle.release()
    await patient
    assert anyio.current_time() - began == pytest.approx(60)


@virtual
async def test_a_closing_and_a_notable_prolongation_are_told() -> None:
    throttle = Throttle(4)
    told: list[Pause] = []
    end = throttle.on_pause(told.append)
    for seconds in (10, 10.5, 5, 40):
        throttle.close_gate(seconds)
    assert told == [Pause(10, "rate limit reached"), Pause(40, "rate limit reached")]
    await asyncio.sleep(41)
    throttle.close_gate(3)
    assert len(told) == 3
    end()
    end()  # harmless
    throttle.close_gate(300)
    assert len(told) == 3


@virtual
async def test_a_listener_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    throttle = Throttle(1)
    told: list[Pause] = []

    def broken(pause: Pause) -> None:
        raise KeyError("bug")

    throttle.on_pause(broken)
    throttle.on_pause(told.append)
    throttle.close_gate(10)
    await throttle.acquire()
    assert (len(told), throttle.in_flight, throttle.closed_for) == (1, 1, 0)
    assert "a listener of pauses raised" in caplog.text


async def test_a_clock_may_be_given() -> None:
    now = 0.0
    throttle = Throttle(1, clock=lambda: now)
    throttle.close_gate(100)
    now = 40.0
    assert throttle.closed_for == 60

    now = 100.0
    assert throttle.closed_for == 0
    await throttle.acquire()
    assert throttle.in_flight == 1


@pytest.mark.parametrize("moment", ["waiting", "given", "passed over"])
def test_cancelling_a_waiter_loses_no_slot(moment: str) -> None:
    async def scenario() -> None:
        throttle = Throttle(1)
        await throttle.acquire()
        cancelled = asyncio.create_task(throttle.acquire())
        await settle()
        other = asyncio.create_task(throttle.acquire())
        await settle()
        if moment == "given":
            throttle.release()
            cancelled.cancel()
        else:
            cancelled.cancel()
            if moment == "waiting":
                await settle()
            throttle.release()  # before the cancelled one has run, if passed over
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await other
        assert throttle.in_flight == 1
        throttle.release()
        assert throttle.in_flight == 0

    run_virtual(scenario())


@virtual
async def test_a_waiter_that_is_cancelled_at_a_closed_gate_is_forgotten() -> None:
    throttle = Throttle(1)
    throttle.close_gate(10)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await throttle.acquire()
    await asyncio.sleep(10)

    assert throttle.in_flight == 0
    await throttle.acquire()
    assert throttle.in_flight == 1


class Crowd:
    """Callers that come, hurry, go, fail and are cancelled, before a gate that opens and closes."""

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.throttle = Throttle(ceiling, wall=asyncio.get_running_loop().time)
        self.tasks: list[asyncio.Task[None]] = []
        self.leave: list[asyncio.Event] = []

    async def work(self, leave: asyncio.Event, deadline: float) -> None:
        with anyio.move_on_after(deadline):
            await self.throttle.acquire()
            try:
                await leave.wait()
            finally:
                self.throttle.release()

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
        for _ in range(20):
            self.throttle.learn(0.1, failed=number % 2 == 0)

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
def test_whatever_happens_no_slot_is_lost_or_given_twice(
    ceiling: int, steps: list[tuple[Callable[[Crowd, int], Awaitable[None]], int]]
) -> None:
    async def scenario() -> None:
        crowd = Crowd(ceiling)
        throttle = crowd.throttle
        for step, number in steps:
            before = throttle.in_flight
            await step(crowd, number)
            assert 1 <= throttle.limit <= ceiling
            # A limit that shrinks takes no slot away, but none is given beyond it.
            assert throttle.in_flight <= max(before, throttle.limit)
        for leave in crowd.leave:
            leave.set()
        results = await asyncio.gather(*crowd.tasks, return_exceptions=True)

        # Nobody hangs, all slots are back, and only those who were cancelled or late raised.
        expected = (asyncio.CancelledError, DeadlineError)
        assert all(result is None or isinstance(result, expected) for result in results)
        assert throttle.in_flight == 0
        for _ in range(throttle.limit):
            await throttle.acquire()
        assert throttle.in_flight == throttle.limit >= 1

    run_virtual(scenario())
