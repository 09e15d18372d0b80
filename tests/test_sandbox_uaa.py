"""The sandbox's UAA: grants, rotation, refusals and lock-out."""

import base64
import json

from tests.sandbox_caller import (
    Caller,
    recorded,
)


async def test_every_grant_gives_a_token(caller: Caller) -> None:
    before = caller.sandbox.logins
    status, first = await caller.token(grant_type="password", username="admin", password="admin")
    assert (status, first["token_type"], first["expires_in"]) == (200, "bearer", 43200)
    _, own = await caller.token("admin-client:admin-secret", grant_type="client_credentials")
    assert "refresh_token" not in own
    caller.sandbox.uaa.passcodes["once"] = "admin"
    status, _ = await caller.token(grant_type="password", passcode="once")
    assert status == 200
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    status, _ = await caller.token(grant_type=grant, assertion=first["access_token"])
    assert status == 200
    assert caller.sandbox.logins - before == 4
    assert (await caller.token(grant_type="password", passcode="once"))[0] == 401


async def test_a_user_gets_a_passcode_that_works_once(caller: Caller) -> None:
    await caller.login("developer")
    status, text, _ = await caller.ask("GET", "/uaa/passcode")
    form = {"grant_type": "password", "passcode": json.loads(text)}
    answers = [await caller.token(**form) for _ in range(2)]
    assert (status, [answer[0] for answer in answers]) == (200, [200, 401])
    caller.headers["Authorization"] = f"bearer {answers[0][1]['access_token']}"
    who = await caller.get("/uaa/userinfo")
    assert who["user_name"] == "developer"
    status, error = (await caller.ask("GET", "/uaa/passcode", headers={"Authorization": "x"}))[:2]
    assert (status, json.loads(error)["error"]) == (401, "invalid_token")


async def test_a_token_is_a_jwt_with_the_usual_claims(caller: Caller) -> None:
    payload = caller.headers["Authorization"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert claims["user_name"] == "admin"
    assert claims["iss"] == f"{caller.sandbox.url}/uaa/oauth/token"
    assert {"exp", "user_id", "client_id", "scope", "aud", "jti"} <= set(claims)


async def test_a_refresh_token_works_once(caller: Caller) -> None:
    _, first = await caller.token(grant_type="password", username="admin", password="admin")
    old = first["refresh_token"]
    status, second = await caller.token(grant_type="refresh_token", refresh_token=old)
    assert status == 200
    assert second["refresh_token"] != old
    status, error = await caller.token(grant_type="refresh_token", refresh_token=old)
    assert (status, error["error"]) == (401, "invalid_token")
    access = first["access_token"]
    status, error = await caller.token(grant_type="refresh_token", refresh_token=access)
    assert (status, error["error"]) == (400, "invalid_grant")


async def test_bad_logins_are_refused_with_the_standard_errors(caller: Caller) -> None:
    good = {"grant_type": "password", "username": "admin", "password": "admin"}
    for expected, answer in (
        ((401, "invalid_client"), await caller.token("cf:wrong", **good)),
        ((401, "invalid_client"), await caller.token("nobody:", **good)),
        ((401, "unauthorized"), await caller.token(headers={}, **good)),
        ((400, "invalid_request"), await caller.token(username="admin")),
        ((401, "invalid_client"), await caller.token(grant_type="client_credentials")),
        ((401, "unauthorized"), await caller.token(**(good | {"password": "x"}))),
    ):
        assert (answer[0], answer[1]["error"]) == expected
        assert set(answer[1]) == {"error", "error_description"}


async def test_five_wrong_passwords_lock_the_account(caller: Caller) -> None:
    form = {"grant_type": "password", "username": "developer"}
    for _ in range(5):
        _, error = await caller.token(**form, password="wrong")
        assert error["error_description"] == "Bad credentials"
    status, error = await caller.token(**form, password="developer")
    assert status == 401
    assert error["error_description"].startswith("Your account has been locked")


async def test_an_expired_token_is_refused(caller: Caller) -> None:
    caller.sandbox.expire_tokens()
    status, text, _ = await caller.ask("GET", "/v3/apps")
    assert (status, text) == (401, recorded("get-app__401-expired")["body"])
    caller.sandbox.uaa.token_lifetime = 0
    await caller.login()
    assert (await caller.ask("GET", "/v3/apps"))[0] == 401


async def test_the_root_links_to_the_uaa(caller: Caller) -> None:
    links = (await caller.get("/"))["links"]
    assert links["uaa"]["href"] == links["login"]["href"] == f"{caller.sandbox.url}/uaa"
    assert (await caller.get("/uaa/info"))["prompts"]["username"]
    assert (await caller.get("/uaa/userinfo"))["user_name"] == "admin"
