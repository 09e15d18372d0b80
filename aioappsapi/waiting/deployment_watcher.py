"""Follows deployments to their end, and apps until they are in the requested state.

The server never ends a deployment that makes no progress. If new instances crash, get no cell or
get no requests, it stays ACTIVE for ever. So it is judged by these instances, and cancelled or
left.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Callable, Sequence
from typing import Final, Literal, Protocol

import anyio
import msgspec

from aioappsapi._http.clock import loop_time
from aioappsapi._http.pooled import pooled
from aioappsapi.errors import (
    AppsApiError,
    DeadlineError,
    DeploymentFailedError,
    NotRunningError,
    UnprocessableError,
)
from aioappsapi.models.deployment import Deployment
from aioappsapi.models.process import Process
from aioappsapi.waiting.assess import Wait, assess_started
from aioappsapi.waiting.diagnose import crash_error, placement_error
from aioappsapi.waiting.finding import Finding, Proof
from aioappsapi.waiting.follower import PAGE, Follower, MadeWatch
from aioappsapi.waiting.readers import Readers
from aioappsapi.waiting.waiter import VERIFY_FOR, Waiter

OnTimeout = Literal["cancel", "leave"]

log = logging.getLogger("aioappsapi.waiter")

# After this many seconds without progress the new instances are checked.
_QUIET: Final = 5.0
_AT_ONCE: Final = 4


class DeploymentApi(Protocol):
    """Lists, cancels and continues deployments; `aioappsapi.api` implements it."""

    def list(
        self, *, app_guids: Sequence[str], status_values: Sequence[str] | None, per_page: int
    ) -> AsyncIterable[Deployment]:
        """List the deployments of apps."""
        ...

    async def cancel(self, guid: str) -> None:
        """Cancel a deployment."""
        ...

    async def continue_(self, guid: str) -> None:
        """Continue a paused canary."""
        ...


class _DeploymentWatch(MadeWatch):
    """One app with a deployment.

    `verdict` is why it was given up, `sign` its last progress. `idle_since` is the time when all
    new instances were first seen to run without progress.
    """

    __slots__ = ("cancelled", "deployment", "idle_since", "moved_at", "sign", "verdict")

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
        super().__init__(key, what, made=made, sent_at=sent_at, ends_at=ends_at, doubt=doubt)
        self.deployment: Deployment | None = None
        self.sign: object = None
        self.moved_at = self.began_at
        self.idle_since: float | None = None
        self.verdict: AppsApiError | None = None
        self.cancelled = False

    def follow(self, deployment: Deployment, patience: float) -> None:
        """Record the result of a poll. Progress restarts the app's time."""
        status = deployment.status
        sign = (status.reason, status.details.last_successful_healthcheck, status.canary)
        if sign != self.sign:
            self.moved_at, self.idle_since = loop_time(), None
            self.ends_at = self.moved_at + patience
        self.deployment, self.sign = deployment, sign
        self.made, self.doubt = deployment.guid, None
        error = f" ({status.details.error})" if status.details.error else ""
        self.seen = f"deployment {deployment.guid} {status.value} {status.reason}{error}"

    @property
    def is_paused(self) -> bool:
        """Whether a canary is paused until it is continued."""
        return self.deployment is not None and self.deployment.status.reason == "PAUSED"

    @property
    def needs_a_look(self) -> bool:
        """Whether the new instances have to be read."""
        return self.is_paused or loop_time() - self.moved_at >= _QUIET

    def new_ones(self, processes: Sequence[Process]) -> list[Process]:
        """Return the processes that the deployment made."""
        assert self.deployment is not None  # noqa: S101 - only what was found is looked at
        made = {process.guid for process in self.deployment.new_processes}
        return [process for process in processes if process.guid in made]

    def conclude(self, said: str) -> Finding:
        """Return the finding of a deployment that was given up."""
        error = self.verdict
        assert error is not None  # noqa: S101 - only a deployment with a verdict is given up
        error.args = (f"{error} {said}",)
        if isinstance(error, DeadlineError):
            late = self.too_late()
            return msgspec.structs.replace(late, error=error, made=self.made)
        return msgspec.structs.replace(self.disproved(error), made=self.made)


