"""The bound on instances that start at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi.bulk.actions.footprint import Footprint
from aioappsapi.bulk.actions.start_limiter import StartLimiter
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.states import State
from aioappsapi.errors import CrashedError, UnverifiedError
from tests.fakes import run_virtual, settle, virtual
from tests.steps import Step

STEP = Step("start", once=False, visible=True, waits=True)
CRASHED = CrashedError("start: its instances crash")


def one(instances: int = 1, memory: int = 0) -> Footprint:
    return Footprint(instances, memory)


class Known:
    """Footprints that were read already."""

    def __init__(self, *footprints: Footprint) -> None:
        self._footprints = footprints

    async def get(self, index: int) -> Footprint:
        return self._footprints[index]


def limiter_for(*footprints: Footprint, **bounds: int | None) -> StartLimiter:
    return StartLimiter(footprints=Known(*footprints), **bounds)  # type: ignore[arg-type]


class Queue:
    """Apps that want to start, each in a task of its own."""

    def __init__(self, *footprints: Footprint, **bounds: int | None) -> None:
        self.limiter = limiter_for(*footprints, **bounds)
        self.inside: list[int] = []
        self.runs = [AppRun(n, str(n), [STEP], self) for n in range(len(footprints))]
        self.tasks = [asyncio.create_task(self._enter(run)) for run in self.runs]

    @property
    def held(self) -> int:
        return sum(run.state is State.HELD for run in self.runs)

    def moved(self, run: AppRun, before: State) -> None:
        self.limiter.moved(run)

    async def _enter(self, run: AppRun) -> None:
        run.claimed()
        await self.limiter.admit(run)
        self.inside.append(run.index)
        run.accepted(0.0)

    def crash(self, number: int) -> None:
        self.runs[number].crashed()

    async def leave(self, number: int, well: bool = False) -> None:
        run = self.runs[number]
        if well:
            run.proved(1.0, 1.0, "all")
        else:
            run.unproved(1.0, UnverifiedError("nobody can look"), late=False)
        await settle()


async def queue(*footprints: Footprint, **bounds: int | None) -> Queue:
    made = Queue(*footprints, **bounds)
    await settle()
    return made


async def test_places_are_given_in_order_of_arrival() -> None:
    line = await queue(*(one() for _ in range(4)), instances=2)
    assert (line.inside, line.held, line.limiter.starting) == ([0, 1], 2, 2)
    await line.leave(1)
    assert line.inside == [0, 1, 2]
    await line.leave(0)
    assert line.inside == [0, 1, 2, 3]
    assert (line.held, line.limiter.peak) == (0, 2)


async def test_a_small_app_does_not_overtake_a_large_one_for_ever() -> None:
    line = await queue(one(3), one(4), one(1), instances=4)
    assert line.inside == [0]
    await line.leave(0)
    assert line.inside == [0, 1]
    await line.leave(1)
    assert line.inside == [0, 1, 2]


async def test_an_app_larger_than_the_bound_starts_alone() -> None:
    line = await queue(one(), one(9), one(), instances=2)
    assert line.inside == [0]
    await line.leave(0)
    assert (line.inside, line.limiter.starting) == ([0, 1], 9)
    await line.leave(1)
    assert line.inside == [0, 1, 2]


async def test_memory_is_bounded_as_well() -> None:
    line = await queue(one(1, 600), one(1, 400), one(1, 1), memory=1_000)
    assert line.inside == [0, 1]
    both = await queue(one(1, 1), one(1, 1), instances=1, memory=1_000)
    assert both.inside == [0]
    both.tasks[1].cancel()
    line.tasks[2].cancel()


async def test_an_app_without_instances_is_never_held_back() -> None:
    line = await queue(one(1), one(0), one(0), instances=1)
    assert line.inside == [0, 1, 2]


async def test_a_crash_halves_the_bound_and_success_lets_it_grow() -> None:
    line = await queue(*(one() for _ in range(100)), instances=10)
    line.crash(3)
    assert line.limiter.share == 0.5
    await line.leave(0)
    assert line.limiter.share == 0.5, "an unproved app changes nothing"
    for number in range(1, 17):
        await line.leave(number, well=True)
    assert 0.65 < line.limiter.share < 0.8, "a tenth for each five"
    for number in range(17, 100):
        await line.leave(number, well=True)
    assert line.limiter.share == 1.0


async def test_crashes_of_apps_that_started_together_halve_the_bound_once() -> None:
    line = await queue(*(one() for _ in range(9)), instances=8)
    for number in range(8):
        line.crash(number)
    assert line.limiter.share == 0.5
    for number in range(5):
        await line.leave(number)
    line.crash(8)
    assert line.limiter.share == 0.25, "it began after the bound was halved"


async def test_one_app_may_always_start_however_many_crash() -> None:
    line = await queue(*(one(1, 100) for _ in range(100)), instances=3, memory=50)
    for number in range(100):
        assert line.inside == list(range(number + 1))
        line.runs[number].disproved(1.0, CRASHED)
        await settle()
    assert line.limiter.share > 0


async def test_an_app_that_comes_up_after_a_crash_does_not_raise_the_bound() -> None:
    line = await queue(one(), one(), instances=10)
    line.crash(0)
    await line.leave(0, well=True)
    assert line.limiter.share == 0.5


async def test_a_cancelled_app_gives_way_to_the_apps_behind_it() -> None:
    line = await queue(one(), one(2), one(), instances=2)
    line.tasks[1].cancel()
    await settle()
    assert line.inside == [0, 2]
    assert line.limiter.starting == 2


async def test_an_app_cancelled_at_the_moment_of_its_turn_returns_its_place() -> None:
    line = await queue(one(), one(), one(), instances=1)
    line.runs[0].proved(1.0, 1.0, "all")
    line.tasks[1].cancel()  # its turn has come, and it has not run since
    await settle()
    assert line.inside == [0, 2]
    assert line.limiter.starting == 1


@settings(max_examples=150, deadline=None)
@given(
    apps=st.lists(
        st.tuples(
            st.integers(0, 6),  # instances
            st.integers(0, 4),  # memory of each, in hundreds
            st.integers(0, 5),  # seconds that they take to start
            st.booleans(),
            st.none() | st.integers(0, 9),  # seconds until it is cancelled
        ),
        max_size=25,
    ),
    bound=st.none() | st.integers(1, 6),
    memory=st.none() | st.integers(1, 10),
)
def test_the_bound_holds_and_no_app_waits_for_ever(
    apps: list[Any], bound: int | None, memory: int | None
) -> None:
    run_virtual(_live(apps, bound, None if memory is None else memory * 100))


class Follower:
    limiter: StartLimiter

    def moved(self, run: AppRun, before: State) -> None:
        self.limiter.moved(run)


async def _live(apps: list[Any], bound: int | None, memory: int | None) -> None:
    footprints = [one(instances, instances * each * 100) for instances, each, *_ in apps]
    follower = Follower()
    follower.limiter = limiter = limiter_for(*footprints, instances=bound, memory=memory)
    inside: list[Footprint] = []
    done = 0

    async def start(number: int, seconds: int, well: bool) -> None:
        nonlocal done
        footprint = footprints[number]
        run = AppRun(number, str(number), [STEP], follower)
        run.claimed()
        await limiter.admit(run)
        inside.append(footprint)
        real = [one for one in inside if one.instances]
        assert len(real) <= 1 or bound is None or sum(one.instances for one in real) <= bound
        assert len(real) <= 1 or memory is None or sum(one.memory for one in real) <= memory
        run.accepted(0.0)
        try:
            await asyncio.sleep(seconds)
        finally:
            inside.remove(footprint)
            if well:
                run.proved(1.0, 1.0, "all")
            else:
                run.disproved(1.0, CRASHED)
            done += 1

    tasks = []
    for number, (_, _, seconds, well, cancelled) in enumerate(apps):
        task = asyncio.create_task(start(number, seconds, well))
        tasks.append(task)
        if cancelled is not None:
            asyncio.get_running_loop().call_later(cancelled, task.cancel)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in results} <= {type(None), asyncio.CancelledError}
    assert limiter.starting == 0
    uncancelled = sum(cancelled is None for *_, cancelled in apps)
    assert done >= uncancelled


@virtual
async def test_a_timeout_while_an_app_is_held_back_leaves_nothing_behind() -> None:
    line = Queue(one(), one(), instances=1)
    await settle()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await line.tasks[1]
    assert line.limiter.starting == 1
