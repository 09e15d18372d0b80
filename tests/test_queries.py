"""The queries of lists, without requests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi import InvalidInputError
from aioappsapi.api.apps import LIST
from aioappsapi.api.queries import joined, list_queries


def test_none_leaves_a_filter_out() -> None:
    assert list_queries({"guids": None}, lists={"types": None}, order_by=None) == [{}]


def test_an_empty_list_selects_nothing() -> None:
    assert list_queries({"guids": []}) == []
    assert list_queries(lists={"stacks": []}) == []


def test_an_empty_stack_selects_apps_without_one() -> None:
    assert list_queries(lists={"stacks": [""]}) == [{"stacks": ""}]
    assert list_queries(lists={"stacks": ["", "cflinuxfs4"]}) == [{"stacks": ",cflinuxfs4"}]


@pytest.mark.parametrize("wrong", ["web", ["a,b"], [""], [None], ["a", 7]])
def test_a_list_that_cannot_be_sent_is_refused(wrong: Any) -> None:
    for make in (
        lambda: list_queries({"types": wrong}),
        lambda: list_queries(lists={"types": wrong}),
        lambda: list_queries({"types": wrong}, validate=False),
        lambda: joined("types", wrong),
    ):
        with pytest.raises(InvalidInputError, match="types"):
            make()


@pytest.mark.parametrize("per_page", [0, -1, 5_001, True])
def test_a_page_size_out_of_bounds_is_sent_only_without_validation(per_page: int) -> None:
    with pytest.raises(InvalidInputError, match="per_page"):
        list_queries(per_page=per_page)
    assert list_queries(per_page=per_page, validate=False) == [{"per_page": str(per_page)}]


def test_long_lists_are_split_and_other_parameters_are_sent_with_each_part() -> None:
    guids = [f"{n:036}" for n in range(201)]
    queries = list_queries({"guids": guids}, lists={"types": ["web"]}, per_page=7)
    assert [len(query["guids"].split(",")) for query in queries] == [200, 1]
    assert {(query["types"], query["per_page"]) for query in queries} == {("web", "7")}


def test_an_empty_include_is_not_sent() -> None:
    assert joined("include", None) is None
    assert joined("include", []) is None
    assert joined("include", ["space", "org"]) == "space,org"


texts = st.text(
    st.characters(exclude_characters=",", exclude_categories=["Cs"]), min_size=1, max_size=60
)
lists = st.lists(texts, max_size=30).flatmap(
    lambda some: st.integers(1, 20).map(lambda n: [f"{one}{i}" for one in some for i in range(n)])
)


@settings(deadline=None)
@given(guids=lists, names=st.none() | lists)
def test_lists_of_any_length_are_requested_completely_in_short_addresses(
    guids: list[str], names: list[str] | None
) -> None:
    long = {"guids": guids, "names": names}
    asked = set()
    for query in list_queries(dict(long), per_page=5000):
        path = LIST.build(query=query).path
        assert len(path) < 8_192
        some = [query[name].split(",") for name, values in long.items() if values is not None]
        assert all(len(values) <= 200 for values in some)
        asked |= {(guid, name) for guid in some[0] for name in (some[1] if names else [""])}
    assert asked == {(guid, name) for guid in guids for name in ([""] if names is None else names)}
