"""Judge whether the instances of an app are in the requested state. Pure, no I/O.

The states are the server's: ``RUNNING``, ``STARTING``, ``CRASHED``, ``DOWN``, ``STOPPING``.
Source: https://v3-apidocs.cloudfoundry.org/#get-stats-for-a-process
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal, get_args

import msgspec

from aioappsapi.errors import InvalidInputError
from aioappsapi.models.process import Process, ProcessInstance

# The policies of waiting after a start: nothing, one instance of each process, all instances, or
# all instances with requests from the router.
Wait = Literal["none", "any", "all", "routable"]
WAITS: Final[tuple[str, ...]] = get_args(Wait)


def check_wait(wait: str) -> None:
    """Check that `wait` is a known policy. Raises InvalidInputError."""
    if wait not in WAITS:
        raise InvalidInputError(f"wait={wait!r}: one of {', '.join(WAITS)}.")


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an app's instances at one moment.

    `satisfied`: they are in the requested state. `gone`: the server knows no process of the app.
    `crashed` and `down`: crashed instances, and whether some have no cell, if that prevents the
    requested state. `first_ago` and `all_ago`: the seconds for which the first instance, and the
    required number of them, have been running; 0 if the server does not say.
    """

    satisfied: bool
    gone: bool = False
    crashed: tuple[ProcessInstance, ...] = ()
    down: bool = False
    any_running: bool = False
    first_ago: float = 0.0
    all_ago: float = 0.0
    states: tuple[str, ...] = ()
    text: str = ""


def assess_started(processes: Sequence[Process], wait: Wait) -> Assessment:
    """Judge an app that was started. A process with 0 instances is always satisfied."""
    wanted = [process for process in processes if process.instances != 0]
    lacking = [process for process in wanted if not _enough(process, wait)]
    stuck = [one for process in lacking for one in _crashed(process, wait)]
    running = [_ages(process) for process in wanted if _ages(process)]
    return Assessment(
        satisfied=bool(processes) and not lacking,
        gone=not processes,
        crashed=tuple(stuck),
        # Without a cell the server lists an instance as DOWN, or not at all. Crashed ones have
        # their own reason, so an app can be both.
        down=any(one.state == "DOWN" for process in lacking for one in instances_of(process))
        or any(not instances_of(process) for process in lacking),
        any_running=bool(running),
        first_ago=max((max(ages) for ages in running), default=0.0),
        all_ago=min((_satisfied_ago(ages, wait) for ages in running), default=0.0),
        states=_states(processes),
        text=describe(processes),
    )


def assess_stopped(processes: Sequence[Process]) -> Assessment:
    """Judge an app that was stopped: no instance may be left."""
    # Instances that the answer lacks are unknown. Counted as absent, they would prove a stop.
    states = _states(processes)
    known = all(process.process_instances is not msgspec.UNSET for process in processes)
    return Assessment(
        # DOWN has no container, so nothing of the app runs there.
        satisfied=bool(processes) and known and not set(states) - {"DOWN"},
        gone=not processes,
        states=states,
        text=describe(processes),
    )


def ignore_old_instances(processes: Sequence[Process], max_age: float) -> list[Process]:
    """Return the processes with instances older than `max_age` seconds shown as ``STOPPING``.

    A restart makes new instances. An instance that ran or crashed before the restart was sent will
    stop, so it proves nothing.
    """
    return [_without_old(process, max_age) for process in processes]


def _without_old(process: Process, max_age: float) -> Process:
    instances = instances_of(process)
    if all(_is_new(one, max_age) for one in instances):
        return process
    shown = [
        one if _is_new(one, max_age) else msgspec.structs.replace(one, state="STOPPING")
        for one in instances
    ]
    return msgspec.structs.replace(process, process_instances=shown)


def describe(processes: Sequence[Process]) -> str:
    """Describe an app's instances in a few words: ``web: 1 RUNNING, 1 STARTING of 2``."""
    parts = []
    for process in processes:
        counted = Counter(one.state for one in instances_of(process))
        states = ", ".join(f"{count} {state}" for state, count in sorted(counted.items()))
        wanted = "an unknown number" if process.instances is None else process.instances
        parts.append(f"{process.type}: {states or 'none'} of {wanted}")
    return "; ".join(parts) or "no process"


def instances_of(process: Process) -> list[ProcessInstance]:
    """Return the embedded instances of a process; empty if they are unknown."""
    return process.process_instances or []


def _states(processes: Sequence[Process]) -> tuple[str, ...]:
    return tuple(one.state for process in processes for one in instances_of(process))


def _is_new(instance: ProcessInstance, max_age: float) -> bool:
    # Only RUNNING and CRASHED could count as a result of the restart.
    return instance.state not in {"RUNNING", "CRASHED"} or (instance.since or 0) <= max_age


def _enough(process: Process, wait: Wait) -> bool:
    if process.instances is None or process.instances < 0:
        return False  # the requested number is unknown, so nothing is proved
    # By index: a server that lists an instance twice has not started two.
    running = len({one.index for one in instances_of(process) if one.state == "RUNNING"})
    return running >= (1 if wait == "any" else process.instances)


def _crashed(process: Process, wait: Wait) -> list[ProcessInstance]:
    """Return the crashed instances that prevent the proof: for ``any`` only if all crashed."""
    # One running instance is enough for ``any``, and each instance that has not crashed may run
    # soon.
    crashed = [one for one in instances_of(process) if one.state == "CRASHED"]
    return crashed if wait != "any" or len(crashed) == len(instances_of(process)) else []


def _ages(process: Process) -> list[float]:
    return [float(one.since or 0) for one in instances_of(process) if one.state == "RUNNING"]


def _satisfied_ago(ages: list[float], wait: Wait) -> float:
    return max(ages) if wait == "any" else min(ages)
