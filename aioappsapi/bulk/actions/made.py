"""The builds and deployments that steps make, found by the name in their label."""

from __future__ import annotations

from collections.abc import AsyncIterable

from aioappsapi._http.clock import loop_time
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.states import Did
from aioappsapi.models.build import Build
from aioappsapi.models.deployment import Deployment
from aioappsapi.waiting.build_watcher import BuildWatcher
from aioappsapi.waiting.deployment_watcher import DeploymentWatcher
from aioappsapi.waiting.follower import LABEL


async def was_made(run: AppRun, listed: AsyncIterable[Build] | AsyncIterable[Deployment]) -> bool:
    """Check whether an earlier attempt of the present step made a build or deployment.

    `listed` returns all of this kind that the app has; it is called only if necessary.
    """
    if run.did is not Did.MAYBE:
        return run.did is Did.YES
    found = [one.guid async for one in listed if one.metadata.labels.get(LABEL) == run.made]
    run.looked(in_place=bool(found))
    if found:
        run.named(found[-1])
    return bool(found)


class MadeWatcher:
    """Passes builds and deployments that steps made to the watcher that follows them."""

    def __init__(self, watcher: BuildWatcher | DeploymentWatcher) -> None:
        self._watcher = watcher
        self.last_seen = watcher.last_seen
        self.complete = watcher.complete
        self.run = watcher.run

    def watch(self, run: AppRun) -> None:
        """Begin to watch an app."""
        self._watcher.watch(
            run.key,
            run.what,
            made=run.made or "",
            sent_at=loop_time() if run.sent_at is None else run.sent_at,
            doubt=run.doubt,
        )
