"""Named targets: a file without secrets, and the clients for them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioappsapi import AuthError, Fleet, InvalidInputError, Target, read_targets
from aioappsapi.fleet.targets_file import choose_targets, target_names, targets_path
from aioappsapi.sandbox import Sandbox

SECRET = "hunter2-and-more"


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_targets_come_in_the_order_of_the_file_with_defaults(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [defaults]
        client_id = "deployer"
        ca_file = "ca.pem"
        concurrency = 20

        [targets.us-1]
        api = "https://api.us.test"
        client_secret_env = "US_SECRET"

        [targets.eu-1]
        api = "https://api.eu.test"
        client_secret_env = "EU_SECRET"
        concurrency = 50
        """,
    )
    found = read_targets(path)
    assert list(found) == ["us-1", "eu-1"] == target_names(path)
    assert found["us-1"].ca_file == str(tmp_path / "ca.pem")
    assert [one.concurrency for one in found.values()] == [20, 50]
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize(
    "line",
    [
        f'password = "{SECRET}"',
        f'client_secret = "{SECRET}"',
        f'accessToken = "{SECRET}"',
        f'PASSWORD = "{SECRET}"',
        f'refresh_token = ["{SECRET}"]',
        f'secrets = {{ mine = "{SECRET}" }}',
    ],
)
@pytest.mark.parametrize("table", ["[targets.eu]", "[defaults]", ""])
def test_a_secret_is_refused_by_its_name_and_never_shown(
    tmp_path: Path, table: str, line: str
) -> None:
    path = write(tmp_path, f'{table}\n{line}\n[targets.us]\napi = "https://api.us.test"\n')
    with pytest.raises(InvalidInputError, match="environment variable") as refused:
        read_targets(path)
    assert line.split(maxsplit=1)[0] in str(refused.value)
    assert SECRET not in repr(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        f'[targets.eu]\napi = "https://admin:{SECRET}@api.eu.test"',
        f'[targets.eu]\napi = "https://api.eu.test"\nproxy = "http://me:{SECRET}@proxy.test"',
        f'[targets.eu]\napi = "https://api.eu.test"\nusername = "u"\npassword_env = "{SECRET}"',
        f'[targets.eu]\napi = "{SECRET}',
        f"[targets.eu]\napi = {SECRET}",
        f'[targets.eu]\napi = "https://api.eu.test"\nconcurrency = "{SECRET}"',
        f'[targets]\neu = "{SECRET}"',
        f'[targets.eu]\napi = "https://api.eu.test"\nlogin = {{ word = "{SECRET}" }}',
    ],
)
def test_a_secret_in_a_wrong_place_is_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_targets(write(tmp_path, text))
    assert SECRET not in repr(refused.value)


@given(st.text(max_size=80))
def test_no_text_ends_in_another_error(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_text", lambda *_, **__: f"[targets.eu]\n{text}")
        try:
            read_targets("config.toml")
        except InvalidInputError as refused:
            assert "config.toml" in str(refused)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('username = "u"', "it needs api, or cf_home"),
        ('api = "ftp://x"', "not usable"),
        ('api = "https://a.test"\nusername = "u"', "password_env goes with one of username"),
        ('api = "https://a.test"\npassword_env = "P"', "goes with one of username and username_en"),
        (
            'api = "https://a.test"\nusername = "u"\nusername_env = "U"\npassword_env = "P"',
            "goes with one of",
        ),
        ('api = "https://a.test"\ncf_home = "x"\naccess_token_env = "T"', "more than one login"),
        ('api = "https://a.test"\nusernam = "u"', "Did you mean username"),
        ('api = "https://a.test"\nzone = "u"', "has no field zone. It has: api"),
        ('api = "https://a.test"\nname = "u"', "has no field name"),
    ],
)
def test_a_broken_target_says_what_is_wrong(tmp_path: Path, lines: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        read_targets(write(tmp_path, f"[targets.eu]\n{lines}\n"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 100_000, "is nested too deeply"),
        ("a = " + "1" * 5_000, "is not TOML"),
        ("a = [", "is not TOML"),
    ],
    ids=["deep", "long", "torn"],
)
def test_a_file_that_cannot_be_parsed_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InvalidInputError, match=words) as refused:
        read_targets(path)
    assert str(path) in str(refused.value)


