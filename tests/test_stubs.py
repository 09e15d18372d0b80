"""Users may stub calls with aioresponses, which replaces aiohttp's session."""

from __future__ import annotations

import re
from collections.abc import Iterator

import aiohttp
import pytest
from aioresponses import aioresponses

from aioappsapi import (
    AppsApiError,
    Client,
    ConnectError,
    DisconnectedError,
    NotFoundError,
    ReadTimeout,
    RetryPolicy,
    StaticToken,
    Status,
)
from aioappsapi.errors import DecodeError, TransportError
from tests.replay import app_json

API = "https://api.example.org"
GUIDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(20)]
ANY_START = re.compile(rf"{re.escape(API)}/v3/apps/[^/]+/actions/start")


@pytest.fixture
def stub() -> Iterator[aioresponses]:
    with aioresponses() as server:
        yield server


def client(attempts: int = 1) -> Client:
    retry = RetryPolicy(attempts=attempts, base=0.0)
    return Client(API, auth=StaticToken("token"), retry=retry, proxy="")


def address(guid: str, action: str = "") -> str:
    return f"{API}/v3/apps/{guid}" + (f"/actions/{action}" if action else "")


def _connection_key() -> aiohttp.client_reqrep.ConnectionKey:
    return aiohttp.client_reqrep.ConnectionKey("api.example.org", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("raised", "error", "may_have_happened"),
    [
        (aiohttp.ServerDisconnectedError(), DisconnectedError, True),
        (aiohttp.ClientOSError(104, "reset"), DisconnectedError, True),
        (aiohttp.SocketTimeoutError(), ReadTimeout, True),
        (aiohttp.ServerTimeoutError(), ReadTimeout, True),
        (aiohttp.ClientPayloadError("cut off"), DisconnectedError, True),
        (aiohttp.ConnectionTimeoutError(), ConnectError, False),
        (
            aiohttp.ClientConnectorError(_connection_key(), OSError(111, "refused")),
            ConnectError,
            False,
        ),
        (
            aiohttp.ClientConnectorDNSError(_connection_key(), OSError(-2, "unknown host")),
            ConnectError,
            False,
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_an_injected_exception_of_aiohttp_becomes_an_error_of_this_library(
    stub: aioresponses, raised: Exception, error: type[TransportError], may_have_happened: bool
) -> None:
    stub.get(address(GUIDS[0]), exception=raised)
    async with client() as cf:
        with pytest.raises(error) as caught:
            await cf.apps.get(GUIDS[0])
    assert isinstance(caught.value, AppsApiError)
    assert caught.value.delivered is may_have_happened
    assert GUIDS[0] in str(caught.value)


async def test_a_single_call_can_be_stubbed(stub: aioresponses) -> None:
    stub.get(address(GUIDS[0]), payload=app_json(GUIDS[0], state="STOPPED"))
    stub.get(address(GUIDS[1]), status=404, payload={"errors": []})
    async with client() as cf:
        assert (await cf.apps.get(GUIDS[0])).state == "STOPPED"
        with pytest.raises(NotFoundError):
            await cf.apps.get(GUIDS[1])


async def test_an_injected_exception_is_retried_like_a_real_one(stub: aioresponses) -> None:
    stub.get(address(GUIDS[0]), exception=aiohttp.ServerDisconnectedError(), repeat=2)
    stub.get(address(GUIDS[0]), payload=app_json(GUIDS[0]))
    async with client(attempts=3) as cf:
        assert (await cf.apps.get(GUIDS[0])).guid == GUIDS[0]


async def test_a_lost_restart_is_not_sent_again(stub: aioresponses) -> None:
    stub.post(address(GUIDS[0], "restart"), exception=aiohttp.ServerDisconnectedError())
    stub.post(address(GUIDS[0], "restart"), payload=app_json(GUIDS[0]))
    async with client(attempts=3) as cf:
        with pytest.raises(DisconnectedError):
            await cf.apps.restart(GUIDS[0])
    [requests] = stub.requests.values()
    assert len(requests) == 1


async def test_a_stub_without_json_is_an_error_of_this_library(stub: aioresponses) -> None:
    stub.get(address(GUIDS[0]), body=b"<html>")
    async with client() as cf:
        with pytest.raises(DecodeError):
            await cf.apps.get(GUIDS[0])


async def test_a_bulk_run_can_be_stubbed(stub: aioresponses) -> None:
    listed = {
        "pagination": {"total_results": len(GUIDS), "total_pages": 1, "next": None},
        "resources": [app_json(guid, state="STOPPED") for guid in GUIDS],
    }
    stub.get(re.compile(rf"{re.escape(API)}/v3/apps\?.*"), payload=listed, repeat=True)
    for guid in GUIDS[:-2]:
        stub.post(address(guid, "start"), payload=app_json(guid))
    error = {"code": 10008, "title": "CF-UnprocessableEntity", "detail": "Assign a droplet."}
    stub.post(address(GUIDS[-2], "start"), status=422, payload={"errors": [error]})
    refused = aiohttp.ClientConnectorError(_connection_key(), OSError(111, "refused"))
    stub.post(address(GUIDS[-1], "start"), exception=refused, repeat=True)
    async with client() as cf:
        report = await cf.bulk.start(GUIDS)
    assert [outcome.status for outcome in report] == [Status.OK] * 18 + [Status.FAILED] * 2
    assert report.failed[0].error is not None
    assert "Assign a droplet" in str(report.failed[0].error)
    assert isinstance(report.failed[1].error, ConnectError)


async def test_a_bulk_run_retries_stubbed_failures(stub: aioresponses) -> None:
    for guid in GUIDS[:3]:
        stub.post(address(guid, "start"), status=503, payload={"errors": []})
        stub.post(address(guid, "start"), payload=app_json(guid))
    async with client(attempts=3) as cf:
        report = await cf.bulk.start(GUIDS[:3], skip_unchanged=False)
    assert {outcome.attempts for outcome in report} == {2}
    assert report.requests.sent == 6
