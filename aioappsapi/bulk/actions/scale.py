"""Scale: sets instances, memory and disk of processes that differ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from aioappsapi._http.batches import LARGEST_PAGE
from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import CallEvents
from aioappsapi._http.clock import loop_time
from aioappsapi._http.protocol import checked_segment
from aioappsapi.api.apps import Apps
from aioappsapi.api.processes import Processes
from aioappsapi.bulk.actions.action import ActionStep, Watcher
from aioappsapi.bulk.actions.prefetch import Prefetcher
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.bulk.run.states import Did
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App
from aioappsapi.models.process import Process

_NUMBERS: Final = ("instances", "memory_in_mb", "disk_in_mb")


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """The requested numbers of a process of an app; None changes nothing.

    The number of instances changes at once. Memory and disk apply to instances that start later, so
    restart the app afterwards. Raises InvalidInputError for numbers that no process can have.
    """

    instances: int | None = None
    memory_in_mb: int | None = None
    disk_in_mb: int | None = None
    process: str = "web"

    def __post_init__(self) -> None:
        numbers = self.numbers()
        if not numbers:
            raise InvalidInputError("Scale needs instances, memory_in_mb or disk_in_mb.")
        for name, number in numbers.items():
            least = 0 if name == "instances" else 1
            if type(number) is not int or number < least:
                raise InvalidInputError(f"{name}={number!r}: {least} or more.")

    def numbers(self) -> dict[str, int]:
        """Return the given numbers."""
        given = {name: getattr(self, name) for name in _NUMBERS}
        return {name: number for name, number in given.items() if number is not None}

    def changes(self, process: Process) -> bool:
        """Check whether a process has other numbers."""
        return any(getattr(process, name) != number for name, number in self.numbers().items())


Scales = Scale | Sequence[Scale]
# One Scale for all apps, or one per app; several for processes of different types.
Wanted = Scales | Mapping[str, Scales]


def numbers_of(wanted: Wanted) -> str:
    """Return the numbers in words, or for many apps a digest: what a journal is of."""
    if isinstance(wanted, Mapping):
        parts = sorted(f"{key} {numbers_of(scales)}" for key, scales in wanted.items())
        return f" to numbers {hashlib.blake2b(''.join(parts).encode(), digest_size=4).hexdigest()}"
    scales = [wanted] if isinstance(wanted, Scale) else wanted
    return " to " + ", ".join(
        f"{scale.process} {name}={number}"
        for scale in scales
        for name, number in scale.numbers().items()
    )


class ScaleStep(ActionStep):
    """Sets the numbers of an app's processes that differ.

    A request sets a number and adds nothing, so it may be sent twice. With a `watcher` the
    instances of started apps are verified. Without `must_exist`, types of process that an app has
    no more are left out.
    """

    name = "scale"
    visible = True

    def __init__(
        self,
        caller: Caller,
        inputs: Inputs,
        calls: CallEvents,
        wanted: Wanted,
        *,
        watcher: Watcher | None = None,
        must_exist: bool = True,
    ) -> None:
        self._must_exist = must_exist
        self._apps = Apps(caller)
        self._processes = Processes(caller)
        self._wanted = wanted
        self._known = Prefetcher(inputs, self._read, calls)
        self._changes: dict[str, list[Scale]] = {}
        self.watcher = watcher
        self.waits = watcher is not None

    async def look(self, run: AppRun) -> None:
        """Skip an app whose processes already have these numbers."""
        checked_segment(run.key)  # an invalid GUID is refused before it is journaled
        app, processes = await self._state(run)
        run.value, run.name = app, app.name
        lacking = self._scales(run.key) - {process.type for process in processes}
        if lacking and self._must_exist:
            run.failed(loop_time(), _no_process(run, lacking), later=False, settles=True)
            return
        changes = list(_changes(self._of(run.key), processes))
        if changes:
            run.looked(in_place=False)
            self._changes[run.key] = changes
        elif run.did is Did.NO:
            run.already(loop_time(), verify=self.waits and app.state == "STARTED")
        else:
            run.known(loop_time(), is_proof=app.state != "STARTED")

    async def send(self, run: AppRun) -> None:
        """Send one request for each process that has other numbers."""
        for scale in self._changes.pop(run.key):
            await self._processes.scale_for_app(
                run.key,
                scale.process,
                instances=scale.instances,
                memory_in_mb=scale.memory_in_mb,
                disk_in_mb=scale.disk_in_mb,
            )
        is_started = isinstance(run.value, App) and run.value.state == "STARTED"
        run.accepted(loop_time(), run.value, is_proof=not is_started)

    def _of(self, key: str) -> Sequence[Scale]:
        wanted = self._wanted.get(key, ()) if isinstance(self._wanted, Mapping) else self._wanted
        return [wanted] if isinstance(wanted, Scale) else wanted

    def _scales(self, key: str) -> set[str]:
        return {scale.process for scale in self._of(key)}

    async def _state(self, run: AppRun) -> tuple[App, list[Process]]:
        known = None if run.retried else await self._known.get(run.index)
        if known is not None:
            return known
        app = await self._apps.get(run.key)
        return app, await self._processes.list(app_guids=[run.key], per_page=LARGEST_PAGE).all()

    async def _read(self, keys: Sequence[str]) -> dict[str, tuple[App, list[Process]]]:
        apps = self._apps.list(guids=keys, per_page=len(keys))
        found: dict[str, tuple[App, list[Process]]] = {app.guid: (app, []) async for app in apps}
        async for process in self._processes.list(app_guids=keys, per_page=LARGEST_PAGE):
            key = process.relationships.app.guid or process.guid
            if key in found:
                found[key][1].append(process)
        return found


def _changes(wanted: Sequence[Scale], processes: Sequence[Process]) -> Iterable[Scale]:
    for scale in wanted:
        if any(one.type == scale.process and scale.changes(one) for one in processes):
            yield scale


def _no_process(run: AppRun, lacking: set[str]) -> InvalidInputError:
    return InvalidInputError(
        f"{run.what}: the app has no process of the type {', '.join(sorted(lacking))}. "
        "Name one that it has."
    )
