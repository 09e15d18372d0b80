"""Raw answers and free requests, for endpoints without typed calls."""

from __future__ import annotations

import logging

import pytest

from aioappsapi import Client, InvalidInputError, NotFoundError
from aioappsapi.models import Organization, Page
from tests.replay import AT_ONCE, Answer, Seen, Server, app_json, refusal, reply

LIMITS = {"X_RateLimit_Limit": "20", "X_RateLimit_Remaining": "18", "X_RateLimit_Reset": "99"}


async def server_of_everything(seen: Seen) -> Answer:
    if seen.path == "/v3/nothing":
        return refusal(404, "CF-NotFound", 10000)
    if seen.path == "/v3/organizations":
        return reply({"pagination": {}, "resources": [{"guid": "o", "name": "acme"}]})
    warnings = {"X_Cf_Warnings": "old%20stack,use+another"}
    return reply(app_json("app-1"), X_Vcap_Request_Id="id-1", **warnings, **LIMITS)


async def test_the_raw_answer_of_a_call_can_be_kept(caplog: pytest.LogCaptureFixture) -> None:
    async with Server(server_of_everything) as server, server.client() as client:
        with client.capture() as outer:
            with client.capture() as exchanges, caplog.at_level(logging.WARNING):
                await client.apps.get("app-1")
            await client.apps.get("app-1")
        await client.apps.get("app-1")
    assert (len(exchanges.responses), len(outer.responses)) == (1, 2)
    last = exchanges.last
    assert last.request_id == "id-1"
    assert last.warnings == ("old stack", "use another") == tuple(exchanges.warnings)
    assert last.rate_limit is not None
    assert (last.rate_limit.limit, last.rate_limit.remaining) == (20, 18)
    assert "use another" in caplog.text


async def test_an_empty_capture_raises_a_lookup_error() -> None:
    with Client.capture() as exchanges, pytest.raises(LookupError):
        _ = exchanges.last


async def test_request_reaches_an_endpoint_without_a_method() -> None:
    async with Server(server_of_everything) as server, server.client() as client:
        response = await client.request("get", "/v3/organizations", query={"names": "a,b"})
        page = response.decode(Page[Organization])
        assert page.resources[0].name == "acme"
        await client.request("PATCH", "/v3/things/1", json={"a": None}, deadline=30)
        with pytest.raises(NotFoundError, match="GET /v3/nothing: 404 CF-NotFound"):
            await client.request("GET", "/v3/nothing")
    first, second, _ = server.seen
    assert first.target == "/v3/organizations?names=a,b"
    assert first.headers["Authorization"] == "bearer token"
    assert (second.method, second.body) == ("PATCH", b'{"a":null}')


@pytest.mark.parametrize("path", ["https://evil.example.org/", "v3/apps", "/a b", "/x\r\nHost: y"])
async def test_a_free_request_cannot_leave_the_api(path: str) -> None:
    async with Server(server_of_everything) as server, server.client() as client:
        with pytest.raises(InvalidInputError, match="a path below the API"):
            await client.request("GET", path)
    assert server.seen == []


async def test_a_free_post_is_retried_only_if_it_is_declared_repeatable() -> None:
    async def broken(seen: Seen) -> Answer:
        return Answer(502, b"<html>bad gateway</html>")

    async with Server(broken) as server, server.client(retry=AT_ONCE) as client:
        with pytest.raises(Exception, match="502"):
            await client.request("POST", "/v3/things")
        assert len(server.seen) == 1
        with pytest.raises(Exception, match="502"):
            await client.request("POST", "/v3/things", repeatable=True)
        assert len(server.seen) == 1 + AT_ONCE.attempts


async def test_a_body_that_is_not_json_is_a_value_error() -> None:
    async with Server(server_of_everything) as server, server.client() as client:
        response = await client.request("GET", "/v3/apps/app-1")
    with pytest.raises(ValueError, match="not of"):
        response.decode(Page[Organization])
    assert isinstance(response.json(), dict)
