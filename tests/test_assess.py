"""The judgement of instances by pure functions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from aioappsapi import InvalidInputError
from aioappsapi.models.process import Process, ProcessInstance
from aioappsapi.waiting.assess import (
    assess_started,
    assess_stopped,
    check_wait,
    describe,
    ignore_old_instances,
)

R, S, C, D, T = "RUNNING", "STARTING", "CRASHED", "DOWN", "STOPPING"


def process(*states: str, wanted: int | None = None, kind: str = "web", since: int = 0) -> Process:
    instances = [
        ProcessInstance(index=index, state=state, since=since) for index, state in enumerate(states)
    ]
    count = len(states) if wanted is None else wanted
    return Process(guid="p", type=kind, instances=count, process_instances=instances)


def unknown(wanted: int = 1) -> Process:
    return Process(guid="p", type="web", instances=wanted, process_instances=msgspec.UNSET)


WORKER = process(R, kind="worker")


@pytest.mark.parametrize(
    ("processes", "any_", "all_"),
    [
        ([process(R)], True, True),
        ([process(S)], False, False),
        ([process(R, S)], True, False),
        ([process(R, R)], True, True),
        ([process(R, C)], True, False),
        ([process(C, C)], False, False),
        ([process(R, wanted=2)], True, False),
        ([process(wanted=1)], False, False),
        ([process(R), process(S, kind="worker")], False, False),
        ([process(R, S), WORKER], True, False),
        ([process(R, R, R, wanted=2)], True, True),
        ([process(wanted=0), WORKER], True, True),
        ([process(wanted=0)], True, True),
        ([process(D, wanted=0)], True, True),
        ([unknown()], False, False),
        ([unknown(0)], True, True),
        ([], False, False),
        # A rolling deployment: the old web process still has what the new one lacks.
        ([process(R), process(S)], False, False),
        ([process(R), process(R, R)], True, True),
    ],
)
def test_any_needs_one_instance_of_each_process_and_all_needs_their_number(
    processes: list[Process], any_: bool, all_: bool
) -> None:
    assert assess_started(processes, "any").satisfied is any_
    assert assess_started(processes, "all").satisfied is all_
    assert assess_started(processes, "routable").satisfied is all_


@pytest.mark.parametrize(
    ("processes", "any_", "all_"),
    [
        ([process(R)], 0, 0),
        ([process(C)], 1, 1),
        ([process(C, S)], 0, 1),
        ([process(C, C)], 2, 2),
        ([process(R, C)], 0, 1),
        ([process(S), process(C, kind="worker")], 1, 1),
        ([process(C, wanted=0)], 0, 0),
    ],
)
def test_a_crash_counts_only_if_it_prevents_the_proof(
    processes: list[Process], any_: int, all_: int
) -> None:
    assert len(assess_started(processes, "any").crashed) == any_
    assert len(assess_started(processes, "all").crashed) == all_


@pytest.mark.parametrize(
    ("processes", "down"),
    [
        ([process(D)], True),
        ([process(R, D)], True),
        ([process(wanted=2)], True),
        ([process(S)], False),
        ([process(C)], False),
        ([process(R)], False),
        ([process(wanted=0)], False),
        ([], False),
    ],
)
def test_an_app_is_down_while_an_instance_has_no_cell(processes: list[Process], down: bool) -> None:
    assert assess_started(processes, "all").down is down


@pytest.mark.parametrize(
    ("processes", "gone"),
    [
        ([process(D, D)], True),
        ([process(wanted=2)], True),
        ([process(wanted=0)], True),
        ([process(T)], False),
        ([process(R, D)], False),
        ([process(C)], False),
        ([process(D), process(T, kind="worker")], False),
        ([unknown()], False),
        ([process(D), unknown()], False),
        ([], False),
    ],
)
def test_a_stopped_app_has_no_instance_left(processes: list[Process], gone: bool) -> None:
    assert assess_stopped(processes).satisfied is gone


@pytest.mark.parametrize("wait", ["any", "all", "routable"])
def test_an_instance_that_is_listed_twice_counts_once(wait: Any) -> None:
    twice = [ProcessInstance(index=0, state=R), ProcessInstance(index=0, state=R)]
    two = Process(guid="p", type="web", instances=2, process_instances=twice)
    assert assess_started([two], wait).satisfied is (wait == "any")
    one = Process(guid="p", type="web", instances=1, process_instances=twice)
    assert assess_started([one], wait).satisfied


@pytest.mark.parametrize("wait", ["any", "all", "routable"])
@pytest.mark.parametrize("instances", [None, -1])
def test_a_process_without_a_number_of_instances_proves_nothing(
    instances: int | None, wait: Any
) -> None:
    for states in ((), (R,), (R, R)):
        found = [ProcessInstance(index=index, state=state) for index, state in enumerate(states)]
        odd = Process(guid="p", type="web", instances=instances, process_instances=found)
        assert not assess_started([odd], wait).satisfied
        assert not assess_started([process(R), odd], wait).satisfied


def test_instances_older_than_the_restart_are_shown_as_stopping() -> None:
    old, new = process(R, C, S, D, since=10), process(R, C, since=3)
    shown = ignore_old_instances([old, new], 5)
    assert [[one.state for one in one.process_instances or []] for one in shown] == [
        [T, T, S, D],
        [R, C],
    ]
    assert assess_started(shown[:1], "any").crashed == ()


def test_an_app_without_processes_is_gone() -> None:
    assert assess_started([], "all").gone
    assert assess_stopped([]).gone
    assert not assess_started([process(wanted=0)], "all").gone


def aged(*ages: int, kind: str = "web") -> Process:
    instances = [ProcessInstance(index=index, state=R, since=age) for index, age in enumerate(ages)]
    return Process(guid="p", type=kind, instances=len(ages), process_instances=instances)


@pytest.mark.parametrize(
    ("processes", "wait", "first", "whole"),
    [
        ([aged(7, 3)], "all", 7, 3),
        ([aged(7, 3)], "any", 7, 7),
        ([aged(7, 3), aged(5, kind="worker")], "any", 7, 5),
        ([aged(7, 3), aged(2, kind="worker")], "all", 7, 2),
        ([process(S)], "all", 0, 0),
        ([], "all", 0, 0),
    ],
)
def test_ages_show_when_the_first_and_when_enough_instances_ran(
    processes: list[Process], wait: Any, first: float, whole: float
) -> None:
    condition = assess_started(processes, wait)
    assert (condition.first_ago, condition.all_ago) == (first, whole)


def test_instances_are_described_by_process_and_state() -> None:
    said = describe([process(R, S, S), process(wanted=1, kind="worker")])
    assert said == "web: 1 RUNNING, 2 STARTING of 3; worker: none of 1"
    assert describe([]) == "no process"


def test_an_unknown_policy_is_refused() -> None:
    for wait in ("none", "any", "all", "routable"):
        check_wait(wait)
    with pytest.raises(InvalidInputError, match="none, any, all, routable"):
        check_wait("some")
