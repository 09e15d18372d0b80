"""Waiting until apps really run, or are really gone: many apps with one request.

A start that is accepted is only noted. What proves it are instances, and those of 200 apps come
with one request, so one poll is shared by all that are waited for. Apps leave as they finish; the
pause between polls grows from one second to a few.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import AsyncIterable, Callable, Sequence
from typing import Final, Protocol

import anyio
import msgspec

from aioappsapi._http.call import Caller
from aioappsapi._http.clock import loop_time
from aioappsapi._http.retry.policy import Meaning, classify
from aioappsapi.config import RetryPolicy, Timeouts
from aioappsapi.errors import (
    AppsApiError,
    AuthError,
    DeadlineError,
    DecodeError,
    TargetError,
)
from aioappsapi.models.app import App
from aioappsapi.models.process import Process
from aioappsapi.resources.diagnosis import changed_by_others, crash_of, lack_of_room
from aioappsapi.resources.instances import Condition, Wait, come_up, go_down, renewed
from aioappsapi.resources.pooled import pooled
from aioappsapi.resources.processes import Processes
from aioappsapi.resources.watched import Sighting, Watched

log = logging.getLogger("aioappsapi.waiter")

# The server takes at most 10,240 bytes of query: 200 GUIDs with their commas are 7,400.
BATCH: Final = 200
_PAGE: Final = 5_000
_FIRST: Final = 1.0
_GROWTH: Final = 1.4
_LONGEST: Final = 5.0
_SCARCE: Final = 4.0
# How many requests of one poll are under way together, so that starts keep their slots.
_AT_ONCE: Final = 4
# Where instances cannot be embedded, a poll takes a request per app: it may be so many a second on
# the average, as long as pauses do not get longer than that.
_ONE_BY_ONE: Final = 25.0
_RAREST: Final = 30.0
# And a batch is small, so that a poll that is cut short has come to something.
_SMALL_BATCH: Final = 50
# How long an app may look as if nothing happened before its state is looked at, and how often then.
_PATIENCE: Final = 5.0
_AGAIN: Final = 15.0
# By so much the clocks of the platform may differ that tell how old an instance is.
_SKEW: Final = 2.0
# A server that hangs holds up the others, too; but a slow one has to get its chance.
_OVERTIME: Final = 5.0
# After so many polls in a row that the server refused for good, nobody asks any more.
_REFUSALS: Final = 3
_FINAL: Final = frozenset({Meaning.PERMANENT, Meaning.TOKEN})


def polling(caller: Caller) -> Caller:
    """Make a view for polls: the next poll is the repetition of one that failed.

    A server whose runner is away takes 62 s to say so.
    """
    return caller.with_options(
        retry=RetryPolicy(attempts=1), timeouts=Timeouts(connect=10.0, read=90.0, total=100.0)
    )


class AppReader(Protocol):
    """Where apps are looked up: `client.apps`, on a caller for polls."""

    @property
    def caller(self) -> Caller:
        """What the requests go through."""
        ...

    def list(self, *, guids: Sequence[str], per_page: int) -> AsyncIterable[App]:
        """List apps by GUID."""
        ...

    async def get(self, guid: str) -> App:
        """Fetch one app."""
        ...


class Waiter:
    """Polls for many apps until each is as asked, and tells of each once.

    `apps` are those of a caller for polls. `wait` is the policy, `down` turns it round: until no
    instance is left. With `anew` only instances count that came up since the app was asked for.
    `grace` is for how many seconds an app may be crashed, or without a place, before it has failed.
    `scarce` says when the rate limit leaves less than is needed for better things, and polls have
    to be rare. `on_crash` is called at the first crash of an app, which may come up all the same.
    """

    def __init__(
        self,
        apps: AppReader,
        wait: Wait,
        *,
        down: bool = False,
        anew: bool = False,
        grace: float = 30.0,
        scarce: Callable[[], bool] = lambda: False,
        on_crash: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._apps = apps
        self._processes = Processes(apps.caller)
        self._sleep = apps.caller.sleep
        self._wait = wait
        self._down = down
        self._anew = anew
        self._grace = grace
        self._scarce = scarce
        self._on_crash = on_crash
        self._watched: dict[str, Watched] = {}
        self._tell: Callable[[Sighting], None] = lambda _: None
        self._news = anyio.Event()
        self._complete = False
        self._deadline = math.inf
        # What is asked about single apps, by all batches together.
        self._slots = anyio.Semaphore(_AT_ONCE)

    @property
    def waiting(self) -> int:
        """How many apps are waited for."""
        return len(self._watched)

    def seen(self, key: str) -> str:
        """Say how an app that is waited for was seen last."""
        watched = self._watched.get(key)
        return "nothing" if watched is None else watched.seen

    def add(self, watched: Watched) -> None:
        """Wait for one more app."""
        self._watched[watched.key] = watched
        self._news.set()

    def complete(self) -> None:
        """Say that no more apps come: `run` ends with the last one."""
        self._complete = True
        self._news.set()

    async def run(self, tell: Callable[[Sighting], None]) -> None:
        """Poll until all apps are told of and no more come. What `tell` raises ends it."""
        self._tell = tell
        self._deadline = anyio.current_effective_deadline()
        pause = _FIRST
        while self._watched or not self._complete:
            if not self._watched:
                self._news = anyio.Event()
                await self._news.wait()
                pause = _FIRST
                continue
            await self._pause(pause)
            pause = min(pause * _GROWTH, _LONGEST)
            await self._poll()

    # -- polling

    @property
    def _embeds(self) -> bool:
        return self._apps.caller.features.has("embed")

    def _soonest_end(self) -> float:
        return min(watched.ends_at for watched in self._watched.values())

    async def _pause(self, seconds: float) -> None:
        if not self._embeds:
            seconds = max(seconds, min(len(self._watched) / _ONE_BY_ONE, _RAREST))
        seconds *= random.uniform(0.9, 1.1)  # noqa: S311 - not for secrets
        if self._scarce():
            seconds *= _SCARCE
        await self._sleep(max(min(seconds, self._soonest_end() - loop_time()), 0.0))

    async def _poll(self) -> None:
        keys = list(self._watched)
        size = BATCH if self._embeds else _SMALL_BATCH
        batches = [keys[at : at + size] for at in range(0, len(keys), size)]
        left = max(self._soonest_end() - loop_time(), 0.0)
        with anyio.move_on_after(left + _OVERTIME):
            at_once = _AT_ONCE if self._embeds else 1
            await pooled(self._look_at, batches, at_once=at_once)
        now = loop_time()
        for watched in [one for one in self._watched.values() if one.ends_at <= now]:
            self._end(watched, watched.too_late())

    async def _look_at(self, keys: Sequence[str]) -> None:
        try:
            by_app = await self._read(keys)
        except AppsApiError as failure:
            self._mind(failure, keys)
        else:
            await self._judge(by_app)

    async def _read(self, keys: Sequence[str]) -> dict[str, list[Process]]:
        """Read the processes of apps, but for those of which nobody can tell at the moment."""
        by_app: dict[str, list[Process]] = {key: [] for key in keys}
        pager = self._processes.list(app_guids=keys, with_instances=True, per_page=_PAGE)
        async for process in pager:
            # A process of the type web has its app's GUID, should it not say whose it is.
            key = process.relationships.app.guid or process.guid
            if process.process_instances is msgspec.UNSET:
                by_app.pop(key, None)
            elif key in by_app:
                by_app[key].append(process)
        return by_app

    def _mind(self, failure: AppsApiError, keys: Sequence[str]) -> None:
        """Take a poll that failed: the next one is in a moment, unless none can succeed."""
        log.info("%d apps could not be looked at: %s", len(keys), failure)
        if isinstance(failure, DeadlineError):
            # The rate limit may open again only when nobody waits any more.
            opens_at = loop_time() + self._apps.caller.throttle.closed_for
            hopeless = opens_at > self._deadline
            passes = not hopeless
        else:
            hopeless = isinstance(failure, TargetError | AuthError)
            passes = isinstance(failure, DecodeError) or classify(failure)[0] not in _FINAL
        if passes:
            return
        for watched in [self._watched[key] for key in keys if key in self._watched]:
            watched.refusals += 1
            if hopeless or watched.refusals >= _REFUSALS:
                self._end(watched, watched.out_of_sight(failure))

    # -- judging

    async def _judge(self, by_app: dict[str, list[Process]]) -> None:
        proved: list[tuple[Watched, Condition]] = []
        doubtful: list[tuple[Watched, Condition]] = []
        crashed: list[Watched] = []
        odd: list[Watched] = []
        for key, processes in by_app.items():
            if (watched := self._watched.pop(key, None)) is None:
                continue
            # To the end: a poll that is cut short is not to be short for the same ones each time.
            self._watched[key] = watched
            condition = self._condition(watched, processes)
            if watched.note(condition):
                self._on_crash(key)
            if condition.satisfied:
                (doubtful if watched.needs_app else proved).append((watched, condition))
            elif self._is_crashed(watched, condition):
                crashed.append(watched)
            elif self._is_odd(watched, condition):
                odd.append(watched)
        await pooled(lambda it: self._confirm(*it, by_app[it[0].key]), proved, at_once=_AT_ONCE)
        await pooled(lambda it: self._crash(it, by_app[it.key]), crashed, at_once=_AT_ONCE)
        states = await self._states([*odd, *(watched for watched, _ in doubtful)])
        if states is None:
            return
        for watched, condition in doubtful:
            watched.app = states.get(watched.key)
            if self._is_wanted(watched.app):
                await self._confirm(watched, condition, by_app[watched.key])
        await pooled(
            lambda it: self._explain(it, by_app[it.key], states.get(it.key)), odd, at_once=_AT_ONCE
        )

    def _condition(self, watched: Watched, processes: list[Process]) -> Condition:
        if self._down:
            return go_down(processes)
        if self._anew:
            age = loop_time() - watched.asked_at
            return come_up(renewed(processes, age + _SKEW), self._wait)
        return come_up(processes, self._wait)

    def _is_crashed(self, watched: Watched, condition: Condition) -> bool:
        if not condition.crashed or watched.crashed_at is None:
            return False
        return loop_time() - watched.crashed_at >= self._grace

    def _is_odd(self, watched: Watched, condition: Condition) -> bool:
        """Tell whether to ask why nothing happens: at once where even the processes are gone."""
        now = loop_time()
        if not (condition.gone or condition.down or self._down):
            return False
        patience = 0.0 if condition.gone else _PATIENCE
        waits = now < watched.since + patience or now < watched.seek_at
        if waits and not watched.is_stuck(self._grace):
            return False
        watched.seek_at = now + _AGAIN
        return True

    async def _states(self, watched: Sequence[Watched]) -> dict[str, App] | None:
        """Read apps, of which some may be gone; None if they cannot be read now."""
        if not watched:
            return {}
        keys = [one.key for one in watched]
        try:
            return {app.guid: app async for app in self._apps.list(guids=keys, per_page=_PAGE)}
        except AppsApiError as failure:
            log.info("the states of %d apps cannot be seen: %s", len(keys), failure)
            return None

    def _is_wanted(self, app: App | None) -> bool:
        return app is not None and app.state == ("STOPPED" if self._down else "STARTED")

    async def _confirm(
        self, watched: Watched, condition: Condition, processes: list[Process]
    ) -> None:
        if self._wait == "routable" and not self._down and not await self._routable(processes):
            watched.seen = f"{condition.text}; not routable yet"
            return
        # Seconds ago are whole ones, so that the last of all may seem to be before the first.
        first_at = watched.asked_at if watched.first_at is None else watched.first_at
        self._end(watched, None, max(loop_time() - condition.all_ago, first_at))

    async def _routable(self, processes: list[Process]) -> bool:
        try:
            for process in processes:
                if not process.instances:
                    continue
                async with self._slots:
                    stats = await self._processes.get_stats(process.guid)
                # A server that does not know says null: then running is all that can be seen.
                if any(one.state != "RUNNING" or one.routable is False for one in stats):
                    return False
        except AppsApiError as failure:
            log.info("whether it is routable cannot be seen: %s", failure)
            return False
        return True

    async def _crash(self, watched: Watched, processes: list[Process]) -> None:
        async with self._slots:
            error = await crash_of(self._processes, watched, processes)
        self._end(watched, error)

    async def _explain(self, watched: Watched, processes: list[Process], app: App | None) -> None:
        """Find out why nothing happens with an app."""
        if app is None:
            await self._vanished(watched)
        elif not self._is_wanted(app):
            # What failed may still be under way; what was accepted is not.
            if watched.fallback is None:
                self._end(watched, changed_by_others(watched, app))
        elif not self._down and watched.is_stuck(self._grace):
            async with self._slots:
                lack = await lack_of_room(self._processes, watched, processes, self._grace)
            if lack is not None:
                self._end(watched, lack)

    async def _vanished(self, watched: Watched) -> None:
        """End the waiting for an app that is no more, with the server's own words."""
        try:
            async with self._slots:
                await self._apps.get(watched.key)
        except AppsApiError as failure:
            if classify(failure)[0] is Meaning.PERMANENT:
                self._end(watched, failure.detached())

    def _end(
        self, watched: Watched, error: AppsApiError | None, all_at: float | None = None
    ) -> None:
        if self._watched.pop(watched.key, None) is not None:
            self._tell(watched.sighting(error, all_at))
