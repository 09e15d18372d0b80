"""Rolling restarts: one step, a deployment, which is followed to its end."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final

from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import CallEvents, logged_to
from aioappsapi._http.clock import loop_time
from aioappsapi._http.protocol import checked_segment
from aioappsapi.api.apps import Apps
from aioappsapi.api.deployments import Deployments
from aioappsapi.bulk.actions.action import ActionStep, Limiter
from aioappsapi.bulk.actions.made import MadeWatcher, was_made
from aioappsapi.bulk.actions.prefetch import Prefetcher
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.errors import DecodeError, DeploymentInProgressError
from aioappsapi.models.app import App
from aioappsapi.models.deployment import Deployment
from aioappsapi.waiting.deployment_watcher import DeploymentWatcher
from aioappsapi.waiting.follower import LABEL, PAGE

# The data of an app is used for this many seconds. After that its deployments are read again.
_FRESH: Final = 5.0


class _Before:
    """An app before its turn, and its deployment that is in progress."""

    __slots__ = ("app", "at", "deployment")

    def __init__(self, app: App, deployment: Deployment | None) -> None:
        self.app = app
        self.deployment = deployment
        self.at = loop_time()


class RollingStep(ActionStep):
    """Replaces the instances of an app by exactly one deployment.

    Each deployment has a label with a name that the journal keeps, so an earlier attempt is found
    by it. With `deploys_droplets` the droplet of the previous step is deployed, and its GUID is
    the name. The server starts a stopped app at once, without a deployment to follow.
    """

    name = "restart"
    once = visible = waits = True

    def __init__(
        self,
        caller: Caller,
        inputs: Inputs,
        calls: CallEvents,
        options: Options,
        *,
        watcher: DeploymentWatcher,
        limiter: Limiter | None = None,
        deploys_droplets: bool = False,
    ) -> None:
        self._apps = Apps(caller)
        self._deployments = Deployments(caller)
        self._options = options
        self._deploys_droplets = deploys_droplets
        self._calls = calls
        self._looked_at: dict[str, float] = {}
        self._before = Prefetcher(inputs, self._read, calls)
        self.watcher = MadeWatcher(watcher)
        self.limiter = limiter

    # -- before the request

    async def look(self, run: AppRun) -> None:
        """Look for an earlier attempt, and for a deployment that another user began."""
        checked_segment(run.key)  # an invalid GUID is refused before it is journaled
        if await was_made(run, self._deployments.list(app_guids=[run.key], per_page=PAGE)):
            run.known(loop_time())
            return
        if (other := await self._in_progress(run)) is not None:
            run.failed(loop_time(), _in_progress_error(run, other), later=False, settles=True)
            return
        self._looked_at[run.key] = loop_time()
        if not self._deploys_droplets:
            run.named(uuid.uuid4().hex)

    async def _in_progress(self, run: AppRun) -> Deployment | None:
        """Return the app's deployment that is in progress; None if there is none."""
        known = None if self._deploys_droplets else await self._before.get(run.index)
        if known is not None:
            run.value, run.name = known.app, known.app.name
            if loop_time() - known.at < _FRESH:
                return known.deployment
        return await self._deployments.list(app_guids=[run.key], status_values=["ACTIVE"]).first()

    async def _read(self, keys: Sequence[str]) -> dict[str, _Before]:
        active: dict[str, Deployment] = {}
        pager = self._deployments.list(app_guids=keys, status_values=["ACTIVE"], per_page=PAGE)
        async for one in pager:
            active[one.relationships.app.guid or ""] = one
        apps = self._apps.list(guids=keys, per_page=len(keys))
        return {app.guid: _Before(app, active.get(app.guid)) async for app in apps}

    # -- the request

    async def send(self, run: AppRun) -> None:
        """Create the deployment. A success that cannot be read is found by its label.

        An app that was held back for a while is checked again: it may have a new deployment.
        """
        if loop_time() - self._looked_at.pop(run.key) >= _FRESH:
            with logged_to(self._calls):
                other = await self._in_progress(run)
            if other is not None:
                raise _in_progress_error(run, other)
        name = run.made
        assert name is not None  # noqa: S101 - it was named before, or is the droplet
        steps = self._options.canary_steps
        try:
            deployment = await self._deployments.create(
                run.key,
                droplet_guid=name if self._deploys_droplets else None,
                strategy="canary" if steps else "rolling",
                max_in_flight=self._options.max_in_flight,
                canary_weights=steps,
                labels={LABEL: name},
            )
        except DecodeError:
            run.accepted(loop_time(), run.value)
        else:
            run.accepted(loop_time(), run.value, made=deployment.guid)


def _in_progress_error(run: AppRun, other: Deployment) -> DeploymentInProgressError:
    return DeploymentInProgressError(
        f"{run.what}: deployment {other.guid} of this app is in progress, and another one would "
        "supersede it. Wait for its end, or cancel it.",
        guid=other.guid,
    )
