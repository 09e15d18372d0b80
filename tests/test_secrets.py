"""No output of a run with many failures contains its secrets."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import pickle
import re
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aioappsapi import (
    AppsApiError,
    CfCliLogin,
    Client,
    ClientCredentials,
    PasswordGrant,
    ResponseError,
    RetryPolicy,
)
from aioappsapi.api.apps import Apps
from aioappsapi.errors import RedirectedError, UnprocessableError
from aioappsapi.sandbox import Faults, Sandbox
from tests.fakes import virtual
from tests.replay import ONE_TRY, Answer, Seen, Server, Wire

PASSWORD = "p4ssw0rd-of-the-test"
VARIABLE = "v4lue-of-a-variable"


def everything_of(error: BaseException) -> str:
    """Give all that an exception may tell to whoever shows it, keeps it or sends it on."""
    parts = [repr(error), str(error), repr(error.args), repr(vars(error))]
    parts += [repr(getattr(error, name, None)) for name in ("errors", "detail", "body", "headers")]
    pickled = pickle.dumps(error)
    told = [*parts, repr(pickled), repr(pickle.loads(pickled)), *traceback.format_exception(error)]
    return "\n".join(told)


def secrets_of(client: Client) -> list[str]:
    """Give the tokens in use, and their parts: each of them is one too."""
    token = client._tokens._token
    assert token is not None
    assert token.refresh_token is not None
    found = [token.access_token, token.refresh_token]
    return [part for one in found for part in (one, one.rpartition(".")[2]) if len(part) > 20]


async def sins(client: Client, guid: str) -> AsyncIterator[AppsApiError]:
    """Do what the server refuses with words that quote what was sent."""
    bad: Any = {"KEY": [VARIABLE]}
    path = f"/v3/apps/{guid}/environment_variables"
    for wrong in (
        client.apps.update_environment_variables(guid, bad, validate=False),
        client.apps.update_environment_variables(guid, bad),
        client.request("PATCH", path, json={"var": bad}),
        client.apps.create(
            "n", space_guid="gone", environment_variables={"KEY": VARIABLE}, validate=False
        ),
    ):
        try:
            await wrong
        except AppsApiError as error:
            yield error
        else:
            raise AssertionError("it was not refused")


@virtual
async def test_a_chaotic_run_shows_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0  # every single step is logged, with what it was called with
    told: list[str] = []
    secrets = [PASSWORD, VARIABLE, base64.b64encode(f"cf:{PASSWORD}".encode()).decode()]
    faults = replace(
        Faults.chaos(), without_droplet=0.1, bad_gateway=0.1, unavailable=0.1, token_expired=0.02
    )
    async with Sandbox(60, faults=faults, seed=2, clock=loop.time) as cloud:
        cloud.world.add_user("operator", PASSWORD, ["cloud_controller.admin"])
        auth = PasswordGrant("operator", PASSWORD)
        retry = RetryPolicy(base=0.01, cap=0.1)
        async with Client(cloud.url, auth=auth, retry=retry, proxy="") as client:
            await client.log_in()
            secrets += secrets_of(client)
            with client.capture() as exchanges:
                report = await client.bulk.start(
                    list(cloud.apps), journal=tmp_path / "journal", wait="any", deadline=20
                )
                secrets += secrets_of(client)
                cloud.expire_tokens()
                again = await client.bulk.restart(list(cloud.apps), wait="any", deadline=20)
            cloud.faults = Faults()
            secrets += secrets_of(client)
            told += [repr(client), repr(auth), repr(exchanges.responses), repr(report), repr(again)]
            told += [repr(one) for one in (client._caller, client._tokens, client._pool, retry)]
            [guid, *_] = cloud.apps
            variables = await client.apps.update_environment_variables(guid, {"KEY": VARIABLE})
            told += [repr(variables), repr(await client.apps.get_env(guid))]
            told += [everything_of(error) async for error in sins(client, guid)]
            func = partial(update, client)
            mapped = await client.bulk.map(func, list(cloud.apps))
            assert mapped.counts["failed"] == len(mapped)
    loop.set_debug(False)
    for one in (report, again, mapped):
        told += [everything_of(outcome.error) for outcome in one if outcome.error is not None]
        told += [repr(list(one)), one.to_json(), one.to_jsonl(), str(one.to_dict())]
        for suffix in (".json", ".jsonl", ".csv", ".xml", ".html", ".md"):
            one.write(tmp_path / f"report{suffix}")
            told.append((tmp_path / f"report{suffix}").read_text(encoding="utf-8"))
    told += [str(report.compare(again)), (tmp_path / "journal").read_text()]
    told += [caplog.text, *capsys.readouterr()]
    assert report.counts["failed"] > 0, "not a bad day"
    assert report.requests.retried > 0, "not a bad day"
    everything = "\n".join(told)
    assert sum(one.name == "aioappsapi.http" for one in caplog.records) > 100, "no debug log"
    assert sum(one.name == "asyncio" for one in caplog.records) > 100, "no debug log"
    assert "bearer" not in caplog.text.lower()
    assert not re.search(r"\beyJ[\w-]+", everything), "a token, of whomever"
    assert len(secrets) > 6
    for what in secrets:
        assert what not in everything


async def update(client: Client, guid: str) -> object:
    bad: Any = {"KEY": [VARIABLE]}
    return await client.apps.update_environment_variables(guid, bad, validate=False)


async def test_a_refused_login_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Sandbox(1) as cloud:
        for auth in (PasswordGrant("admin", PASSWORD), ClientCredentials("admin-client", PASSWORD)):
            async with Client(cloud.url, auth=auth, proxy="") as client:
                with pytest.raises(AppsApiError) as caught:
                    await client.log_in()
            assert PASSWORD not in f"{caught.value!r} {caught.value} {auth!r} {caplog.text}"


@pytest.mark.parametrize("proxy", ["http://user:{}@127.0.0.1:9", "user:{}@127.0.0.1:9"])
async def test_an_unreachable_proxy_shows_no_password(
    proxy: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    auth = PasswordGrant("admin", PASSWORD)
    address = proxy.format(PASSWORD)
    async with Client("http://cc.test", auth=auth, proxy=address, retry=ONE_TRY) as client:
        with pytest.raises(AppsApiError) as caught:
            await client.apps.get("a")
        told = [everything_of(caught.value), repr(client), repr(vars(client)), caplog.text]
    with pytest.raises(AppsApiError) as refused:
        Client("http://cc.test", auth=auth, proxy=f"ftp://user:{PASSWORD}@host")
    assert PASSWORD not in "\n".join([*told, everything_of(refused.value)])


async def test_a_redirect_shows_no_token_in_its_address() -> None:
    secret = "t0ken-in-a-link"

    async def elsewhere(seen: Seen) -> Answer:
        location = f"https://user:{secret}@host/v3/apps?code={secret}#access_token={secret}"
        return Answer(302, b"", (("Location", location),))

    with pytest.raises(RedirectedError, match="https://host/v3/apps;") as caught:
        await Apps(Wire(elsewhere).caller()).get("a")
    assert secret not in everything_of(caught.value)


def test_a_login_of_the_cf_command_shows_no_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "config.json"
    for content in (
        {"Target": "http://cc.test", "AccessToken": f"bearer {PASSWORD}", "RefreshToken": PASSWORD},
        {"Target": "http://cc.test", "AccessToken": [PASSWORD], "UAAOAuthClientSecret": PASSWORD},
        {"Target": f"http://user:{PASSWORD}@cc.test", "RefreshToken": PASSWORD},
    ):
        path.write_text(json.dumps(content))
        try:
            told = repr(Client.from_cf_cli(path)) + repr(CfCliLogin(path))
        except AppsApiError as error:
            told = everything_of(error)
        assert PASSWORD not in told + caplog.text
    path.write_text(f'{{"AccessToken": "{PASSWORD}", ')
    with pytest.raises(AppsApiError) as caught:
        Client.from_cf_cli(path)
    assert PASSWORD not in everything_of(caught.value)


async def test_a_secret_value_is_masked_in_every_text() -> None:
    said = f"I do not like {VARIABLE}, nor PIN, nor deep {VARIABLE}!"
    body = {"errors": [{"code": 1, "title": "CF-Unprocessable", "detail": said}]}

    async def refuse(seen: Seen) -> Answer:
        return Answer(422, json.dumps(body).encode())

    bad: Any = {"KEY": VARIABLE, "PIN": "PIN", "DEEP": [{"x": [VARIABLE]}]}
    with pytest.raises(UnprocessableError) as caught:
        await Apps(Wire(refuse).caller()).update_environment_variables("a", bad, validate=False)
    assert caught.value.detail == "I do not like ..., nor PIN, nor deep ...!"
    assert VARIABLE not in everything_of(caught.value)


async def test_a_secret_value_is_masked_in_texts_about_invalid_json() -> None:
    body = {"errors": [{"code": 1, "title": "CF-ParseError", "detail": f"near {VARIABLE}"}]}

    async def refuse(seen: Seen) -> Answer:
        return Answer(400, json.dumps(body).encode())

    path = "/v3/apps/some-guid/environment_variables"
    broken = msgspec.Raw(f'{{"var": {{"KEY": {VARIABLE}'.encode())
    async with Server(refuse) as server, server.client() as client:
        with pytest.raises(ResponseError) as caught:
            await client.request("PATCH", path, json=broken)
    assert caught.value.detail == "near ..."
    assert VARIABLE not in everything_of(caught.value)
