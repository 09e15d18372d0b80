"""What a bulk run may be given, and what it makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioappsapi import App, InvalidInputError
from aioappsapi.bulk.run.inputs import Inputs


async def handed_out(inputs: Inputs) -> list[str]:
    got: list[str] = []
    while (index := await inputs.next()) is not None:
        got.append(inputs.keys[index])
    return got


async def coming(*items: object) -> AsyncIterator[str]:
    for item in items:
        await asyncio.sleep(0)
        yield item  # type: ignore[misc]


def generated() -> Iterator[str]:
    yield from ("a", "b", "a")


@pytest.mark.parametrize(
    "keys",
    [["a", "b", "a"], ("a", "b"), {"a": 1, "b": 2}, generated(), iter("ab"), coming("a", "b", "a")],
    ids=lambda keys: type(keys).__name__,
)
async def test_anything_that_gives_guids(keys: object) -> None:
    assert await handed_out(Inputs(keys)) == ["a", "b"]  # type: ignore[arg-type]


@pytest.mark.parametrize("in_time", [False, True])
async def test_apps_and_guids_may_be_mixed(in_time: bool) -> None:
    items = [App(guid="a", name="web"), "b", App(guid="b", name="worker"), "a"]
    inputs = Inputs(coming(*items) if in_time else items)
    assert await handed_out(inputs) == ["a", "b"]
    assert inputs.names["a"] == "web"


@given(st.lists(st.text(max_size=2)))
def test_each_once_in_the_order_of_the_first(keys: list[str]) -> None:
    assert asyncio.run(handed_out(Inputs(keys))) == list(dict.fromkeys(keys))
    assert asyncio.run(handed_out(Inputs(coming(*keys)))) == list(dict.fromkeys(keys))


async def test_iterable_is_known_at_once() -> None:
    inputs = Inputs(generated())
    assert inputs.exhausted
    assert inputs.keys == ["a", "b"]


async def test_async_iterable_is_read_as_it_is_needed() -> None:
    inputs = Inputs(coming("a", "b"))
    assert (inputs.exhausted, inputs.keys) == (False, [])
    await inputs.next()
    assert (inputs.exhausted, inputs.keys) == (False, ["a"])
    await handed_out(inputs)
    assert inputs.exhausted


async def test_many_readers_of_one_async_input_never_share_an_app() -> None:
    inputs = Inputs(coming(*(str(n) for n in range(100))))
    parts = await asyncio.gather(*(handed_out(inputs) for _ in range(7)))
    assert sorted(int(key) for part in parts for key in part) == list(range(100))


async def test_rest_is_read_without_being_handed_out() -> None:
    inputs = Inputs(coming("a", "b", "c"))
    assert await inputs.next() == 0
    await inputs.read_rest()
    assert inputs.keys == ["a", "b", "c"]
    assert inputs.exhausted


@pytest.mark.parametrize("keys", ["guid", b"guid", 7, None, [7], [None], [b"guid"], ["a", ["b"]]])
def test_what_is_no_list_of_guids_is_refused(keys: object) -> None:
    with pytest.raises(InvalidInputError):
        Inputs(keys)  # type: ignore[arg-type]


async def test_async_input_of_something_else_is_refused_when_it_comes() -> None:
    inputs = Inputs(coming("a", 7))
    assert await inputs.next() == 0
    with pytest.raises(InvalidInputError, match="7 is neither"):
        await inputs.next()
