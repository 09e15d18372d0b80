"""Follows builds or deployments of many apps with one request per poll.

One list request per 200 apps and poll shows those in progress. The others have ended, and a second
list shows their results.
"""

from __future__ import annotations

import logging
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Callable, Sequence
from typing import Final, Generic, Protocol, TypeVar

import anyio

from aioappsapi._http.batches import batches
from aioappsapi._http.call import Caller
from aioappsapi._http.clock import loop_time
from aioappsapi._http.pooled import pooled
from aioappsapi._http.retry.policy import Meaning, classify
from aioappsapi.errors import AppsApiError, AuthError, DeadlineError, DecodeError, TargetError
from aioappsapi.models.build import Build
from aioappsapi.models.deployment import Deployment
from aioappsapi.waiting.finding import Finding
from aioappsapi.waiting.watch import AppWatch

log = logging.getLogger("aioappsapi.waiter")

R = TypeVar("R", bound=Build | Deployment)
R_co = TypeVar("R_co", bound=Build | Deployment, covariant=True)
W = TypeVar("W", bound="MadeWatch")

# The label of each build and deployment of a run; its value is the name in the journal.
LABEL: Final = "aioappsapi-name"
PAGE: Final = 5_000
_FIRST_PAUSE: Final = 1.0
_GROWTH: Final = 1.4
_LONGEST_PAUSE: Final = 5.0
_LOW_QUOTA_FACTOR: Final = 4.0
_AT_ONCE: Final = 4
# After this many polls in a row without a result, or refused, there is nothing to follow.
_MISSES: Final = 3
_FINAL: Final = frozenset({Meaning.PERMANENT, Meaning.TOKEN})


class MadeWatch(AppWatch):
    """One app with its build or deployment; `made` is its GUID, or the name in its label."""

    __slots__ = ("made", "misses")

    def __init__(
        self,
        key: str,
        what: str,
        *,
        made: str,
        sent_at: float,
        ends_at: float,
        doubt: AppsApiError | None,
    ) -> None:
        super().__init__(
            key, what, sent_at=sent_at, ends_at=ends_at, doubt=doubt, needs_state=False
        )
        self.made = made
        self.misses = 0

    def is_of(self, resource: Build | Deployment) -> bool:
        """Check whether this build or deployment was made for the app."""
        return self.made in (resource.guid, resource.metadata.labels.get(LABEL))


class Lister(Protocol[R_co]):
    """Lists builds or deployments of up to 200 apps."""

    def __call__(self, app_guids: Sequence[str], *, active: bool) -> AsyncIterable[R_co]:
        """List all of them, or only those in progress."""
        ...


class Follower(ABC, Generic[R, W]):
    """Polls until each app's build or deployment has ended, and reports each app once.

    `caller` sends each poll once. While `quota_is_low` returns true, polls are rarer.
    """

    def __init__(
        self,
        caller: Caller,
        lister: Lister[R],
        *,
        quota_is_low: Callable[[], bool] = lambda: False,
    ) -> None:
        self._caller = caller
        self._lister = lister
        self._quota_is_low = quota_is_low
        self._watches: dict[str, W] = {}
        self._on_finding: Callable[[Finding], None] = lambda _: None
        self._on_crash: Callable[[str], None] = lambda _: None
        self._changed = anyio.Event()
        self._complete = False

    def last_seen(self, key: str) -> str:
        """Describe the result of the last poll for an app; ``nothing`` before the first poll."""
        watch = self._watches.get(key)
        return "nothing" if watch is None else watch.seen

    def complete(self) -> None:
        """Declare that no more apps come: `run` ends with the last one."""
        self._complete = True
        self._changed.set()

    def _watch(self, watch: W) -> None:
        self._watches[watch.key] = watch
        self._changed.set()

    async def run(
        self,
        on_finding: Callable[[Finding], None],
        on_crash: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Poll until each app has its finding and no more apps come."""
        self._on_finding, self._on_crash = on_finding, on_crash
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

    async def _pause(self, seconds: float) -> None:
        seconds *= random.uniform(0.9, 1.1)  # noqa: S311 - not for secrets
        if self._quota_is_low():
            seconds *= _LOW_QUOTA_FACTOR
        left = min(watch.ends_at for watch in self._watches.values()) - loop_time()
        await self._caller.sleep(max(min(seconds, left), 0.1))

    async def _poll(self) -> None:
        await pooled(self._poll_batch, batches(list(self._watches)), at_once=_AT_ONCE)
        now = loop_time()
        for watch in [one for one in self._watches.values() if one.ends_at <= now]:
            await self._too_late(watch)

    async def _poll_batch(self, keys: Sequence[str]) -> None:
        try:
            found = await self._find(keys)
        except AppsApiError as failure:
            self._poll_failed(failure, keys)
        else:
            self._count_misses(keys, found)
            await self._judge(found)

    async def _find(self, keys: Sequence[str]) -> dict[str, R]:
        found = await self._matching(keys, active=True)
        if ended := [key for key in keys if key not in found]:
            found |= await self._matching(ended, active=False)
        return found

    async def _matching(self, keys: Sequence[str], *, active: bool) -> dict[str, R]:
        found: dict[str, R] = {}
        async for resource in self._lister(keys, active=active):
            watch = self._watches.get(resource.relationships.app.guid or "")
            if watch is not None and watch.is_of(resource):
                found[watch.key] = resource
        return found

    def _count_misses(self, keys: Sequence[str], found: dict[str, R]) -> None:
        for watch in self._watched(keys):
            watch.misses = 0 if watch.key in found else watch.misses + 1
            if watch.misses >= _MISSES and watch.doubt is None:
                self._end(watch.disproved(self._gone(watch)))

    def _poll_failed(self, failure: AppsApiError, keys: Sequence[str]) -> None:
        """Ignore a failed poll, unless no later poll can succeed."""
        log.info("%d apps could not be polled: %s", len(keys), failure)
        hopeless = isinstance(failure, TargetError | AuthError)
        if isinstance(failure, DecodeError | DeadlineError):
            return
        if not hopeless and classify(failure)[0] not in _FINAL:
            return
        for watch in self._watched(keys):
            watch.misses += 1
            if hopeless or watch.misses >= _MISSES:
                self._end(watch.out_of_sight(failure))

    def _watched(self, keys: Sequence[str]) -> list[W]:
        return [self._watches[key] for key in keys if key in self._watches]

    def _end(self, finding: Finding) -> None:
        if self._watches.pop(finding.key, None) is not None:
            self._on_finding(finding)

    # -- for subclasses

    @abstractmethod
    async def _judge(self, found: dict[str, R]) -> None:
        """Judge the result of one poll."""

    async def _too_late(self, watch: W) -> None:
        """End the wait for an app that timed out."""
        self._end(watch.too_late())

    @abstractmethod
    def _gone(self, watch: W) -> AppsApiError:
        """Return the error of an app whose build or deployment no longer exists."""