def test_a_name_must_be_fit_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot name a target"):
        read_targets(write(tmp_path, '[targets."../eu"]\napi = "https://a.test"\n'))


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIOAPPSAPI_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(InvalidInputError, match="does not exist") as refused:
        read_targets()
    assert str(tmp_path / "aioappsapi" / "config.toml") in str(refused.value)
    assert target_names() == []
    monkeypatch.setenv("AIOAPPSAPI_CONFIG", "elsewhere.toml")
    assert targets_path() == Path("elsewhere.toml")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_targets(tmp_path)


def test_globs_choose_in_their_order() -> None:
    targets = {name: Target(name=name, api="https://a.test") for name in ("eu-1", "us-1", "eu-2")}
    assert list(choose_targets(targets, ["us-*", "eu-*", "eu-1"])) == ["us-1", "eu-1", "eu-2"]
    with pytest.raises(InvalidInputError, match=r"no target eu1\. Did you mean eu-1"):
        choose_targets(targets, ["eu1"])
    with pytest.raises(InvalidInputError, match="Known are: eu-1, us-1, eu-2"):
        choose_targets(targets, ["zz*"])


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EU_PASSWORD", raising=False)
    target = Target(name="eu", api="https://a.test", username="u", password_env="EU_PASSWORD")
    with pytest.raises(AuthError, match="target eu: the environment variable EU_PASSWORD"):
        target.client()


def cf_login(home: Path, api: str, token: str) -> None:
    (home / ".cf").mkdir(parents=True)
    config = {"Target": api, "AccessToken": token, "RefreshToken": ""}
    (home / ".cf" / "config.json").write_text(json.dumps(config), encoding="utf-8")


def test_a_login_of_the_cf_command_is_used_at_its_own_target_only(tmp_path: Path) -> None:
    cf_login(tmp_path / "eu", "https://api.eu.test", "bearer token")
    target = Target(name="eu", cf_home=str(tmp_path / "eu"))
    assert target.client().api_url == "https://api.eu.test"
    wrong = Target(name="eu", api="https://api.us.test", cf_home=str(tmp_path / "eu"))
    with pytest.raises(InvalidInputError, match="the login in cf_home is for"):
        wrong.client()
    with pytest.raises(AuthError, match="cf login"):
        Target(name="us", cf_home=str(tmp_path / "us")).client()


@pytest.mark.parametrize(
    "login",
    [
        'username = "admin"\npassword_env = "A_PASSWORD"',
        'username_env = "A_PASSWORD"\npassword_env = "A_PASSWORD"',
        'client_id = "admin-client"\nclient_secret_env = "A_SECRET"',
        'client_id_env = "A_CLIENT"\nclient_secret_env = "A_SECRET"',
        "",
    ],
)
async def test_every_login_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    monkeypatch.setenv("A_PASSWORD", "admin")
    monkeypatch.setenv("A_CLIENT", "admin-client")
    monkeypatch.setenv("A_SECRET", "admin-secret")
    monkeypatch.delenv("CF_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("CF_CLIENT_ID", "admin-client")
    monkeypatch.setenv("CF_CLIENT_SECRET", "admin-secret")
    async with Sandbox(1) as cloud:
        path = write(tmp_path, f'[targets.lab]\napi = "{cloud.url}"\n{login}\n')
        async with Fleet.from_config(path=path) as fleet:
            assert [app.name async for app in fleet["lab"].apps.list()]
            token = await fleet["lab"]._tokens.get()
        monkeypatch.setenv("A_TOKEN", token)
        write(tmp_path, f'[targets.lab]\napi = "{cloud.url}"\naccess_token_env = "A_TOKEN"\n')
        async with Fleet.from_config("l*", path=path) as fleet:
            assert await fleet["lab"].apps.list().first() is not None
