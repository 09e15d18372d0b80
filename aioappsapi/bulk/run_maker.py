"""Makes runs: checks their input and options, and combines their parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
from typing_extensions import TypeVar

from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import current_call_log
from aioappsapi.bulk.actions.action import Action
from aioappsapi.bulk.actions.dry_run import dry
from aioappsapi.bulk.actions.factory import ActionFactory
from aioappsapi.bulk.actions.map import MapStep
from aioappsapi.bulk.options import ActionOptions, MapOptions, Options
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.run.inputs import Inputs, Keys
from aioappsapi.bulk.run.journal import Journal
from aioappsapi.bulk.run.observer import RunObserver
from aioappsapi.bulk.run.progress import Progress, RequestCounter
from aioappsapi.bulk.run.run import Run
from aioappsapi.bulk.windows.wave_plan import WavePlanner
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App

T = TypeVar("T", default=App)


class RunMaker:
    """Makes the runs of one API. `ceiling` is the maximum of apps at a time."""

    def __init__(
        self, caller: Caller, *, target: str, ceiling: int, observer: RunObserver | None = None
    ) -> None:
        self._caller = caller
        self._target = target
        self._ceiling = ceiling
        self._observer = observer

    def map(
        self,
        func: Callable[[str], Awaitable[T]],
        keys: Keys,
        name: str,
        options: MapOptions[T],
    ) -> Run[T]:
        """Make a run that awaits a function of each key."""
        chosen, inputs = self.checked(options), self.inputs(keys)
        return Run(
            Action(name, [MapStep(name, func)]),
            inputs,
            chosen,
            Progress[T](),
            target=self._target,
            outer=current_call_log.get(),
            throttle=self._caller.throttle,
            give_up_after=self._caller.retry.give_up_after,
            on_outcome=options.get("on_outcome"),
            on_pause=options.get("on_pause"),
            waves=self._planner(chosen, inputs, name),
            observer=self._observer,
        )

    def make(
        self,
        make: Callable[[ActionFactory], Action],
        keys: Keys,
        options: ActionOptions[App],
        *,
        keep: bool = True,
        dry_run: bool = False,
    ) -> Run[App]:
        """Make the run of the action that `make` returns. Raises InvalidInputError."""
        chosen, inputs = self.checked(options), self.inputs(keys)
        progress = Progress[App](keep=keep, keep_values=chosen.keep_values)
        outer = current_call_log.get()
        calls = RequestCounter(progress.requests, outer)
        made = make(ActionFactory(self._caller, inputs, chosen, calls))
        return Run(
            dry(made) if dry_run else made,
            inputs,
            chosen,
            progress,
            target=self._target,
            calls=calls,
            outer=outer,
            throttle=self._caller.throttle,
            give_up_after=self._caller.retry.give_up_after,
            open_journal=None if dry_run else self._opener(made, chosen, options),
            on_outcome=options.get("on_outcome"),
            on_pause=options.get("on_pause"),
            predicted=dry_run,
            waves=self._planner(chosen, inputs, made.name, dry_run=dry_run),
            observer=None if dry_run else self._observer,
        )

    def _planner(
        self, chosen: Options, inputs: Inputs, action: str, *, dry_run: bool = False
    ) -> WavePlanner | None:
        if (waves := chosen.waves) is None:
            return None
        how = waves.without_stops() if dry_run else waves
        return WavePlanner(how, inputs, self._caller, action)

    def inputs(self, keys: Keys) -> Inputs:
        """Refuse a report of another API, because its GUIDs do not belong to this API."""
        if isinstance(keys, Report) and (others := set(keys.targets) - {self._target}):
            raise InvalidInputError(
                f"This is a report of {', '.join(sorted(others))}, and the target is "
                f"{self._target}. Nothing was sent. Pass report.failed_keys() to use its GUIDs "
                "here anyway."
            )
        return Inputs(keys)

    def _opener(
        self, action: Action, chosen: Options, options: ActionOptions[App]
    ) -> Callable[[], Journal] | None:
        path = options.get("journal")
        resume = options.get("resume", False)
        if path is None:
            if resume:
                raise InvalidInputError("resume=True needs the journal of the run to resume.")
            return None
        return partial(
            Journal,
            path,
            action=f"{action.name}{action.manner}{chosen.manner}",
            target=self._target,
            resume=resume,
            wait=chosen.wait,
            steps=action.steps,
        )

    def checked(self, options: MapOptions[T]) -> Options:
        """Check the options of a run. Raises InvalidInputError."""
        concurrency = options.get("concurrency")
        if concurrency is not None and concurrency > self._ceiling:
            raise InvalidInputError(
                f"concurrency={concurrency} is above this client's {self._ceiling}. "
                f"Make the client with limits=Limits(concurrency={concurrency})."
            )
        chosen = self._ceiling if concurrency is None else concurrency
        fields = Options.__struct_fields__
        given = {name: value for name, value in options.items() if name in fields}
        return msgspec.structs.replace(Options(), **given | {"concurrency": chosen})
