"""With thousands of waiting requests, the next one is found without a search."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi._http import limits
from aioappsapi._http.limits.concurrency import Ticket
from aioappsapi._http.limits.patience import Patience
from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.limits.waiting import Turn, Waiting
from aioappsapi.errors import DeadlineError, NotAttemptedError
from tests.fakes import GET, START, request, response, run_virtual, settle, virtual

READ, WRITE = request(GET), request(START)
RUN = Patience()
FEW, MANY = 200, 2_000
LIMITS = str(Path(limits.__file__).parent)


class Work:
    """Counts the lines of the limits that are executed."""

    def __init__(self) -> None:
        self.lines = 0

    def trace(self, frame: FrameType, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(LIMITS):
            return None
        self.lines += event == "line"
        return self.trace

    @contextmanager
    def counted(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self.trace)
        try:
            yield
        finally:
            sys.settrace(before)


class Waiters:
    """Requests that wait. Each one that is let through ends at once, with a success or not."""

    def __init__(self, throttle: Throttle, *, fails: int = 0) -> None:
        self.throttle = throttle
        self.fails = fails
        self.tasks: list[asyncio.Task[None]] = []

    async def join(self, many: int, patience: Patience | None, deadline: float = 1e9) -> None:
        self.tasks = [asyncio.create_task(self.work(patience, deadline)) for _ in range(many)]
        await settle()

    async def work(self, patience: Patience | None, deadline: float) -> None:
        with anyio.CancelScope(deadline=anyio.current_time() + deadline):
            ticket = await self.throttle.admit(WRITE, patience=patience)
            await asyncio.sleep(0.01)
            if self.fails > 0:
                self.fails -= 1
                self.throttle.failed(ticket)
            else:
                self.throttle.succeeded(ticket)

    async def finish(self) -> None:
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def at_the_limit(throttle: Throttle, many: int) -> Waiters:
    waiters = Waiters(throttle)
    await waiters.join(many, RUN)
    return waiters


async def at_a_closed_gate(throttle: Throttle, many: int) -> Waiters:
    throttle.close_gate(30)
    waiters = Waiters(throttle)
    await waiters.join(many, RUN)
    for _ in range(many):  # the answers to what was in flight
        throttle.close_gate(30)
    return waiters


def goes_away(throttle: Throttle) -> None:
    while (ticket := throttle.try_admit(WRITE)) is not None:
        throttle.failed(ticket)
    assert throttle.in_outage(WRITE)


async def in_an_outage(throttle: Throttle, many: int) -> Waiters:
    goes_away(throttle)
    waiters = Waiters(throttle, fails=many // 10)
    await waiters.join(many, RUN)
    for _ in range(many):
        throttle.only_retries_wait()
    return waiters


async def single_calls_in_an_outage(throttle: Throttle, many: int) -> Waiters:
    goes_away(throttle)
    waiters = Waiters(throttle, fails=many)
    await waiters.join(many, None)
    return waiters


def uses_up_the_window(throttle: Throttle) -> None:
    resets_at = str(asyncio.get_running_loop().time() + 30)
    headers = {"X-RateLimit-Limit": "100000", "X-RateLimit-Remaining": "0"}
    throttle.rate_window.observe(response(200, headers={**headers, "X-RateLimit-Reset": resets_at}))
    assert throttle.closed_for


async def at_a_used_up_window(throttle: Throttle, many: int) -> Waiters:
    ticket = throttle.try_admit(READ)
    assert ticket is not None
    uses_up_the_window(throttle)
    waiters = Waiters(throttle)
    await waiters.join(many, RUN)
    for _ in range(many):
        throttle.discarded(ticket)
        ticket = throttle.limiter.start(0.0, "read", write=False)
    throttle.discarded(ticket)
    return waiters


async def hurried_at_a_used_up_window(throttle: Throttle, many: int) -> Waiters:
    uses_up_the_window(throttle)
    waiters = Waiters(throttle)
    await waiters.join(many, RUN, deadline=20)
    return waiters


async def cancelled(throttle: Throttle, many: int) -> Waiters:
    waiters = await at_a_closed_gate(throttle, many)
    for task in waiters.tasks:
        task.cancel()
    return waiters


async def too_late(throttle: Throttle, many: int) -> Waiters:
    throttle.close_gate(10)
    waiters = Waiters(throttle)
    await waiters.join(many, RUN, deadline=20)
    throttle.close_gate(60)
    return waiters


SCENES = [
    at_the_limit,
    at_a_closed_gate,
    in_an_outage,
    single_calls_in_an_outage,
    at_a_used_up_window,
    hurried_at_a_used_up_window,
    cancelled,
    too_late,
]


def lines_per_waiter(scene: Callable[[Throttle, int], Awaitable[Waiters]], many: int) -> float:
    work = Work()

    async def scenario() -> None:
        throttle = Throttle(20, wall=asyncio.get_running_loop().time)
        with work.counted():
            waiters = await scene(throttle, many)
            await waiters.finish()
        assert throttle.in_flight == 0

    run_virtual(scenario())
    return work.lines / many


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_turn_costs_as_much_with_thousands_of_waiters_as_with_few(
    scene: Callable[[Throttle, int], Awaitable[Waiters]],
) -> None:
    assert lines_per_waiter(scene, MANY) <= 1.3 * lines_per_waiter(scene, FEW)


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["come", "go", "cancel", "next"]),
        st.integers(0, 20),
        st.booleans(),
        st.sampled_from([None, RUN]),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(MOVES)
def test_the_next_one_is_the_one_that_a_look_at_all_of_them_finds(
    moves: list[tuple[str, int, bool, Patience | None]],
) -> None:
    async def scenario() -> None:
        waiting, all_of_them = Waiting(), []
        for move, number, write, patience in moves:
            if move == "come":
                deadline = float("inf") if number > 15 else float(number)
                turn = Turn(WRITE if write else READ, patience, 0.0, retried=number % 2 == 0)
                turn.deadline = deadline
                waiting.add(turn)
                all_of_them.append(turn)
            elif move == "next":
                before = float("inf") if number > 15 else float(number)
                kind = [
                    one
                    for one in all_of_them
                    if one.write is write
                    and one.patience is patience
                    and (one.deadline < before or number > 15)
                    and not one.given.done()
                ]
                if number <= 15:
                    kind.sort(key=lambda one: one.deadline)
                found = waiting.next(write=write, single=patience is None, before=before)
                assert found is (kind[0] if kind else None)
            elif number < len(all_of_them):
                turn = all_of_them[number]
                if move == "go":
                    waiting.remove(turn)
                    waiting.remove(turn)
                    all_of_them.remove(turn)
                else:
                    turn.given.cancel()
        here = [one for one in all_of_them if not one.given.done()]
        for one in set(all_of_them) - set(here):
            waiting.remove(one)
        assert waiting.count == len(here)
        assert waiting.only_retries is all(one.retried for one in here)

    run_virtual(scenario())


@virtual
async def test_at_a_used_up_window_the_most_urgent_request_goes_first() -> None:
    throttle = Throttle(1, wall=asyncio.get_running_loop().time)
    held = throttle.try_admit(WRITE)
    assert held is not None
    uses_up_the_window(throttle)
    order: list[float] = []

    async def work(deadline: float) -> None:
        with anyio.CancelScope(deadline=anyio.current_time() + deadline):
            ticket: Ticket = await throttle.admit(WRITE)
            order.append(deadline)
            throttle.succeeded(ticket)

    tasks = [asyncio.create_task(work(deadline)) for deadline in (1e9, 20, 10, 15)]
    await settle()
    throttle.discarded(held)
    await settle()
    assert order == [10, 15, 20]
    await asyncio.gather(*tasks)
    assert order == [10, 15, 20, 1e9]


@virtual
async def test_a_gate_that_closes_for_long_and_a_run_that_gives_up_reach_only_their_own() -> None:
    throttle = Throttle(1)
    throttle.close_gate(5)
    patience = Patience(give_up_after=0.0)
    for _ in range(20):
        patience.failed(0.0)
    mine = [asyncio.create_task(throttle.admit(WRITE, patience=Patience())) for _ in range(3)]
    waiters = Waiters(throttle)
    await waiters.join(3, None, deadline=20)
    throttle.close_gate(30)
    await settle()
    for task in waiters.tasks:
        with pytest.raises(DeadlineError):
            await task
    throttle.dismiss(patience)
    await settle()
    assert not any(task.done() for task in mine)
    for task in mine:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with pytest.raises(NotAttemptedError):
        await throttle.admit(WRITE, patience=patience)
