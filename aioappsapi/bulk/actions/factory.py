"""Makes the actions of a run: their steps, with watchers and limiters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from aioappsapi._http.call import Caller
from aioappsapi.api.apps import readers_of
from aioappsapi.api.builds import Builds
from aioappsapi.api.deployments import Deployments
from aioappsapi.api.processes import Processes
from aioappsapi.bulk.actions.action import Action, ActionStep, InstanceWatcher
from aioappsapi.bulk.actions.footprint import Footprint, read_footprints
from aioappsapi.bulk.actions.prefetch import Prefetcher
from aioappsapi.bulk.actions.restage import BuildLimiter, BuildStep, DropletStep, StackStep
from aioappsapi.bulk.actions.restore import (
    RestartChangedStep,
    SetDropletStep,
    StepWhere,
    instances_of,
    sizes_of,
)
from aioappsapi.bulk.actions.rolling import RollingStep
from aioappsapi.bulk.actions.scale import ScaleStep, Wanted, numbers_of
from aioappsapi.bulk.actions.start_limiter import StartLimiter
from aioappsapi.bulk.actions.start_stop_restart import ActionName, LifecycleStep
from aioappsapi.bulk.actions.suspensions import SuspendableStep
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.bulk.run.progress import RequestCounter
from aioappsapi.bulk.windows.snapshot import Snapshot
from aioappsapi.errors import InvalidInputError
from aioappsapi.waiting.build_watcher import BuildWatcher
from aioappsapi.waiting.deployment_watcher import DeploymentWatcher
from aioappsapi.waiting.waiter import Waiter

BulkActionName = Literal["start", "stop", "restart", "restage", "scale"]


class ActionFactory:
    """Makes the action of one run. `calls` counts the requests for many apps together."""

    def __init__(
        self, caller: Caller, inputs: Inputs, options: Options, calls: RequestCounter
    ) -> None:
        self._caller = caller
        self._inputs = inputs
        self._options = options
        self._calls = calls

    def make(self, name: BulkActionName, wanted: Wanted | None = None) -> Action:
        """Make an action by its name; `wanted` are the numbers of a scale.

        Raises InvalidInputError for a scale without numbers, and for numbers without a scale.
        """
        if (wanted is not None) != (name == "scale"):
            raise InvalidInputError("scale= goes with the action scale, which needs it.")
        if wanted is not None:
            return Action(name, [self._scale(wanted, watched=True)], numbers_of(wanted))
        if name == "restage":
            return Action(name, self._restage())
        if name == "restart" and self._options.strategy == "rolling":
            return Action(name, [self._once_per_place(self._rolling(deploys_droplets=False))])
        assert name != "scale"  # noqa: S101 - it has numbers, and was made above
        return Action(name, [self._lifecycle(name)])

    def restore(self, snapshot: Snapshot) -> Action:
        """Make the action that brings apps back to how a snapshot records them."""
        stops = {app.guid for app in snapshot.apps if app.state == "STOPPED"}
        droplets = {app.guid: app.droplet for app in snapshot.apps if app.droplet is not None}
        limiter = self._start_limiter()  # one for all: a restart starts instances, too
        steps: list[ActionStep] = [
            StepWhere(self._lifecycle("stop"), lambda run: run.key in stops),
            self._scale(instances_of(snapshot), must_exist=False),
        ]
        if self._options.memory:
            steps.append(self._scale(sizes_of(snapshot), must_exist=False))
        if self._options.droplets:
            step = SetDropletStep(self._caller, self._inputs, self._calls, droplets)
            steps.append(StepWhere(step, lambda run: run.key in droplets))
        if heavy := frozenset(range(2, len(steps))):
            restart = self._lifecycle("restart", limiter)
            steps.append(RestartChangedStep(restart, self._caller, heavy))
        start = self._lifecycle("start", limiter)
        steps.append(StepWhere(start, lambda run: run.key not in stops))
        more = [name for name in ("memory", "droplets") if getattr(self._options, name)]
        with_ = f" with {' and '.join(more)}" if more else ""
        return Action("restore", steps, f" of {snapshot.taken_at.isoformat()}{with_}")

    # -- steps

    def _lifecycle(self, name: ActionName, limiter: StartLimiter | None = None) -> LifecycleStep:
        waiter = self._waiter(name)
        return LifecycleStep(
            name,
            self._caller,
            self._inputs,
            self._calls,
            skip_unchanged=self._options.skip_unchanged,
            keep_values=self._options.keep_values,
            watcher=None if waiter is None else InstanceWatcher(waiter, self._options.patience),
            limiter=None if name == "stop" else limiter or self._start_limiter(),
        )

    def _rolling(self, *, deploys_droplets: bool) -> RollingStep:
        readers = readers_of(self._caller)
        watcher = DeploymentWatcher(
            readers,
            Deployments(readers.caller),
            self._options.wait,
            patience=self._options.patience,
            crash_grace=self._options.crash_grace,
            on_timeout=self._options.on_timeout,
            canary_hold=self._options.canary_hold,
            quota_is_low=self._quota_is_low,
        )
        return RollingStep(
            self._caller,
            self._inputs,
            self._calls,
            self._options,
            watcher=watcher,
            limiter=self._start_limiter(at_once=self._options.max_in_flight),
            deploys_droplets=deploys_droplets,
        )

    def _restage(self) -> Sequence[ActionStep]:
        stack, most = self._options.to_stack, self._options.max_building
        polls = readers_of(self._caller).caller
        build = BuildStep(
            self._caller,
            self._inputs,
            self._calls,
            watcher=BuildWatcher(polls, Builds(polls), quota_is_low=self._quota_is_low),
            stack=stack,
            limiter=None if most is None else BuildLimiter(most),
        )
        steps: list[ActionStep] = [self._once_per_place(build)]
        if stack is not None:
            steps.append(StackStep(self._caller, stack))
        if self._options.strategy == "rolling":
            return [*steps, self._rolling(deploys_droplets=True)]
        return [*steps, DropletStep(self._caller), self._lifecycle("restart")]

    def _scale(
        self, wanted: Wanted, *, watched: bool = False, must_exist: bool = True
    ) -> ScaleStep:
        waiter = self._waiter("start") if watched else None
        return ScaleStep(
            self._caller,
            self._inputs,
            self._calls,
            wanted,
            watcher=None if waiter is None else InstanceWatcher(waiter, self._options.patience),
            must_exist=must_exist,
        )

    def _once_per_place(self, step: ActionStep) -> SuspendableStep:
        return SuspendableStep(step, self._caller, self._calls)

    # -- watchers and limiters

    def _quota_is_low(self) -> bool:
        return self._caller.throttle.rate_window.has_less_than(self._inputs.left)

    def _waiter(self, name: ActionName) -> Waiter | None:
        if self._options.wait == "none":
            return None
        return Waiter(
            readers_of(self._caller),
            self._options.wait,
            until_stopped=name == "stop",
            only_new=name == "restart",
            crash_grace=self._options.crash_grace,
            quota_is_low=self._quota_is_low,
        )

    def _start_limiter(self, at_once: int | None = None) -> StartLimiter | None:
        """Make the bound on starting instances; at most `at_once` of an app start at a time."""
        if not self._options.is_bounded:
            return None
        processes = Processes(self._caller)

        async def read(keys: Sequence[str]) -> dict[str, Footprint]:
            found = await read_footprints(processes, keys)
            if at_once is None:
                return found
            return {key: footprint.of(at_once) for key, footprint in found.items()}

        return StartLimiter(
            instances=self._options.max_starting,
            memory=self._options.max_starting_mb,
            footprints=Prefetcher(self._inputs, read, self._calls),
        )
