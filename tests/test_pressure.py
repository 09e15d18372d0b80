"""Pauses and limits of requests in flight, as reports show them."""

from __future__ import annotations

import asyncio

from aioappsapi._http.limits.throttle import Pause, Throttle
from aioappsapi.bulk.run.pressure import Pressure
from tests.fakes import virtual


@virtual
async def test_a_growing_pause_is_announced_twice_but_recorded_once() -> None:
    heard: list[Pause] = []
    pressure = Pressure(None)
    pressure.begin()
    listen = pressure.listener(heard.append)
    await asyncio.sleep(2)
    listen(Pause(10.0, "rate limit reached"))
    await asyncio.sleep(4)
    listen(Pause(20.0, "rate limit reached"))
    await asyncio.sleep(60)
    listen(Pause(1.0, "rate limit reached"))
    spans = [(span.second, span.seconds) for span in pressure.pauses]
    assert spans == [(2.0, 24.0), (66.0, 1.0)]
    assert [pause.seconds for pause in heard] == [10.0, 20.0, 1.0]


class Levels(Throttle):
    """A throttle whose limit the test sets."""

    level = 20

    @property
    def limit(self) -> int:
        return self.level


@virtual
async def test_a_limit_is_recorded_when_it_changes_and_at_most_once_a_second() -> None:
    throttle = Levels(100)
    pressure = Pressure(throttle)
    now = asyncio.get_running_loop().time()
    pressure.begin()
    pressure.note_limit(now + 1.5)
    throttle.level = 50
    pressure.note_limit(now + 2.0)
    levels = [(level.second, level.limit) for level in pressure.levels]
    assert levels == [(0.0, 20)], "the last look was less than a second ago"
    pressure.note_limit(now + 3.0)
    assert (pressure.levels[-1].second, pressure.levels[-1].limit) == (3.0, 50)
