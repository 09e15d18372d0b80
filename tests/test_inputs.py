"""The input of a bulk run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioappsapi import App, ConnectError, InvalidInputError, ReadTimeout, UnprocessableError
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.models import ApiError, Space
from tests.fakes import settle

REFUSED = UnprocessableError(
    "start a: no droplet",
    status=422,
    errors=(ApiError(code=10008, title="CF-UnprocessableEntity", detail="Assign a droplet."),),
)


async def handed_out(inputs: Inputs) -> list[str]:
    """Claim every app, as workers and `feed` do together."""
    got: list[str] = []

    def claim() -> None:
        while (index := inputs.claim()) is not None:
            got.append(inputs.keys[index])

    claim()
    await inputs.feed(claim)
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
async def test_every_kind_of_iterable_is_accepted(keys: object) -> None:
    assert await handed_out(Inputs(keys)) == ["a", "b"]  # type: ignore[arg-type]


@pytest.mark.parametrize("in_time", [False, True])
async def test_apps_and_guids_may_be_mixed(in_time: bool) -> None:
    items = [App(guid="a", name="web"), "b", App(guid="b", name="worker"), "a"]
    inputs = Inputs(coming(*items) if in_time else items)
    assert await handed_out(inputs) == ["a", "b"]
    assert inputs.names["a"] == "web"


@given(st.lists(st.text(max_size=2)))
def test_duplicates_are_dropped_and_the_order_is_kept(keys: list[str]) -> None:
    assert asyncio.run(handed_out(Inputs(keys))) == list(dict.fromkeys(keys))
    assert asyncio.run(handed_out(Inputs(coming(*keys)))) == list(dict.fromkeys(keys))


async def test_an_iterable_is_read_at_once() -> None:
    inputs = Inputs(generated())
    assert inputs.exhausted
    assert inputs.keys == ["a", "b"]


async def test_an_async_iterable_is_read_on_demand() -> None:
    inputs = Inputs(coming("a", "b"))
    assert (inputs.exhausted, inputs.keys) == (False, [])
    read: list[list[str]] = []
    feeding = asyncio.create_task(inputs.feed(lambda: read.append(list(inputs.keys))))
    await settle()
    assert not read, "nobody has claimed anything"
    assert inputs.claim() is None
    await settle()
    assert read == [["a"]], "one app ahead, and no more"
    assert inputs.claim() == 0
    assert inputs.claim() is None
    await settle()
    assert (inputs.claim(), inputs.claim()) == (1, None)
    await feeding
    assert inputs.exhausted


async def test_the_rest_is_read_without_being_claimed() -> None:
    inputs = Inputs(coming("a", "b", "c"))
    await inputs.read_all()
    assert inputs.claim() == 0
    assert inputs.left == 2
    assert inputs.keys == ["a", "b", "c"]
    assert inputs.exhausted


@pytest.mark.parametrize("keys", ["guid", b"guid", 7, None, [7], [None], [b"guid"], ["a", ["b"]]])
def test_an_input_that_is_not_a_list_of_guids_is_refused(keys: object) -> None:
    with pytest.raises(InvalidInputError):
        Inputs(keys)  # type: ignore[arg-type]


async def test_an_invalid_item_of_an_async_input_is_refused_when_it_comes() -> None:
    inputs = Inputs(coming("a", 7))
    with pytest.raises(InvalidInputError, match="7 is no GUID, App or Outcome"):
        await inputs.read_all()
    assert inputs.keys == ["a"]


def test_an_unverified_outcome_is_in_doubt_and_a_settled_one_is_not() -> None:
    inputs = Inputs(
        [
            Outcome(key="a", status=Status.UNVERIFIED, name="web"),
            Outcome(key="b", status=Status.FAILED),
        ]
    )
    assert (inputs.keys, inputs.in_doubt, inputs.names) == (["a", "b"], {"a"}, {"a": "web"})


def test_outcomes_and_apps_with_included_spaces_name_their_space() -> None:
    space = msgspec.convert({"guid": "s", "name": "prod"}, Space)
    app = msgspec.convert({"guid": "a", "name": "web"}, App)
    msgspec.structs.force_setattr(app, "included_space", space)
    earlier = Outcome(key="b", status=Status.FAILED, name="api", space="dev", organization="acme")
    inputs = Inputs([app, earlier, "c"])
    assert inputs.places == {"a": ("prod", None), "b": ("dev", "acme")}


@pytest.mark.parametrize(
    ("outcome", "in_doubt"),
    [
        (Outcome(key="a", status=Status.OK, attempts=1), False),
        (Outcome(key="a", status=Status.ALREADY), False),
        (Outcome(key="a", status=Status.NOT_ATTEMPTED), False),
        (Outcome(key="a", status=Status.UNVERIFIED), True),
        (Outcome(key="a", status=Status.TIMED_OUT, attempts=1), True),
        (Outcome(key="a", status=Status.CANCELLED, attempts=1), True),
        (Outcome(key="a", status=Status.FAILED, attempts=2, error=ReadTimeout("late")), True),
        (Outcome(key="a", status=Status.FAILED, attempts=1, error=REFUSED), False),
        (Outcome(key="a", status=Status.FAILED, error=ConnectError("nothing was sent")), False),
    ],
    ids=lambda value: getattr(value, "status", None),
)
def test_an_outcome_with_an_unanswered_request_is_in_doubt(
    outcome: Outcome[object], in_doubt: bool
) -> None:
    inputs = Inputs([outcome])
    assert (inputs.keys, inputs.in_doubt) == (["a"], {"a"} if in_doubt else set())


def test_outcomes_give_the_names_of_their_apps() -> None:
    assert Inputs([Outcome(key="a", status=Status.FAILED, name="web")]).names == {"a": "web"}
