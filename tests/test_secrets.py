"""Nothing that a bad day produces holds a secret that it used."""

from __future__ import annotations

import logging
import pickle
import re
from pathlib import Path

import pytest

from aioappsapi import AppsApiError, Client, ClientCredentials, PasswordGrant, RetryPolicy
from aioappsapi.sandbox import Faults, Sandbox

PASSWORD = "p4ssw0rd-of-the-test"
VARIABLE = "v4lue-of-a-variable"


async def test_a_bad_day_tells_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    faults = Faults(
        without_droplet=0.1, bad_gateway=0.2, unavailable=0.1, reset_before=0.1, reset_after=0.1
    )
    async with Sandbox(60, faults=faults, seed=2) as cloud:
        cloud.world.add_user("operator", PASSWORD, ["cloud_controller.admin"])
        auth = PasswordGrant("operator", PASSWORD)
        async with Client(cloud.url, auth=auth, retry=RetryPolicy(base=0), proxy="") as client:
            with client.capture() as exchanges:
                report = await client.bulk.start(list(cloud.apps), journal=tmp_path / "journal")
                cloud.expire_tokens()
                again = await client.bulk.restart(list(cloud.apps))
            told += [repr(client), repr(auth), repr(exchanges.responses), repr(report), repr(again)]
            [guid, *_] = cloud.apps
            variables = await client.apps.update_environment_variables(guid, {"KEY": VARIABLE})
            told += [repr(variables), repr(await client.apps.get_env(guid))]
            try:
                await client.apps.update_environment_variables(
                    guid,
                    {"KEY": [VARIABLE]},  # type: ignore[dict-item]
                    validate=False,
                )
            except AppsApiError as error:
                told += [repr(error), str(error), repr(error.__dict__.get("body"))]
        token = client._tokens._authorization
    for outcome in [*report, *again]:
        told += [repr(outcome.error), repr(pickle.dumps(outcome.error))]
    told += [report.to_json(), again.to_jsonl(), (tmp_path / "journal").read_text()]
    for suffix in (".json", ".jsonl", ".csv", ".xml", ".html", ".md"):
        report.write(tmp_path / f"report{suffix}")
        told.append((tmp_path / f"report{suffix}").read_text(encoding="utf-8"))
    told.append(str(report.compare(again)))
    told += [caplog.text, *capsys.readouterr()]
    assert report.counts["failed"] > 0, "not a bad day"
    assert report.requests.retried > 0, "not a bad day"
    everything = "\n".join(told)
    assert sum(one.name == "aioappsapi.http" for one in caplog.records) > 100, "no debug log"
    assert "bearer" not in caplog.text.lower()
    assert not re.search(r"\beyJ[\w-]+", everything), "a token, of whomever"
    secret = token.removeprefix("bearer ")
    assert len(secret) > 20
    for what in (PASSWORD, VARIABLE, secret, secret.rpartition(".")[2]):
        assert what not in everything


async def test_a_refused_login_tells_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Sandbox(1) as cloud:
        for auth in (PasswordGrant("admin", PASSWORD), ClientCredentials("admin-client", PASSWORD)):
            async with Client(cloud.url, auth=auth, proxy="") as client:
                with pytest.raises(AppsApiError) as caught:
                    await client.log_in()
            assert PASSWORD not in f"{caught.value!r} {caught.value} {auth!r} {caplog.text}"
