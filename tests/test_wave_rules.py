"""The rules of waves: their apps and their order."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioappsapi import InvalidInputError, Waves
from aioappsapi.bulk.shares import is_enough, is_reached
from aioappsapi.bulk.windows.wave_rules import Member


def app(key: str, space: str | None = None, **fields: Any) -> Member:
    return Member(key=key, name=key, space=space, organization=space and "acme", **fields)


def labelled(**values: str | None) -> list[Member]:
    return [app(key, labels={} if value is None else {"o": value}) for key, value in values.items()]


def needing(**needs: str) -> list[Member]:
    return [app(key, "prod", annotations={"needs": value}) for key, value in needs.items()]


def keys(waves: Waves, members: list[Member], action: str = "start") -> list[list[str]]:
    return [keys for _, keys in waves.split(members, action)]


def names(waves: Waves, members: list[Member]) -> list[str]:
    return [name for name, _ in waves.split(members, "start")]


def test_numbers_sort_as_numbers_then_words_and_apps_without_a_value_come_last() -> None:
    members = labelled(a="10", b="2", c="last", d=None, e="1.5", f="-3", g="02", h="early")
    assert keys(Waves.by_label("o"), members) == [
        ["f"],
        ["e"],
        ["b", "g"],
        ["a"],
        ["h"],
        ["c"],
        ["d"],
    ]
    assert names(Waves.by_label("o"), members) == ["-3", "1.5", "2", "10", "early", "last", "no o"]


def test_a_minus_reverses_the_order_but_apps_without_a_value_stay_last() -> None:
    members = labelled(a="10", b="2", c=None)
    assert keys(Waves.by_label("-o"), members) == [["a"], ["b"], ["c"]]


def test_annotations_spaces_and_organizations_have_their_waves() -> None:
    members = [app("a", "prod"), app("b", "dev"), app("c"), app("d", "dev")]
    assert keys(Waves.by_space(), members) == [["b", "d"], ["a"], ["c"]]
    assert names(Waves.by_space(), members) == ["acme/dev", "acme/prod", "no space"]
    assert keys(Waves.by_organization(), members) == [["a", "b", "d"], ["c"]]
    noted = [app("a", annotations={"o": "2"}), app("b", annotations={"o": "1"})]
    assert keys(Waves.by_annotation("o"), noted) == [["b"], ["a"]]


def test_spaces_of_one_name_in_two_organizations_are_two_waves() -> None:
    here = Member(key="a", name="a", space="dev", organization="acme")
    there = Member(key="b", name="b", space="dev", organization="umbrella")
    assert keys(Waves.by_space(), [here, there]) == [["a"], ["b"]]


def test_apps_that_others_need_go_first_and_are_stopped_last() -> None:
    members = needing(web="db, cache", cache="db", db="", job="web", alone="")
    waves = Waves.by_needs("needs")
    assert keys(waves, members) == [["db", "alone"], ["cache"], ["web"], ["job"]]
    assert keys(waves, members, "stop") == [["job"], ["web"], ["cache"], ["db", "alone"]]


def test_a_needed_app_is_the_one_of_the_same_space_or_of_a_path() -> None:
    dev = [
        app("db", "dev"),
        Member(
            key="web", name="web", space="dev", organization="acme", annotations={"needs": "db"}
        ),
    ]
    prod = Member(key="db-prod", name="db", space="prod", organization="acme")
    far = app("far", "ops", annotations={"needs": "acme/prod/db, elsewhere"})
    assert keys(Waves.by_needs("needs"), [*dev, prod, far]) == [["db", "db-prod"], ["web", "far"]]
    with pytest.raises(InvalidInputError, match=r"acme/dev/db, acme/prod/db.*org/space/app"):
        keys(Waves.by_needs("needs"), [*dev, prod, app("x", "ops", annotations={"needs": "db"})])


def test_a_circle_of_needs_is_shown() -> None:
    members = needing(a="b", b="c", c="a", d="")
    with pytest.raises(InvalidInputError) as caught:
        keys(Waves.by_needs("needs"), members)
    circle = str(caught.value).split("circle: ")[1].split(". Nothing")[0].split(" needs ")
    assert circle[0] == circle[-1]
    assert len(circle) == 4
    needs = {"a": "b", "b": "c", "c": "a"}
    short = [path.removeprefix("acme/prod/") for path in circle]
    assert all(needs[one] == other for one, other in pairwise(short))


def test_a_ramp_grows_and_a_canary_is_small() -> None:
    members = [app(f"{n}") for n in range(10)]
    assert [len(one) for one in keys(Waves.ramp(), members)] == [1, 2, 4, 3]
    assert [len(one) for one in keys(Waves.ramp(3, 1.5), members)] == [3, 4, 3]
    assert [len(one) for one in keys(Waves.ramp(2, 1), members)] == [2] * 5
    assert [len(one) for one in keys(Waves.canary(3), members)] == [3, 7]
    assert [len(one) for one in keys(Waves.canary("15%"), members)] == [2, 8]
    assert [len(one) for one in keys(Waves.canary(0.01), members)] == [1, 9]
    assert [len(one) for one in keys(Waves.canary(20), members)] == [10]


def test_shares_are_exact() -> None:
    """In floats 7 % of 100 are a little more than 7, and 55 % of 20 a little more than 11."""
    members = [app(f"{n}") for n in range(100)]
    assert len(keys(Waves.canary("7%"), members)[0]) == 7
    assert is_reached(0.55, 11, 20)
    assert not is_reached(0.55, 10, 20)
    assert is_enough(11, 20, 0.55)
    assert not is_enough(10, 20, 0.55)


def test_lists_leave_the_rest_for_the_end() -> None:
    members = [app(key) for key in "abcd"]
    assert keys(Waves([["c"], ["x", "a"]]), members) == [["c"], ["a"], ["b", "d"]]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Waves([["a"], ["a"]]),
        lambda: Waves.by_label(""),
        lambda: Waves.by_label("-"),
        lambda: Waves.ramp(0),
        lambda: Waves.ramp(1, 0.5),
        lambda: Waves.canary(0),
        lambda: Waves.canary("120%"),
        lambda: Waves.canary("few"),
        lambda: Waves.canary(1, proceed_at=1.5),
        lambda: Waves.canary(1, pause=-1),
        lambda: Waves.canary(1, max_failures=0),
    ],
)
def test_waves_that_no_run_can_have_are_refused(make: Any) -> None:
    with pytest.raises(InvalidInputError):
        make()


def test_an_unknown_option_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="no option 'pauze'"):
        Waves.canary(1, pauze=3)  # type: ignore[call-arg]


ALL = [
    Waves([["0"], ["5", "3"]]),
    Waves.by_label("o"),
    Waves.by_label("-o"),
    Waves.by_annotation("o"),
    Waves.by_space(),
    Waves.by_organization(),
    Waves.by_needs("absent"),
    Waves.ramp(),
    Waves.canary("5%"),
]
VALUES = st.one_of(st.none(), st.integers(-3, 12).map(str), st.sampled_from(["a", "B", "1.0"]))


@given(st.sampled_from(ALL), st.lists(st.tuples(VALUES, st.sampled_from("xyz")), max_size=20))
def test_each_app_is_in_exactly_one_wave(
    waves: Waves, fields: list[tuple[str | None, str]]
) -> None:
    members = [
        app(f"{n}", space, labels={"o": value}, annotations={"o": value})
        for n, (value, space) in enumerate(fields)
    ]
    split = keys(waves, members)
    assert sorted(key for one in split for key in one) == sorted(one.key for one in members)


@pytest.mark.parametrize("waves", ALL, ids=str)
def test_waves_can_be_sent_to_another_process(waves: Waves) -> None:
    again = pickle.loads(pickle.dumps(waves))
    assert (again.rule, again.proceed_at) == (waves.rule, waves.proceed_at)
