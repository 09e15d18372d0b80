"""Brings apps back to the states that a snapshot records.

There are up to three runs, one after the other: stops free quota, then numbers of instances are
set, then the other apps start. Their reports become one, with an outcome for each app.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

import msgspec

from aioappsapi._http.batches import LARGEST_PAGE
from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import CallLog, current_call_log, recorded
from aioappsapi._http.clock import loop_time
from aioappsapi.api.processes import Processes
from aioappsapi.bulk.actions.action import Action
from aioappsapi.bulk.actions.scale import Scale, ScaleStep
from aioappsapi.bulk.actions.start_stop_restart import ActionName
from aioappsapi.bulk.forecast.plan import Plan
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.bulk.run.progress import Progress, RequestCounter
from aioappsapi.bulk.run.run import Run
from aioappsapi.bulk.windows.snapshot import AppState, Snapshot
from aioappsapi.errors import NotAttemptedError
from aioappsapi.models.app import App

Begin = Callable[[ActionName, list[str], float | None], Run[App]]
Draw = Callable[[ActionName, list[str]], Awaitable[Plan]]
# The numbers to set for an app: one for each process with another number.
Changes = dict[str, list[Scale]]

_ACTION_FOR: Final[dict[str, ActionName]] = {"STOPPED": "stop", "STARTED": "start"}
# If an app has two outcomes, the later one here counts: a changed app is not `already`.
_WEIGHT: Final = {status: n for n, status in enumerate(Status)} | {Status.ALREADY: -1}


class Restoration:
    """One restoration, during its runs and afterwards.

    ``async for run in restoration:`` yields one `Run` after the other. Run each of them to its end
    before the next. A run that was stopped is the last one; `report` has all outcomes.
    """

    def __init__(
        self, snapshot: Snapshot, caller: Caller, options: Options, *, target: str, begin: Begin
    ) -> None:
        self._snapshot = snapshot
        self._caller = caller
        self._target = target
        self._options = options
        self._begin = begin
        self._runs: list[Run[App]] = []
        self._read = Requests()
        self._started_at = datetime.now(UTC)

    async def __aiter__(self) -> AsyncIterator[Run[App]]:
        zero = loop_time()
        self._started_at = datetime.now(UTC)
        # Read before any change: a failure here has changed nothing.
        changes = await self._find_changes()
        runs: tuple[Callable[[float | None], Run[App] | None], ...] = (
            partial(self._asking, "stop"),
            partial(self._scaling, changes),
            partial(self._asking, "start"),
        )
        for make in runs:
            left = None
            if (deadline := self._options.deadline) is not None:
                left = zero + deadline - loop_time()
                if left <= 0:
                    return
            if (run := make(left)) is None:
                continue
            self._runs.append(run)
            yield run
            if run.stopping:
                return

    @property
    def report(self) -> Report[App]:
        """The outcome of each app so far; apps without one yet are `not_attempted`."""
        return self._merged([run.report for run in self._runs])

    async def predict(self, draw: Draw) -> Report[App]:
        """Predict the report without a change. Quota that the stops would free is not counted."""
        self._started_at = now = datetime.now(UTC)
        reports = [(await draw(action, keys)).report for action, keys in self._keys().items()]
        scaled: Report[App] = Report(
            [Outcome(key=key, status=Status.OK) for key in await self._find_changes()],
            action="scale",
            target=self._target,
            started_at=now,
            finished_at=datetime.now(UTC),
        )
        return self._merged([*reports, scaled], predicted=True)

    def _keys(self) -> dict[ActionName, list[str]]:
        keys: dict[ActionName, list[str]] = {}
        for app in self._snapshot.apps:
            keys.setdefault(_ACTION_FOR[app.state], []).append(app.guid)
        return keys

    def _asking(self, action: ActionName, deadline: float | None) -> Run[App] | None:
        keys = self._keys().get(action)
        return self._begin(action, keys, deadline) if keys else None

    def _scaling(self, changes: Changes, deadline: float | None) -> Run[App] | None:
        if not changes:
            return None
        chosen, caller = self._options, self._caller
        inputs, progress, outer = Inputs(list(changes)), Progress[App](), current_call_log.get()
        calls = RequestCounter(progress.requests, outer)
        return Run(
            Action("scale", [ScaleStep(caller, inputs, calls, changes)]),
            inputs,
            Options(
                concurrency=chosen.concurrency, deadline=deadline, max_failures=chosen.max_failures
            ),
            progress,
            target=self._target,
            calls=calls,
            outer=outer,
            throttle=caller.throttle,
        )

    async def _find_changes(self) -> Changes:
        noted = {app.guid: app.instances for app in self._snapshot.apps}
        changes: Changes = {}
        processes = Processes(self._caller).list(app_guids=list(noted), per_page=LARGEST_PAGE)
        with recorded(CallLog) as record:
            async for process in processes:
                guid = process.relationships.app.guid or ""
                wanted = noted.get(guid, {}).get(process.type)
                if wanted is not None and wanted != process.instances:
                    scale = Scale(instances=wanted, process=process.type)
                    changes.setdefault(guid, []).append(scale)
        self._read.add(record)
        return changes

    def _merged(self, reports: Sequence[Report[App]], *, predicted: bool = False) -> Report[App]:
        stopped = next((report.stopped for report in reports if report.stopped), None)
        by_action = {
            report.action: {outcome.key: outcome for outcome in report} for report in reports
        }
        return Report(
            _joined(self._snapshot.apps, by_action, stopped or "the run ended first"),
            action="restore",
            target=self._target,
            started_at=self._started_at,
            finished_at=max((report.finished_at for report in reports), default=self._started_at),
            requests=_total([self._read, *(report.requests for report in reports)]),
            predicted=predicted,
            stopped=stopped,
        )


def _joined(
    apps: Sequence[AppState], by_action: dict[str, dict[str, Outcome[App]]], why_not: str
) -> Iterator[Outcome[App]]:
    """Join the outcomes of up to two runs into one for each app."""
    for app in apps:
        action = _ACTION_FOR[app.state]
        asked = by_action.get(action, {}).get(app.guid) or Outcome(
            key=app.guid,
            status=Status.NOT_ATTEMPTED,
            error=NotAttemptedError(f"{action} {app.guid}: {why_not}."),
        )
        scaled = by_action.get("scale", {}).get(app.guid)
        both = [asked] if scaled is None else [asked, scaled]
        yield msgspec.structs.replace(
            max(both, key=lambda one: _WEIGHT[one.status]),
            name=asked.name or app.name,
            space=asked.space or app.space,
            organization=asked.organization or app.organization,
            value=asked.value,
            attempts=sum(one.attempts for one in both),
            request_ids=tuple(id_ for one in both for id_ in one.request_ids),
        )


def _total(parts: Sequence[Requests]) -> Requests:
    by_status = sum((part.by_status for part in parts), Counter[str]())
    sent, retried = sum(part.sent for part in parts), sum(part.retried for part in parts)
    return Requests(sent, retried, by_status)
