"""Reads of apps shortly before their turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from aioappsapi import AppsApiError, AuthError, ServerError, TargetError
from aioappsapi._http.call_log import CallLog, current_call_log
from aioappsapi.bulk.actions.prefetch import Prefetcher
from aioappsapi.bulk.run.inputs import Inputs
from tests.fakes import settle


class Reader:
    """Reads any key as itself, and keeps what it was asked for."""

    def __init__(self, *failures: AppsApiError) -> None:
        self.asked: list[list[str]] = []
        self.failures = list(failures)
        self.gate = asyncio.Event()
        self.gate.set()
        self.records: set[int] = set()

    async def __call__(self, keys: Sequence[str]) -> dict[str, str]:
        self.asked.append(list(keys))
        self.records.add(id(current_call_log.get()))
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        return {key: key.upper() for key in keys if not key.startswith("gone")}


def keys(count: int) -> list[str]:
    return [f"app-{number}" for number in range(count)]


def ahead(reader: Reader, names: list[str]) -> Prefetcher[str]:
    return Prefetcher(Inputs(names), reader, CallLog())


async def test_one_request_reads_two_hundred_apps() -> None:
    reader, names = Reader(), keys(450)
    known = ahead(reader, names)
    assert [await known.get(n) for n in range(450)] == [name.upper() for name in names]
    assert [len(one) for one in reader.asked] == [200, 200, 50]
    assert [one for batch in reader.asked for one in batch] == names


async def test_the_next_batch_is_read_while_this_batch_is_in_use() -> None:
    reader = Reader()
    known = ahead(reader, keys(400))
    for number in range(100):
        await known.get(number)
    assert len(reader.asked) == 1
    reader.gate.clear()
    early = asyncio.create_task(known.get(101))
    await settle()
    assert len(reader.asked) == 2
    # Nobody else waits for that.
    assert await known.get(102) == "APP-102"
    reader.gate.set()
    assert await early == "APP-101"


async def test_workers_that_come_together_share_a_request() -> None:
    reader = Reader()
    known = ahead(reader, keys(100))
    found = await asyncio.gather(*(known.get(n) for n in range(100)))
    assert found[99] == "APP-99"
    assert len(reader.asked) == 1


async def test_an_app_that_the_server_does_not_know_is_none() -> None:
    known = ahead(Reader(), ["a", "gone-1"])
    assert [await known.get(0), await known.get(1)] == ["A", None]


@pytest.mark.parametrize("odd", ["", "a,b", "../x", "x" * 65, "a b"])
async def test_an_invalid_guid_does_not_spoil_its_batch(odd: str) -> None:
    reader = Reader()
    known = ahead(reader, [odd, "b"])
    assert [await known.get(0), await known.get(1)] == [None, "B"]
    assert reader.asked == [["b"]]
    nothing = Reader()
    assert await ahead(nothing, [odd]).get(0) is None
    assert nothing.asked == []


async def test_a_batch_that_cannot_be_read_stays_unknown() -> None:
    failures = (ServerError("500", status=500), AuthError("the UAA is away", refused=False))
    for failure in failures:
        reader = Reader(failure)
        known = ahead(reader, keys(300))
        assert [await known.get(0), await known.get(1), await known.get(250)] == [
            None,
            None,
            "APP-250",
        ]


@pytest.mark.parametrize("failure", [AuthError("refused"), TargetError("no API")], ids=repr)
async def test_a_read_without_login_or_server_raises(failure: AppsApiError) -> None:
    known = ahead(Reader(failure), ["a"])
    with pytest.raises(type(failure)):
        await known.get(0)


async def test_batches_that_no_worker_needs_are_not_read() -> None:
    reader = Reader()
    known = ahead(reader, keys(5_000))
    assert await known.get(4_000) == "APP-4000"
    assert reader.asked[0][0] == "app-4000", "a run that is resumed, or has just become curious"
    assert len(reader.asked) == 1
    assert await known.get(3_999) is None


async def test_an_async_input_is_read_in_batches_without_repetition() -> None:
    async def coming() -> AsyncIterator[str]:
        for name in keys(30):
            yield name

    reader = Reader()
    inputs = Inputs(coming())
    known: Prefetcher[str] = Prefetcher(inputs, reader, CallLog())

    await inputs.read_all()

    async def work() -> list[str | None]:
        found = []
        while (index := inputs.claim()) is not None:
            found.append(await known.get(index))
        return found

    found = [one for part in await asyncio.gather(*(work() for _ in range(10))) for one in part]
    assert sorted(map(str, found)) == sorted(name.upper() for name in keys(30))
    assert [name for batch in reader.asked for name in batch] == keys(30)


async def test_reads_are_counted_for_the_run_and_not_for_an_app() -> None:
    reader, mine = Reader(), CallLog()
    known = Prefetcher(Inputs(["a"]), reader, mine)
    own = CallLog()
    token = current_call_log.set(own)
    try:
        await known.get(0)
        assert current_call_log.get() is own
    finally:
        current_call_log.reset(token)
    assert reader.records == {id(mine)}


async def test_a_cancelled_read_is_repeated_by_the_next_reader() -> None:
    reader = Reader()
    reader.gate.clear()
    known = ahead(reader, ["a"])
    first = asyncio.create_task(known.get(0))
    await settle()
    first.cancel()
    await settle()
    reader.gate.set()
    assert await known.get(0) == "A"
