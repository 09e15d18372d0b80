"""How many instances may be starting at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi.bulk.herd import Herd, Load
from tests.fakes import run_virtual, settle, virtual


def one(instances: int = 1, memory: int = 0) -> Load:
    return Load(instances, memory)


class Queue:
    """Loads that want in, each a task of its own."""

    def __init__(self, herd: Herd, *loads: Load) -> None:
        self.herd = herd
        self.loads = loads
        self.inside: list[int] = []
        self.turns: dict[int, int] = {}
        self.tasks = [asyncio.create_task(self._enter(n)) for n in range(len(loads))]

    async def _enter(self, number: int) -> None:
        self.turns[number] = await self.herd.enter(self.loads[number])
        self.inside.append(number)

    async def leave(self, number: int, well: bool = False) -> None:
        self.herd.leave(self.loads[number], well=well)
        await settle()


async def queue(herd: Herd, *loads: Load) -> Queue:
    made = Queue(herd, *loads)
    await settle()
    return made


async def test_first_come_first_served() -> None:
    herd = Herd(instances=2)
    line = await queue(herd, *(one() for _ in range(4)))
    assert (line.inside, herd.held, herd.starting) == ([0, 1], 2, 2)
    await line.leave(1)
    assert line.inside == [0, 1, 2]
    await line.leave(0)
    assert line.inside == [0, 1, 2, 3]
    assert (herd.held, herd.peak) == (0, 2)


async def test_a_small_one_does_not_overtake_a_large_one_for_ever() -> None:
    line = await queue(Herd(instances=4), one(3), one(4), one(1))
    assert line.inside == [0]
    await line.leave(0)
    assert line.inside == [0, 1]
    await line.leave(1)
    assert line.inside == [0, 1, 2]


async def test_what_is_larger_than_the_bound_starts_alone() -> None:
    herd = Herd(instances=2)
    line = await queue(herd, one(), one(9), one())
    assert line.inside == [0]
    await line.leave(0)
    assert (line.inside, herd.starting) == ([0, 1], 9)
    await line.leave(1)
    assert line.inside == [0, 1, 2]


async def test_memory_bounds_as_well() -> None:
    line = await queue(Herd(memory=1_000), one(1, 600), one(1, 400), one(1, 1))
    assert line.inside == [0, 1]
    both = await queue(Herd(instances=1, memory=1_000), one(1, 1), one(1, 1))
    assert both.inside == [0]
    both.tasks[1].cancel()
    line.tasks[2].cancel()


async def test_what_has_no_instances_is_never_held_back() -> None:
    line = await queue(Herd(instances=1), one(1), one(0), one(0))
    assert line.inside == [0, 1, 2]


async def test_trouble_halves_the_bound_and_success_lets_it_grow() -> None:
    herd = Herd(instances=10)
    line = await queue(herd, *(one() for _ in range(100)))
    herd.slow_down(line.turns[3])
    assert herd.share == 0.5
    await line.leave(0)
    assert herd.share == 0.5, "what says nothing changes nothing"
    for number in range(1, 16):
        await line.leave(number, well=True)
    assert 0.65 < herd.share < 0.8, "a tenth for each five"
    for number in range(16, 100):
        await line.leave(number, well=True)
    assert herd.share == 1.0


async def test_a_crowd_in_trouble_halves_the_bound_once() -> None:
    herd = Herd(instances=8)
    line = await queue(herd, *(one() for _ in range(9)))
    for number in range(8):
        herd.slow_down(line.turns[number])
    assert herd.share == 0.5
    for number in range(5):
        await line.leave(number)
    herd.slow_down(line.turns[8])
    assert herd.share == 0.25, "it began after the bound was halved"


async def test_however_much_crashes_one_may_start() -> None:
    herd = Herd(instances=3, memory=50)
    for _ in range(100):
        line = await queue(herd, one(1, 100))
        assert line.inside == [0]
        herd.slow_down(line.turns[0])
        await line.leave(0)
    assert herd.share > 0


async def test_a_cancelled_one_gives_way_to_those_behind_it() -> None:
    herd = Herd(instances=2)
    line = await queue(herd, one(), one(2), one())
    line.tasks[1].cancel()
    await settle()
    assert line.inside == [0, 2]
    assert (herd.starting, herd.held) == (2, 0)


async def test_cancelled_at_the_moment_of_its_turn_it_gives_the_room_back() -> None:
    herd = Herd(instances=1)
    line = await queue(herd, one(), one(), one())
    herd.leave(line.loads[0], well=False)
    line.tasks[1].cancel()  # its turn was given to it, and it has not run since
    await settle()
    assert line.inside == [0, 2]
    assert herd.starting == 1


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
def test_never_above_the_bound_and_nobody_waits_for_ever(
    apps: list[Any], bound: int | None, memory: int | None
) -> None:
    run_virtual(_live(apps, bound, None if memory is None else memory * 100))


async def _live(apps: list[Any], bound: int | None, memory: int | None) -> None:
    herd = Herd(instances=bound, memory=memory)
    inside: list[Load] = []
    done = 0

    async def start(load: Load, seconds: int, well: bool) -> None:
        nonlocal done
        await herd.enter(load)
        inside.append(load)
        real = [one for one in inside if one.instances]
        assert len(real) <= 1 or bound is None or sum(one.instances for one in real) <= bound
        assert len(real) <= 1 or memory is None or sum(one.memory for one in real) <= memory
        try:
            await asyncio.sleep(seconds)
        finally:
            inside.remove(load)
            herd.leave(load, well=well)
            done += 1

    tasks = []
    for instances, each, seconds, well, cancelled in apps:
        task = asyncio.create_task(start(Load(instances, instances * each * 100), seconds, well))
        tasks.append(task)
        if cancelled is not None:
            asyncio.get_running_loop().call_later(cancelled, task.cancel)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in results} <= {type(None), asyncio.CancelledError}
    assert (herd.starting, herd.held) == (0, 0)
    uncancelled = sum(cancelled is None for *_, cancelled in apps)
    assert done >= uncancelled


@virtual
async def test_a_cancelled_wait_is_a_cancelled_wait() -> None:
    herd = Herd(instances=1)
    await herd.enter(one())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await herd.enter(one())
    assert (herd.held, herd.starting) == (0, 1)
