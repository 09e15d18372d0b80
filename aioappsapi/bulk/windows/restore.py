"""The waves of a restore, and its expected outcomes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import CallLog, recorded
from aioappsapi.bulk.actions.start_stop_restart import ActionName
from aioappsapi.bulk.forecast.plan import Plan
from aioappsapi.bulk.options import Options
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.bulk.windows.diff import SnapshotDiff, compare
from aioappsapi.bulk.windows.snapshot import Snapshot
from aioappsapi.bulk.windows.wave_plan import WavePlanner, in_waves, numbered
from aioappsapi.bulk.windows.wave_rules import Member, Named, Rule
from aioappsapi.bulk.windows.waves import Wave, Waves
from aioappsapi.models.app import App

_ACTIONS: Final[dict[str, ActionName]] = {"STOPPED": "stop", "STARTED": "start"}


def keys_by_action(snapshot: Snapshot) -> dict[ActionName, list[str]]:
    """Return the apps that have to be stopped, and those that have to be started."""
    keys: dict[ActionName, list[str]] = {}
    for app in snapshot.apps:
        keys.setdefault(_ACTIONS[app.state], []).append(app.guid)
    return keys


def known_apps(snapshot: Snapshot) -> list[Outcome[App]]:
    """Return the apps as the input of a run, with the names that the snapshot knows."""
    return [
        Outcome(
            key=app.guid,
            status=Status.ALREADY,  # without doubt
            name=app.name,
            space=app.space,
            organization=app.organization,
        )
        for app in snapshot.apps
    ]


class StopsFirst(msgspec.Struct, frozen=True):
    """Stops free quota for starts, so they are the first wave."""

    stops: frozenset[str]
    then: Rule | None = None

    @property
    def reads(self) -> bool:
        """Whether the waves of the other apps need more than GUIDs."""
        return self.then is not None and self.then.reads

    def __str__(self) -> str:
        return "stops first" if self.then is None else f"stops first, then {self.then}"

    def split(self, members: Sequence[Member], action: str) -> list[Named]:
        """Return the stops, then the waves of the other apps."""
        stops = [one.key for one in members if one.key in self.stops]
        others = [one for one in members if one.key not in self.stops]
        if not others:
            return [("stops", stops)]
        then: list[Named] = [("starts", [one.key for one in others])]
        if self.then is not None:
            then = self.then.split(others, action)
        return [("stops", stops), *then] if stops else then


def waves_of(snapshot: Snapshot, waves: Waves | None) -> Waves | None:
    """Return the waves of a restore. Without `waves`, starts begin even after a failed stop."""
    keys = keys_by_action(snapshot)
    rule = StopsFirst(frozenset(keys.get("stop", ())), None if waves is None else waves.rule)
    if waves is not None:
        return waves.with_rule(rule)
    return Waves(rule, proceed_at=0.0) if len(keys) > 1 else None


class RestorePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The forecast of a restore: expected outcomes, waves and differences."""

    report: Report[App]
    diff: SnapshotDiff
    waves: tuple[Wave, ...]


async def draw_up_restore(
    caller: Caller,
    snapshot: Snapshot,
    options: Options,
    inputs: Inputs,
    plan: Callable[[ActionName, list[str]], Awaitable[Plan]],
    *,
    target: str,
) -> RestorePlan:
    """Compare the snapshot with the platform, and predict the starts and stops."""
    started_at = datetime.now(UTC)
    with recorded(CallLog) as record:
        diff = await compare(caller, snapshot)
        plans = [await plan(action, keys) for action, keys in keys_by_action(snapshot).items()]
        waves: list[Wave] = []
        if (how := waves_of(snapshot, options.waves)) is not None:
            waves = numbered(await WavePlanner(how, inputs, caller, "restore").plan())
    requests = Requests()
    requests.add(record)
    planned = {outcome.key: outcome for one in plans for outcome in one.report}
    report: Report[App] = Report(
        in_waves(_expected(snapshot, planned, diff, options), waves),
        action="restore",
        target=target,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        requests=requests,
        predicted=True,
    )
    return RestorePlan(report=report, diff=diff, waves=tuple(waves))


def _expected(
    snapshot: Snapshot, planned: Mapping[str, Outcome[App]], diff: SnapshotDiff, options: Options
) -> Iterator[Outcome[App]]:
    """Yield the expected outcome of each app; `planned` are those of its start or stop alone."""
    restored = {"state", "instances"}
    restored |= {"memory"} if options.memory else set()
    restored |= {"droplet"} if options.droplets else set()
    changed = {one.app.guid for one in diff.changed if one.kinds & restored}
    for app in snapshot.apps:
        outcome = planned[app.guid]
        is_already = outcome.status is Status.ALREADY and app.guid not in changed
        done = Status.ALREADY if is_already else Status.OK
        yield msgspec.structs.replace(
            outcome,
            status=done if outcome.done else outcome.status,
            name=outcome.name or app.name,
            space=outcome.space or app.space,
            organization=outcome.organization or app.organization,
        )
