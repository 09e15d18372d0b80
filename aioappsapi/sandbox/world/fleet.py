"""The instances of all apps and their cells: instances start, crash, wait for memory and stop.

Nothing runs in the background. Future steps are kept in a heap. They are carried out in order, with
their own times, when the state is read. So any clock works, and 100,000 apps cost nothing while
no request reads them.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import math
import threading
from collections import deque
from collections.abc import Callable
from sys import intern
from typing import Concatenate, Final, NamedTuple, ParamSpec, TypeVar

from aioappsapi.sandbox.world.faults import Faults
from aioappsapi.sandbox.world.instances import (
    CRASHED,
    DOWN,
    EXITED,
    NO_MEMORY,
    RUNNING,
    STARTING,
    STOPPING,
    UNHEALTHY,
    Cell,
    Instance,
)
from aioappsapi.sandbox.world.model import App, Process
from aioappsapi.sandbox.world.randomness import rolls, stretched

_LONGEST_BACKOFF: Final = 2**10
_MOMENT: Final = 0.001
P = ParamSpec("P")
T = TypeVar("T")


Step = Callable[[Instance, float], None]


class Census(NamedTuple):
    """The numbers of instances of a process that start, take requests, or do neither."""

    starting: int
    routable: int
    unhealthy: int


def _alone(method: Callable[Concatenate[Fleet, P], T]) -> Callable[Concatenate[Fleet, P], T]:
    """Hold the lock during a method: a test may read while the sandbox serves in another thread."""

    def locked(self: Fleet, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self.lock:
            return method(self, *args, **kwargs)

    return functools.update_wrapper(locked, method)


class Fleet:
    """All instances. `faults` returns the present faults, `clock` the time in seconds.

    If a test sets an app to STARTED, its instances count as always running. `starting` is the
    number of instances that are starting now, and `peak_starting` its maximum so far. `on_crash` is
    called with each instance that crashes, and the time.
    """

    def __init__(
        self,
        seed: int,
        clock: Callable[[], float],
        faults: Callable[[], Faults],
        cells: list[Cell],
        max_starting_per_cell: int | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.cells = cells
        self.max_starting_per_cell = max_starting_per_cell
        self.starting = 0
        self.peak_starting = 0
        self._seed = seed
        self._faults = faults
        self._events: list[tuple[float, int, Instance, Step]] = []
        self._is_settling = False
        self._numbers = itertools.count(1)
        self._waiting: dict[int, deque[Instance]] = {}
        self._stranded: list[App] = []
        self._began = clock()
        self.on_crash: Callable[[Instance, float], None] | None = None

    # Orders of the API.

    @_alone
    def order(self, app: App, after: float = 0.0) -> None:
        """Launch or halt the app, according to its state."""
        if app.state == "STARTED":
            self.launch(app, after)
        else:
            self.halt(app, after)

    @_alone
    def launch(self, app: App, after: float = 0.0) -> None:
        """Replace the app's instances by new ones; Diego gets the order `after` seconds later."""
        now = self.run_due()
        app.launches += 1
        for process in app.processes:
            self._launch(app, process, now, after)

    @_alone
    def relaunch(self, app: App, process: Process, now: float) -> None:
        """Replace the instances of one process by new instances."""
        app.launches += 1
        self._launch(app, process, now)

    def _launch(self, app: App, process: Process, now: float, after: float = 0.0) -> None:
        process.version += 1
        self._retire_all(process, now)
        process.live = [self._new(app, process, n) for n in range(process.instances)]
        for instance in process.live:
            self._schedule(self._place, instance, now, after)

    @_alone
    def halt(self, app: App, after: float = 0.0) -> None:
        """Stop the app's instances; Diego gets the order `after` seconds later."""
        now = self.run_due()
        for process in app.processes:
            if process.live is None:
                self._create_running(app, process, now)
            for instance in process.live or ():
                instance.leaving = True
                self._schedule(self._retire, instance, now, after)

    @_alone
    def remember_missed(self, app: App) -> None:
        """Remember that Diego missed the app's last change."""
        self.order(app, math.inf)
        self._stranded.append(app)

    @_alone
    def repair(self, after: float) -> None:
        """Send the missed changes to Diego, `after` seconds from now."""
        stranded, self._stranded = self._stranded, []
        now = self.run_due()
        for app in {app.guid: app for app in stranded}.values():
            for process in app.processes:
                for instance in process.live or ():
                    if instance.leaving or instance.since is None:
                        step = self._retire if instance.leaving else self._place
                        self._schedule(step, instance, now, after)

    @_alone
    def resize(self, app: App, now: float | None = None, after: float = 0.0) -> None:
        """Stop surplus instances and start missing ones, `after` seconds later."""
        now = self.run_due() if now is None else now
        for process in app.processes:
            self._current(app, process, now, after)

    @_alone
    def forget_process(self, process: Process, now: float) -> None:
        """Remove the instances of a deleted process."""
        self._retire_all(process, now)

    @_alone
    def replace(self, process: Process, index: int) -> None:
        """End one instance; another instance starts in its place."""
        now = self.run_due()
        for instance in process.live or ():
            if instance.index == index and instance.cell is not None:
                self._enter(instance, DOWN, now)
                self._free(instance, now)
                self._place(instance, now)

    def place_running(self, app: App) -> None:
        """Place the instances of an app that was created as STARTED; for limited memory only."""
        if any(cell.memory_mb is not None for cell in self.cells):
            self.resize(app)

    @_alone
    def forget(self, app: App) -> None:
        """Remove the instances of a deleted app at once."""
        now = self.run_due()
        for process in app.processes:
            for instance in process.live or ():
                self._remove(instance, now)
            process.live = None

    @_alone
    def later(self, after: float, act: Callable[[float], None], now: float | None = None) -> None:
        """Call `act` `after` seconds from now, in order with the steps of the instances."""
        now = self.clock() if now is None else now
        self._schedule(lambda _, due: act(due), Instance(0), now, after)

    # Observation.

    @_alone
    def run_due(self) -> float:
        """Carry out all steps that are due, and return the present time.

        A step that reads the fleet sees it at its own time, before all later steps.
        """
        now = self.clock()
        if self._is_settling:
            return now
        self._is_settling = True
        try:
            while self._events and self._events[0][0] <= now:
                due, number, instance, step = heapq.heappop(self._events)
                if instance.event == number:
                    step(instance, due)
        finally:
            self._is_settling = False
        return now

    @_alone
    def instances(self, app: App, process: Process) -> list[Instance]:
        """Return the present instances of a process, one for each requested instance."""
        now = self.run_due()
        if process.states is not None:
            states = enumerate(process.states)
            return [self._fixed(process, n, state, now) for n, state in states]
        live = self._current(app, process, now)
        if app.state != "STARTED":
            going = {one.index: one for one in live if one.leaving and one.state != DOWN}
            rows = range(process.instances)
            return [going.get(n) or Instance(n) for n in rows]
        return live

    @_alone
    def census(self, app: App, process: Process, now: float) -> Census:
        """Count the instances of a process for a deployment."""
        rows = self.instances(app, process) if app.state == "STARTED" else []
        healthy = [one for one in rows if one.state in (RUNNING, STARTING)]
        routable = sum(one.routable(now) for one in rows)
        unhealthy = process.instances - len(healthy)
        return Census(len(healthy) - routable, routable, unhealthy)

    @_alone
    def running(self, app: App) -> bool:
        """Check whether the app is started and all its instances run."""
        return app.state == "STARTED" and all(
            instance.state == RUNNING
            for process in app.processes
            for instance in self.instances(app, process)
        )

    # The life of an instance.

    def _new(self, app: App, process: Process, index: int) -> Instance:
        (roll,) = rolls(self._seed, app.guid, app.launches, process.type, index, count=1)
        kind = intern(process.type.upper())
        made = Instance(index, memory_mb=process.memory_in_mb, kind=kind, roll=roll)
        made.app_guid, made.process_guid, made.number = app.guid, process.guid, app.launches
        return made

    def _fixed(self, process: Process, index: int, state: str, now: float) -> Instance:
        """Return an instance in the state that a test has set."""
        fixed = Instance(index, state, now, process.details)
        fixed.process_guid, fixed.cell = process.guid, self.cells[0]
        return fixed

    def _current(
        self, app: App, process: Process, now: float, after: float = 0.0
    ) -> list[Instance]:
        """Return the existing instances, adapted to changes that a test made."""
        live = process.live or []
        if app.state != "STARTED":
            if live and not live[0].leaving:
                self._retire_all(process, now)
            return process.live or []
        if process.live is None or (live and live[0].leaving):
            return self._create_running(app, process, now)
        for n in range(len(live), process.instances):
            live.append(self._new(app, process, n))
            self._schedule(self._place, live[-1], now, after)
        for instance in live[process.instances :]:
            self._retire(instance, now)
        process.live = live[: process.instances]
        return process.live

    def _create_running(self, app: App, process: Process, now: float) -> list[Instance]:
        """Create the instances of an app that a test has started; they count as always running."""
        self._retire_all(process, now)
        process.live = [self._new(app, process, n) for n in range(process.instances)]
        for instance in process.live:
            if self._put_on_cell(instance, now):
                self._enter(instance, RUNNING, min(self._began, now))
        return process.live

    def _retire_all(self, process: Process, now: float) -> None:
        for instance in process.live or ():
            self._retire(instance, now)
        process.live = None

    def _place(self, instance: Instance, now: float) -> None:
        if self._put_on_cell(instance, now):
            self._begin(instance, now)

    def _put_on_cell(self, instance: Instance, now: float) -> bool:
        fitting = [cell for cell in self.cells if cell.fits(instance.memory_mb)]
        if not fitting:
            self._enter(instance, DOWN, now)
            instance.placement_error = NO_MEMORY
            self._waiting.setdefault(instance.memory_mb, deque()).append(instance)
            return False
        cell = min(fitting, key=lambda cell: (cell.starting, cell.used_mb))
        cell.used_mb += instance.memory_mb
        instance.cell, instance.port = cell, cell.take_port()
        return True

    def _begin(self, instance: Instance, now: float) -> None:
        faults = self._faults()
        load = self._load(instance)
        wait, unlucky = rolls(instance.roll, instance.crashes, count=2)
        delay = max(1.0, load) * stretched(faults.startup, faults.startup_spread, wait)
        instance.crash_reason = _exit_reason(instance, faults)
        if unlucky < faults.overload_crash * (load - 1.0):
            instance.crash_reason = UNHEALTHY
        self._enter(instance, STARTING, now)
        if instance.crash_reason is None:
            self._schedule(self._run, instance, now, delay)
        else:
            self._schedule(self._crash, instance, now, max(delay, _MOMENT))

    def _load(self, instance: Instance) -> float:
        """Return the starting instances on the cell, as a multiple of its maximum."""
        if self.max_starting_per_cell is None or instance.cell is None:
            return 0.0
        return (instance.cell.starting + 1) / self.max_starting_per_cell

    def _run(self, instance: Instance, now: float) -> None:
        self._enter(instance, RUNNING, now)
        instance.routable_at = now + self._faults().readiness

    def _crash(self, instance: Instance, now: float) -> None:
        self._enter(instance, CRASHED, now)
        instance.exit_description = instance.crash_reason
        backoff = self._faults().crash_backoff * min(2**instance.crashes, _LONGEST_BACKOFF)
        if self.on_crash is not None:
            self.on_crash(instance, now)
        instance.crashes += 1
        self._schedule(self._place, instance, now, backoff)
        self._free(instance, now)

    def _retire(self, instance: Instance, now: float) -> None:
        instance.leaving = True
        shutdown = self._faults().shutdown
        if instance.cell is None or not shutdown:
            self._remove(instance, now)
        elif instance.state != STOPPING:
            self._enter(instance, STOPPING, now)
            self._schedule(self._remove, instance, now, shutdown)

    def _remove(self, instance: Instance, now: float) -> None:
        self._enter(instance, DOWN, now)
        instance.since = None
        self._free(instance, now)

    def _free(self, instance: Instance, now: float) -> None:
        """Give the memory of the instance to waiting instances."""
        if instance.cell is None:
            return
        instance.cell.used_mb -= instance.memory_mb
        instance.cell = None
        for memory_mb, queue in self._waiting.items():
            while queue and (
                queue[0].placement_error is None or any(cell.fits(memory_mb) for cell in self.cells)
            ):
                first = queue.popleft()
                if first.placement_error is not None:
                    self._place(first, now)

    def _enter(self, instance: Instance, state: str, now: float) -> None:
        """Enter a state and cancel the step that was planned before."""
        change = (state == STARTING) - (instance.state == STARTING)
        if change and instance.cell is not None:
            instance.cell.starting += change
            self.starting += change
            self.peak_starting = max(self.peak_starting, self.starting)
        instance.state, instance.since, instance.placement_error = state, now, None
        instance.event = 0

    def _schedule(self, step: Step, instance: Instance, now: float, after: float) -> None:
        """Carry out a step now, later, or never if `after` is infinite."""
        if not after:
            step(instance, now)
        elif after < math.inf:
            instance.event = next(self._numbers)
            heapq.heappush(self._events, (now + after, instance.event, instance, step))


def _exit_reason(instance: Instance, faults: Faults) -> str | None:
    loops = instance.roll < faults.crash
    once = instance.crashes == 0 and instance.roll < faults.crash + faults.crash_once
    return EXITED.format(instance.kind) if loops or once else None
