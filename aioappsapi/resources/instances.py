"""How the instances of an app are, and whether that is what somebody waits for.

Only judgement, no I/O. The states are the server's: ``RUNNING``, ``STARTING``, ``CRASHED``,
``DOWN``, ``STOPPING``. Source: https://v3-apidocs.cloudfoundry.org/#get-stats-for-a-process
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal, get_args

import msgspec

from aioappsapi.errors import InvalidInputError
from aioappsapi.models.process import Process, ProcessInstance

# What is waited for after a start: nothing, an instance of each process, all of them, or that
# all of them also get requests.
Wait = Literal["none", "any", "all", "routable"]
WAITS: Final[tuple[str, ...]] = get_args(Wait)


def check_wait(wait: str) -> None:
    """Refuse what is no policy of waiting. Raises InvalidInputError."""
    if wait not in WAITS:
        raise InvalidInputError(f"wait={wait!r}: one of {', '.join(WAITS)}.")


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """How an app's instances are at one moment.

    `satisfied`: they are as one waits for. `gone`: the server knows no process of the app.
    `crashed` and `down`: instances that are, where that is what keeps it from being satisfied.
    `first_ago` and `all_ago`: for how many seconds a first one, and as many as were waited for,
    have been running; 0 where the server does not say.
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


def come_up(processes: Sequence[Process], wait: Wait) -> Condition:
    """Judge an app that was started. A process that wants no instance has nothing to wait for."""
    wanted = [process for process in processes if process.instances > 0]
    lacking = [process for process in wanted if not _enough(process, wait)]
    stuck = [one for process in lacking for one in _crashed(process, wait)]
    running = [_ages(process) for process in wanted if _ages(process)]
    return Condition(
        satisfied=bool(processes) and not lacking,
        gone=not processes,
        crashed=tuple(stuck),
        down=any(one.state == "DOWN" for process in lacking for one in instances_of(process))
        or any(not instances_of(process) for process in lacking),
        any_running=bool(running),
        first_ago=max((max(ages) for ages in running), default=0.0),
        all_ago=min((_satisfied_ago(ages, wait) for ages in running), default=0.0),
        states=_states(processes),
        text=describe(processes),
    )


def renewed(processes: Sequence[Process], within: float) -> list[Process]:
    """Show what has run, or been crashed, for more than so many seconds as what a restart makes it.

    It was there before, and is about to stop; so it proves nothing.
    """
    return [
        process
        if all(_is_new(one, within) for one in instances_of(process))
        else msgspec.structs.replace(
            process,
            process_instances=[
                one if _is_new(one, within) else msgspec.structs.replace(one, state="STOPPING")
                for one in instances_of(process)
            ],
        )
        for process in processes
    ]


def go_down(processes: Sequence[Process]) -> Condition:
    """Judge an app that was stopped: no instance may be left."""
    states = _states(processes)
    told = all(process.process_instances is not msgspec.UNSET for process in processes)
    return Condition(
        satisfied=bool(processes) and told and not set(states) - {"DOWN"},
        gone=not processes,
        states=states,
        text=describe(processes),
    )


def describe(processes: Sequence[Process]) -> str:
    """Say in a few words how an app's instances are, e.g. ``web: 1 RUNNING, 1 STARTING of 2``."""
    parts = []
    for process in processes:
        counted = Counter(one.state for one in instances_of(process))
        states = ", ".join(f"{count} {state}" for state, count in sorted(counted.items()))
        parts.append(f"{process.type}: {states or 'none'} of {process.instances}")
    return "; ".join(parts) or "no process"


def instances_of(process: Process) -> list[ProcessInstance]:
    """Give the embedded instances of a process; none where they are not known."""
    return process.process_instances or []


def _states(processes: Sequence[Process]) -> tuple[str, ...]:
    return tuple(one.state for process in processes for one in instances_of(process))


def _is_new(instance: ProcessInstance, within: float) -> bool:
    return instance.state not in {"RUNNING", "CRASHED"} or (instance.since or 0) <= within


def _enough(process: Process, wait: Wait) -> bool:
    running = sum(one.state == "RUNNING" for one in instances_of(process))
    return running >= (1 if wait == "any" else process.instances)


def _crashed(process: Process, wait: Wait) -> list[ProcessInstance]:
    """Give the crashed instances that stand in the way: where any one will do, only if all are."""
    crashed = [one for one in instances_of(process) if one.state == "CRASHED"]
    return crashed if wait != "any" or len(crashed) == len(instances_of(process)) else []


def _ages(process: Process) -> list[float]:
    return [float(one.since or 0) for one in instances_of(process) if one.state == "RUNNING"]


def _satisfied_ago(ages: list[float], wait: Wait) -> float:
    return max(ages) if wait == "any" else min(ages)
