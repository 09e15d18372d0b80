from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi._http.throttle import Throttle
from aioappsapi.errors import DeadlineError
from tests.fakes import VirtualLoop, run_virtual, settle, virtual


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
    """Callers that come, go and are cancelled; at most `ceiling` of them may be inside."""

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.throttle = Throttle(ceiling)
        self.tasks: list[asyncio.Task[None]] = []
        self.leave: list[asyncio.Event] = []
        self.inside = 0

    async def work(self, leave: asyncio.Event) -> None:
        await self.throttle.acquire()
        self.inside += 1
        try:
            assert self.inside <= self.ceiling
            await leave.wait()
        finally:
            self.inside -= 1
            self.throttle.release()

    async def come(self, number: int) -> None:
        self.leave.append(asyncio.Event())
        self.tasks.append(asyncio.create_task(self.work(self.leave[-1])))

    async def cancel(self, number: int) -> None:
        for task in self.tasks[number : number + 1]:
            task.cancel()

    async def go(self, number: int) -> None:
        for leave in self.leave[number : number + 1]:
            leave.set()

    async def gate(self, number: int) -> None:
        self.throttle.close_gate(number)

    async def run(self, number: int) -> None:
        await asyncio.sleep(0)

    async def wait(self, number: int) -> None:
        await asyncio.sleep(number)


STEPS = st.lists(
    st.tuples(
        st.sampled_from([Crowd.come, Crowd.cancel, Crowd.go, Crowd.gate, Crowd.run, Crowd.wait]),
        st.integers(0, 8),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 3), STEPS)
def test_whatever_happens_no_slot_is_lost_or_given_twice(
    ceiling: int, steps: list[tuple[Callable[[Crowd, int], Awaitable[None]], int]]
) -> None:
    async def scenario() -> None:
        crowd = Crowd(ceiling)
        for step, number in steps:
            await step(crowd, number)
            assert crowd.throttle.in_flight <= ceiling
        for leave in crowd.leave:
            leave.set()
        results = await asyncio.gather(*crowd.tasks, return_exceptions=True)

        # Nobody hangs, nothing but the cancellations came out, and all slots are back.
        assert all(r is None or isinstance(r, asyncio.CancelledError) for r in results)
        assert crowd.throttle.in_flight == 0
        for _ in range(crowd.throttle.limit):
            await crowd.throttle.acquire()
        assert crowd.throttle.in_flight == crowd.throttle.limit >= 1

    run_virtual(scenario())
