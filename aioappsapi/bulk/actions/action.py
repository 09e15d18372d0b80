"""The parts of an action: steps, limiters and watchers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from aioappsapi._http.clock import loop_time
from aioappsapi._http.retry.policy import Meaning, classify, is_quota
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.errors import AppsApiError
from aioappsapi.waiting.finding import Finding
from aioappsapi.waiting.waiter import VERIFY_FOR, Waiter

T = TypeVar("T")


class ActionStep(ABC):
    """One request of an action, with its rules.

    `takes_guids`: a key that is no GUID is refused before it is journaled. `once`: a second request
    would act a second time. `visible`: the server shows whether it was carried out. `waits`: an
    acceptance is not enough, and `watcher` has to prove the step. `limiter` bounds the apps at this
    step, or the instances that they start.
    """

    name: str
    takes_guids = True
    once = False
    visible = False
    waits = False
    limiter: Limiter | None = None
    watcher: Watcher | None = None

    def look(self, run: AppRun) -> Awaitable[None] | None:
        """Look at the app before its request. If an event moves the app, no request is sent.

        Returns None if there is nothing to await.
        """
        del run
        return None

    def may_do_better_later(self, error: AppsApiError) -> bool:
        """Check whether a failed app may succeed after the other apps are done.

        A transient failure may be over then, and other apps may have freed quota.
        """
        return classify(error)[0] is Meaning.TRANSIENT or is_quota(error)

    @abstractmethod
    async def send(self, run: AppRun) -> None:
        """Send the request, and report its acceptance to `run`. Raises AppsApiError."""


class Limiter(Protocol):
    """Holds apps back before a step."""

    async def admit(self, run: AppRun) -> None:
        """Wait until the app may take the step; it is HELD meanwhile."""
        ...

    def moved(self, run: AppRun) -> None:
        """Follow a run, to admit other apps when it is done."""
        ...


class Watcher(Protocol):
    """Finds out whether accepted steps were carried out."""

    def watch(self, run: AppRun) -> None:
        """Begin to watch an app."""
        ...

    def last_seen(self, key: str) -> str:
        """Describe the last state that was seen of an app."""
        ...

    def complete(self) -> None:
        """Declare that no more apps come."""
        ...

    async def run(
        self, on_finding: Callable[[Finding], None], on_crash: Callable[[str], None]
    ) -> None:
        """Watch until each app has its finding and no more apps come.

        `on_crash` is called at an app's first crash; the app may still come up.
        """
        ...


class InstanceWatcher:
    """Watches the instances of apps, each for `patience` seconds from its acceptance."""

    def __init__(self, waiter: Waiter, patience: float) -> None:
        self._waiter = waiter
        self._patience = patience
        self.last_seen = waiter.last_seen
        self.complete = waiter.complete
        self.run = waiter.run

    def watch(self, run: AppRun) -> None:
        """Begin to watch an app."""
        now = loop_time()
        self._waiter.watch(
            run.key,
            run.what,
            sent_at=now if run.sent_at is None else run.sent_at,
            ends_at=now + (self._patience if run.doubt is None else VERIFY_FOR),
            doubt=run.doubt,
            needs_state=not run.state_seen,
        )


class Action:
    """The action of a run: its steps in order, and their shared limiters and watchers.

    `manner` is what makes two runs of one action different ones for a journal, such as numbers.
    """

    def __init__(self, name: str, steps: Sequence[ActionStep], manner: str = "") -> None:
        self.name = name
        self.manner = manner
        self.steps = tuple(steps)
        self.limiters = _each_once(step.limiter for step in steps)

    @property
    def watchers(self) -> tuple[Watcher, ...]:
        """The watchers of all steps, each once."""
        return _each_once(step.watcher for step in self.steps)


def _each_once(found: Iterable[T | None]) -> tuple[T, ...]:
    return tuple({id(one): one for one in found if one is not None}.values())
