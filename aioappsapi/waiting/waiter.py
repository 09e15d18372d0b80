"""Waits until apps run, or are stopped: many apps with one request.

An accepted start only sets the requested state. Instances prove it. One request returns the
instances of 200 apps, so one poll serves all apps. Finished apps are removed. The pause between
polls grows from one second to five.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import anyio
import msgspec

from aioappsapi._http.batches import BATCH, LARGEST_PAGE, batches
from aioappsapi._http.clock import loop_time
from aioappsapi._http.pooled import pooled
from aioappsapi._http.retry.policy import Meaning, classify
from aioappsapi.errors import (
    AppsApiError,
    AuthError,
    DeadlineError,
    DecodeError,
    TargetError,
)
from aioappsapi.models.app import App
from aioappsapi.models.process import Process
from aioappsapi.waiting.assess import (
    Assessment,
    Wait,
    assess_started,
    assess_stopped,
    ignore_old_instances,
)
from aioappsapi.waiting.diagnose import crash_error, placement_error, wrong_state
from aioappsapi.waiting.finding import Finding
from aioappsapi.waiting.readers import Readers
from aioappsapi.waiting.watch import AppWatch

log = logging.getLogger("aioappsapi.waiter")

# The seconds to wait for a proof of a failed attempt that may have taken effect: the platform
# repairs a start that its runner missed every 30 s.
VERIFY_FOR: Final = 45.0
_FIRST_PAUSE: Final = 1.0
_GROWTH: Final = 1.4
_LONGEST_PAUSE: Final = 5.0
# Polls are this many times rarer while the rate limit is needed for starts.
_LOW_QUOTA_FACTOR: Final = 4.0
# Requests of one poll in flight at once. Few, so that starts keep their slots.
_AT_ONCE: Final = 4
# Where instances cannot be embedded, a poll takes one request per app. Keep to this many a second
# on average, unless the pause would get longer than the second number.
_SINGLE_READS_PER_SECOND: Final = 25.0
_LONGEST_SINGLE_PAUSE: Final = 30.0
# Batches are small there, so that a truncated poll has finished some of them.
_SMALL_BATCH: Final = 50
# After this many seconds without progress the app's own state is read, and again at intervals of
# the second number.
_PATIENCE: Final = 5.0
_LOOK_AGAIN_AFTER: Final = 15.0
# The server's clocks for the age of an instance may differ by this much.
_CLOCK_SLACK: Final = 2.0
# A poll may overrun the soonest end by this much: answers of a slow server must count, but a
# hanging server must not delay other apps.
_OVERTIME: Final = 5.0
# After this many final refusals in a row an app's instances count as unreadable.
_REFUSALS: Final = 3
_FINAL: Final = frozenset({Meaning.PERMANENT, Meaning.TOKEN})


class _Found(NamedTuple):
    """The apps of a batch, grouped by the result of one poll; apps in progress are in no group."""

    proved: list[AppWatch]
    doubtful: list[AppWatch]  # their instances are right, but their own state has to be read, too
    crashed: list[AppWatch]  # for longer than the grace
    stalled: list[AppWatch]  # without progress, so their own state may show the reason


class Waiter:
    """Polls for many apps until each is in the requested state, and reports each once.

    `readers` send each poll once (see `for_polls`). `wait` is the policy after a start; with
    `until_stopped` the waiter waits until no instance is left. With `only_new` an instance counts
    only if it came up after the app's `sent_at`. `crash_grace` is the number of seconds that an app
    may be crashed, or without a cell, before it counts as failed. While `quota_is_low` returns
    true, polls are rarer.
    """

    def __init__(
        self,
        readers: Readers,
        wait: Wait,
        *,
        until_stopped: bool = False,
        only_new: bool = False,
        crash_grace: float = 30.0,
        quota_is_low: Callable[[], bool] = lambda: False,
    ) -> None:
        self._readers = readers
        self._caller = readers.caller
        self._wait = wait
        self._until_stopped = until_stopped
        self._only_new = only_new
        self._crash_grace = crash_grace
        self._quota_is_low = quota_is_low
        self._on_crash: Callable[[str], None] = lambda _: None
        self._watches: dict[str, AppWatch] = {}
        self._on_finding: Callable[[Finding], None] = lambda _: None
        self._changed = anyio.Event()
        self._complete = False
        self._deadline = math.inf
        # Requests about single apps, of all batches together.
        self._slots = anyio.Semaphore(_AT_ONCE)

    @property
    def waiting(self) -> int:
        """The number of apps that the waiter waits for."""
        return len(self._watches)

    def last_seen(self, key: str) -> str:
        """Describe the result of the last poll for an app; ``nothing`` before the first poll."""
        watch = self._watches.get(key)
        return "nothing" if watch is None else watch.seen

    def watch(
        self,
        key: str,
        what: str,
        *,
        sent_at: float,
        ends_at: float,
        doubt: AppsApiError | None = None,
        needs_state: bool = False,
    ) -> None:
        """Wait for one more app. Times are of the event loop's clock.

        `key` is the app's GUID, and `what` names the action and the app in errors. `sent_at` is
        when the last attempt's bytes left; it may lie before this process began. At `ends_at` the
        app times out. `doubt` is the error of a failed attempt that may have taken effect: an
        unproved app then gets this error. With a doubt, and with `needs_state`, instances are not
        enough: the app's state must be seen, too.
        """
        self._watches[key] = AppWatch(
            key, what, sent_at=sent_at, ends_at=ends_at, doubt=doubt, needs_state=needs_state
        )
        self._changed.set()

    def too_late(self, key: str) -> Finding:
        """Return the finding of an app that times out before the next poll."""
        return self._watches[key].too_late()

    def complete(self) -> None:
        """Declare that no more apps come: `run` ends with the last one."""
        self._complete = True
        self._changed.set()

    async def run(
        self,
        on_finding: Callable[[Finding], None],
        on_crash: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Poll until each app has its finding and no more apps come.

        `on_crash` is called at an app's first crash; the app may still come up. An exception of a
        callback ends it and is raised.
        """
        self._on_finding, self._on_crash = on_finding, on_crash
        self._deadline = anyio.current_effective_deadline()
        pause = _FIRST_PAUSE
        while self._watches or not self._complete:
            if not self._watches:
                self._changed = anyio.Event()
                await self._changed.wait()
                pause = _FIRST_PAUSE
                continue
            await self._pause(pause)
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)
            await self._poll()

    # -- polls

    @property
    def _embeds(self) -> bool:
        return self._caller.features.has("embed")

    def _soonest_end(self) -> float:
        return min(watch.ends_at for watch in self._watches.values())

    async def _pause(self, seconds: float) -> None:
        if not self._embeds:
            by_rate = len(self._watches) / _SINGLE_READS_PER_SECOND
            seconds = max(seconds, min(by_rate, _LONGEST_SINGLE_PAUSE))
        seconds *= random.uniform(0.9, 1.1)  # noqa: S311 - not for secrets
        if self._quota_is_low():
            # Rare polls end with the window: the next window has requests again.
            resets_in = self._caller.throttle.rate_window.resets_in
            rarer = seconds * _LOW_QUOTA_FACTOR
            seconds = rarer if resets_in is None else max(seconds, min(rarer, resets_in))
        await self._caller.sleep(max(min(seconds, self._soonest_end() - loop_time()), 0.0))

    async def _poll(self) -> None:
        keys = list(self._watches)
        size = BATCH if self._embeds else _SMALL_BATCH
        left = max(self._soonest_end() - loop_time(), 0.0)
        with anyio.move_on_after(left + _OVERTIME):
            at_once = _AT_ONCE if self._embeds else 1
            await pooled(self._poll_batch, batches(keys, size), at_once=at_once)
        now = loop_time()
        for watch in [one for one in self._watches.values() if one.ends_at <= now]:
            self._end(watch.too_late())

    async def _poll_batch(self, keys: Sequence[str]) -> None:
        # Only the read is inside the `try`: an AppsApiError of a callback is not a failed poll.
        try:
            by_app = await self._read(keys)
        except AppsApiError as failure:
            self._poll_failed(failure, keys)
        else:
            await self._judge(by_app)

    async def _read(self, keys: Sequence[str]) -> dict[str, list[Process]]:
        """Read the processes of apps. An app whose instances are unknown now is left out."""
        by_app: dict[str, list[Process]] = {key: [] for key in keys}
        pager = self._readers.processes.list(
            app_guids=keys, include=["instances"], per_page=LARGEST_PAGE
        )
        async for process in pager:
            # A process of the type web has its app's GUID, if it does not name its app.
            key = process.relationships.app.guid or process.guid
            if process.process_instances is msgspec.UNSET:
                by_app.pop(key, None)
            elif key in by_app:
                by_app[key].append(process)
        return by_app

    def _poll_failed(self, failure: AppsApiError, keys: Sequence[str]) -> None:
        """Ignore a failed poll, unless no later poll can succeed."""
        log.info("%d apps could not be polled: %s", len(keys), failure)
        if isinstance(failure, DeadlineError):
            # The rate limit may open again only after this run's deadline.
            hopeless = loop_time() + self._caller.throttle.closed_for > self._deadline
            passes = not hopeless
        else:
            hopeless = isinstance(failure, TargetError | AuthError)
            passes = isinstance(failure, DecodeError) or classify(failure)[0] not in _FINAL
        if passes:
            return
        for watch in [self._watches[key] for key in keys if key in self._watches]:
            watch.refusals += 1
            if hopeless or watch.refusals >= _REFUSALS:
                self._end(watch.out_of_sight(failure))

    # -- judgement

    async def _judge(self, by_app: dict[str, list[Process]]) -> None:
        """Judge the apps of a batch, and act on each group."""
        found = self._sorted(by_app)
        await pooled(lambda it: self._confirm(it, by_app[it.key]), found.proved, at_once=_AT_ONCE)
        await pooled(self._crash, found.crashed, at_once=_AT_ONCE)
        states = await self._states([*found.stalled, *found.doubtful])
        if states is None:
            return
        for watch in found.doubtful:
            watch.app = states.get(watch.key)
            if self._is_requested(watch.app):
                await self._confirm(watch, by_app[watch.key])
        await pooled(
            lambda it: self._explain(it, by_app[it.key], states.get(it.key)),
            found.stalled,
            at_once=_AT_ONCE,
        )

    def _sorted(self, by_app: dict[str, list[Process]]) -> _Found:
        found = _Found([], [], [], [])
        for key, processes in by_app.items():
            if (watch := self._watches.pop(key, None)) is None:
                continue
            # To the end, so that a truncated poll does not starve the same apps every time.
            self._watches[key] = watch
            assessment = self._assess(watch, processes)
            if watch.observe(assessment):
                self._on_crash(key)
            if assessment.satisfied:
                (found.doubtful if watch.needs_state else found.proved).append(watch)
            elif watch.is_crashed(assessment, self._crash_grace):
                found.crashed.append(watch)
            elif self._is_stalled(watch, assessment):
                found.stalled.append(watch)
        return found

    def _assess(self, watch: AppWatch, processes: list[Process]) -> Assessment:
        if self._until_stopped:
            return assess_stopped(processes)
        if self._only_new:
            age = loop_time() - watch.sent_at
            processes = ignore_old_instances(processes, age + _CLOCK_SLACK)
        return assess_started(processes, self._wait)

    def _is_stalled(self, watch: AppWatch, assessment: Assessment) -> bool:
        """Check whether to read the app's state: it makes no progress, or has no processes."""
        now = loop_time()
        if not (assessment.gone or assessment.down or self._until_stopped):
            return False
        patience = 0.0 if assessment.gone else _PATIENCE
        waits = now < watch.began_at + patience or now < watch.look_again_at
        if waits and not watch.is_stuck(self._crash_grace):
            return False
        watch.look_again_at = now + _LOOK_AGAIN_AFTER
        return True

    async def _states(self, watches: Sequence[AppWatch]) -> dict[str, App] | None:
        """Read apps, some of which may be gone; None if they cannot be read now."""
        if not watches:
            return {}
        keys = [watch.key for watch in watches]
        try:
            pager = self._readers.apps.list(guids=keys, per_page=LARGEST_PAGE)
            return {app.guid: app async for app in pager}
        except AppsApiError as failure:
            log.info("the states of %d apps could not be read: %s", len(keys), failure)
            return None

    def _is_requested(self, app: App | None) -> bool:
        return app is not None and app.state == ("STOPPED" if self._until_stopped else "STARTED")

    async def _confirm(self, watch: AppWatch, processes: list[Process]) -> None:
        routable = self._wait == "routable" and not self._until_stopped
        if routable and not await self._is_routable(processes):
            watch.seen += "; not routable yet"
        else:
            self._end(watch.proved())

    async def _is_routable(self, processes: list[Process]) -> bool:
        try:
            for process in processes:
                if process.instances == 0:
                    continue
                async with self._slots:
                    stats = await self._readers.processes.get_stats(process.guid)
                # A server without this feature sends null: then running is the best proof.
                if any(one.state != "RUNNING" or one.routable is False for one in stats):
                    return False
        except AppsApiError as failure:
            log.info("whether an app is routable could not be read: %s", failure)
            return False
        return True

    async def _crash(self, watch: AppWatch) -> None:
        async with self._slots:
            error = await crash_error(self._readers, watch)
        self._end(watch.disproved(error))

    async def _explain(self, watch: AppWatch, processes: list[Process], app: App | None) -> None:
        """Find the reason why an app makes no progress."""
        if app is None:
            await self._check_deleted(watch)
        elif not self._is_requested(app):
            # A failed attempt may still be in progress; an accepted attempt is not.
            if watch.doubt is None:
                self._end(watch.disproved(wrong_state(watch, app)))
        elif not self._until_stopped and watch.is_stuck(self._crash_grace):
            async with self._slots:
                error = await placement_error(self._readers, watch, processes, self._crash_grace)
            if error is not None:
                self._end(watch.disproved(error))

    async def _check_deleted(self, watch: AppWatch) -> None:
        """End the wait for an app that does not exist any more, with the server's own error."""
        try:
            async with self._slots:
                await self._readers.apps.get(watch.key)
        except AppsApiError as failure:
            if classify(failure)[0] is Meaning.PERMANENT:
                self._end(watch.disproved(failure.detached()))

    def _end(self, finding: Finding) -> None:
        if self._watches.pop(finding.key, None) is not None:
            self._on_finding(finding)