class DeploymentWatcher(Follower[Deployment, _DeploymentWatch]):
    """Polls until each app's deployment is deployed and its instances satisfy `wait`.

    An app has `patience` seconds, which begin again with each progress. A deployment that fails is
    cancelled or left, by `on_timeout`; after a cancel the app is waited for until its old instances
    run again. A canary that pauses goes on when its new instances have run for `canary_hold`
    seconds. That time does not count for its patience.
    """

    def __init__(
        self,
        readers: Readers,
        deployments: DeploymentApi,
        wait: Wait,
        *,
        patience: float,
        crash_grace: float = 30.0,
        on_timeout: OnTimeout = "cancel",
        canary_hold: float = 0.0,
        quota_is_low: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(readers.caller, self._list, quota_is_low=quota_is_low)
        self._readers = readers
        self._deployments = deployments
        self._wait = wait
        self._patience = patience
        self._grace = crash_grace
        self._on_timeout = on_timeout
        self._hold = canary_hold
        self._handed_over: dict[str, _DeploymentWatch] = {}
        self._new = Waiter(
            readers,
            "all" if wait == "none" else wait,
            only_new=True,
            crash_grace=crash_grace,
            quota_is_low=quota_is_low,
        )
        self._old = Waiter(readers, "all", crash_grace=crash_grace, quota_is_low=quota_is_low)

    def _list(self, app_guids: Sequence[str], *, active: bool) -> AsyncIterable[Deployment]:
        return self._deployments.list(
            app_guids=app_guids, status_values=["ACTIVE"] if active else None, per_page=PAGE
        )

    def watch(
        self, key: str, what: str, *, made: str, sent_at: float, doubt: AppsApiError | None = None
    ) -> None:
        """Follow the deployment of one more app; `made` is its GUID, or the name in its label.

        `doubt` is the error of a failed request that may have made it.
        """
        ends_at = loop_time() + (self._patience if doubt is None else VERIFY_FOR)
        self._watch(
            _DeploymentWatch(key, what, made=made, sent_at=sent_at, ends_at=ends_at, doubt=doubt)
        )

    def last_seen(self, key: str) -> str:
        """Describe the last seen state of an app."""
        if key not in self._handed_over:
            return super().last_seen(key)
        waiters = [self._new.last_seen(key), self._old.last_seen(key)]
        seen = next((one for one in waiters if one != "nothing"), "nothing")
        return f"{self._handed_over[key].seen}; {seen}"

    async def run(
        self,
        on_finding: Callable[[Finding], None],
        on_crash: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Follow until each app has its finding and no more apps come."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._new.run, self._settled, on_crash)
            group.start_soon(self._old.run, self._restored)
            await super().run(on_finding, on_crash)
            self._new.complete()
            self._old.complete()

    # -- judgement

    async def _judge(self, found: dict[str, Deployment]) -> None:
        quiet: list[_DeploymentWatch] = []
        for watch in self._watched(list(found)):
            deployment = found[watch.key]
            watch.follow(deployment, self._patience)
            if deployment.status.value == "FINALIZED":
                self._finalized(watch, deployment.status.reason or "")
            elif watch.verdict is not None:
                await self._cancel(watch)
            elif watch.needs_a_look:
                quiet.append(watch)
        if quiet:
            await self._look(quiet)

    def _finalized(self, watch: _DeploymentWatch, reason: str) -> None:
        if reason == "DEPLOYED":
            # A cancel that came too late has no effect.
            watch.verdict = None
            if self._wait == "none":
                self._end(msgspec.structs.replace(watch.proved(), made=watch.made))
            else:
                self._hand_over(watch, self._new)
        elif watch.verdict is not None:
            self._hand_over(watch, self._old)
        else:
            error = DeploymentFailedError(
                f"{watch.what}: its deployment {watch.made} ended as {reason}; another user "
                f"{'cancelled' if reason == 'CANCELED' else 'superseded'} it.",
                guid=watch.made,
                reason=reason,
            )
            self._end(watch.disproved(error))

    async def _look(self, watches: Sequence[_DeploymentWatch]) -> None:
        """Check the new instances of deployments that make no progress."""
        by_app: dict[str, list[Process]] = {watch.key: [] for watch in watches}
        try:
            async for process in self._readers.processes.list(
                app_guids=list(by_app), include=["instances"], per_page=PAGE
            ):
                if process.process_instances is not msgspec.UNSET:
                    by_app[process.relationships.app.guid or process.guid].append(process)
        except AppsApiError as failure:
            log.info("the instances of %d apps could not be read: %s", len(by_app), failure)
            return
        await pooled(
            lambda watch: self._assess(watch, watch.new_ones(by_app[watch.key])),
            watches,
            at_once=_AT_ONCE,
        )

    async def _assess(self, watch: _DeploymentWatch, processes: list[Process]) -> None:
        assessment = assess_started(processes, "all")
        seen = watch.seen
        if watch.observe(assessment):
            self._on_crash(watch.key)
        watch.seen = f"{seen}; new instances: {watch.seen}"
        if not assessment.satisfied:
            watch.idle_since = None
        elif watch.idle_since is None:
            watch.idle_since = loop_time()
        error: AppsApiError | None = None
        if assessment.satisfied and watch.is_paused:
            await self._continue_after_hold(watch)
        elif assessment.satisfied:
            error = await self._unroutable(watch, processes)
        elif watch.is_crashed(assessment, self._grace):
            error = await crash_error(self._readers, watch)
        elif watch.is_stuck(self._grace):
            error = await placement_error(self._readers, watch, processes, self._grace)
        if error is not None:
            await self._give_up(watch, error)

    async def _unroutable(
        self, watch: _DeploymentWatch, processes: list[Process]
    ) -> AppsApiError | None:
        """Check whether the new instances run but get no requests."""
        if watch.idle_since is None or loop_time() - watch.idle_since < self._grace:
            return None
        try:
            stats = [
                one
                for process in processes
                for one in await self._readers.processes.get_stats(process.guid)
            ]
        except AppsApiError as failure:
            log.info("whether app %s is routable could not be read: %s", watch.key, failure)
            return None
        if all(one.routable is not False for one in stats):
            return None
        return NotRunningError(
            f"{watch.what}: its new instances run, but are not ready for requests.",
            states=watch.states,
        )

    async def _continue_after_hold(self, watch: _DeploymentWatch) -> None:
        since = watch.idle_since
        assert since is not None  # noqa: S101 - its new instances run
        if loop_time() - since < self._hold:
            watch.ends_at = max(watch.ends_at, since + self._hold + self._patience)
            return
        try:
            await self._deployments.continue_(watch.made)
        except AppsApiError as failure:
            # The next poll shows whether it continues anyway.
            log.info("deployment %s could not be continued: %s", watch.made, failure)

    # -- giving up

    async def _too_late(self, watch: _DeploymentWatch) -> None:
        if watch.verdict is not None:
            self._end(watch.conclude("It was to be cancelled, and nothing shows that it was."))
        elif watch.deployment is None:
            self._end(watch.too_late())
        else:
            error = DeadlineError(
                f"{watch.what}: its deployment made no progress for {self._patience:g} s; "
                f"seen last: {watch.seen}."
            )
            await self._give_up(watch, error)

    async def _give_up(self, watch: _DeploymentWatch, error: AppsApiError) -> None:
        watch.verdict = error
        if self._on_timeout == "leave":
            self._end(watch.conclude(f"Deployment {watch.made} was left as it is."))
            return
        watch.ends_at = loop_time() + self._patience
        await self._cancel(watch)

    async def _cancel(self, watch: _DeploymentWatch) -> None:
        if watch.cancelled:
            return
        try:
            await self._deployments.cancel(watch.made)
            watch.cancelled = True
        except UnprocessableError:
            watch.cancelled = True  # it ended by itself: the next poll shows the result
        except AppsApiError as failure:
            log.info("deployment %s could not be cancelled yet: %s", watch.made, failure)

    # -- the instances afterwards

    def _hand_over(self, watch: _DeploymentWatch, waiter: Waiter) -> None:
        del self._watches[watch.key]
        self._handed_over[watch.key] = watch
        ends_at = loop_time() + self._patience
        waiter.watch(watch.key, watch.what, sent_at=watch.sent_at, ends_at=ends_at)

    def _settled(self, finding: Finding) -> None:
        watch = self._handed_over.pop(finding.key)
        self._on_finding(msgspec.structs.replace(finding, made=watch.made))

    def _restored(self, finding: Finding) -> None:
        watch = self._handed_over.pop(finding.key)
        said = f"Deployment {watch.made} was cancelled, and the old instances run again."
        if finding.proof is not Proof.PROVED:
            said = f"Deployment {watch.made} was cancelled. Old instances: {finding.error}"
        self._on_finding(watch.conclude(said))

    def _gone(self, watch: _DeploymentWatch) -> AppsApiError:
        return DeploymentFailedError(
            f"{watch.what}: its deployment {watch.made} does not exist any more; "
            "the app was deleted.",
            guid=watch.made,
            reason="GONE",
        )
