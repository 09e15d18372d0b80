from __future__ import annotations

import json
import time
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from aioappsapi.auth.base import Token
from aioappsapi.auth.cf_cli import CfCliLogin, config_path, read_config
from aioappsapi.client import Client
from aioappsapi.errors import AuthError
from tests.fakes import FakeEndpoint, jwt

FRESH = Token(access_token="new", refresh_token="r-new")


def login(**changes: object) -> dict[str, object]:
    """Make the file as `cf login` leaves it."""
    return {
        "AccessToken": f"bearer {jwt(exp=time.time() + 600)}",
        "APIVersion": "3.228.0",
        "AsyncTimeout": 0,
        "AuthorizationEndpoint": "https://login.example.org",
        "CFOnK8s": {"Enabled": False, "AuthInfo": ""}["Enabled"],
        "ColorEnabled": "",
        "ConfigVersion": 4,
        "DopplerEndPoint": "wss://doppler.example.org:443",
        "Locale": "",
        "LogCacheEndPoint": "https://log-cache.example.org",
        "MinCLIVersion": "",
        "OrganizationFields": {"GUID": "org-1", "Name": "acme"},
        "PluginRepos": [{"Name": "CF-Community", "URL": "https://plugins.cloudfoundry.org"}],
        "RefreshToken": "geheim-r-0",
        "SpaceFields": {"GUID": "space-1", "Name": "dev", "AllowSSH": True},
        "SSHOAuthClient": "ssh-proxy",
        "SSLDisabled": False,
        "Target": "https://api.example.org",
        "Trace": "",
        "UaaEndpoint": "https://uaa.example.org",
        "UAAGrantType": "",
        "UAAOAuthClient": "cf",
        "UAAOAuthClientSecret": "",
        **changes,
    }


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CF_HOME", str(tmp_path))
    (tmp_path / ".cf").mkdir()
    return tmp_path


def write(home: Path, fields: object) -> Path:
    path = home / ".cf" / "config.json"
    path.write_text(fields if isinstance(fields, str) else json.dumps(fields, indent=2))
    return path


def test_where_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CF_HOME", str(tmp_path / "elsewhere"))
    assert config_path() == tmp_path / "elsewhere" / ".cf" / "config.json"

    monkeypatch.delenv("CF_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert config_path() == tmp_path / ".cf" / "config.json"


def test_what_is_read(home: Path) -> None:
    write(home, login(SSLDisabled=True))
    config = read_config()

    assert config.target == "https://api.example.org"
    assert config.access_token.startswith("bearer ")
    assert config.refresh_token == "geheim-r-0"
    assert config.ssl_disabled
    assert (config.uaa_client, config.uaa_client_secret) == ("cf", "")
    assert (config.organization.guid, config.organization.name) == ("org-1", "acme")
    assert (config.space.guid, config.space.name) == ("space-1", "dev")
    assert not config.on_kubernetes
    assert "geheim" not in f"{config!r} {config!s}"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"Target": 7}', '{"SpaceFields": "x"}', '"\udcff"']
)
def test_a_broken_file_is_told(home: Path, text: str) -> None:
    path = home / ".cf" / "config.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(AuthError, match="is not a login of the cf command: run `cf login`"):
        read_config()


def test_a_missing_file_is_told(home: Path) -> None:
    with pytest.raises(AuthError, match=r"No login of the cf command in .*config\.json \(No such"):
        read_config()
    (home / ".cf" / "config.json").mkdir()
    with pytest.raises(AuthError, match="No login of the cf command"):
        read_config()


async def test_the_token_in_the_file_is_used_while_it_lasts(home: Path) -> None:
    fields = login()
    write(home, fields)
    endpoint = FakeEndpoint(FRESH)
    auth = CfCliLogin()
    token = await auth.obtain(endpoint, None)

    assert token.authorization == fields["AccessToken"]
    assert endpoint.asked == []
    assert auth.renewable

    renewed = await auth.obtain(endpoint, token)
    assert renewed.access_token == "new"
    form, client_id, secret, _ = endpoint.asked[0]
    assert dict(parse_qsl(form)) == {"grant_type": "refresh_token", "refresh_token": "geheim-r-0"}
    assert (client_id, secret) == ("cf", "")


@pytest.mark.parametrize(
    "access",
    ["", "bearer opaque", f"bearer {jwt(exp=1)}", f"bearer {jwt(exp=time.time() + 59)}"],
    ids=["none", "opaque", "over", "almost over"],
)
async def test_a_token_that_is_almost_over_is_refreshed(home: Path, access: str) -> None:
    write(home, login(AccessToken=access))
    endpoint = FakeEndpoint(FRESH)

    assert (await CfCliLogin().obtain(endpoint, None)).access_token == "new"
    assert len(endpoint.asked) == 1


async def test_a_client_of_its_own_is_used(home: Path) -> None:
    write(home, login(AccessToken="", UAAOAuthClient="mine", UAAOAuthClientSecret="geheim"))
    endpoint = FakeEndpoint(FRESH)
    await CfCliLogin().obtain(endpoint, None)
    assert endpoint.asked[0][1:3] == ("mine", "geheim")

    write(home, login(AccessToken="", UAAOAuthClient=""))
    await CfCliLogin().obtain(endpoint, None)
    assert endpoint.asked[1][1:3] == ("cf", "")


async def test_rotated_refresh_tokens_stay_in_memory_and_the_file_is_never_written(
    home: Path,
) -> None:
    path = write(home, login(AccessToken=""))
    path.chmod(0o400)
    before = path.read_bytes(), path.stat().st_mtime_ns
    endpoint = FakeEndpoint(FRESH)
    auth = CfCliLogin()
    token = await auth.obtain(endpoint, None)
    await auth.obtain(endpoint, token)

    sent = [dict(parse_qsl(form))["refresh_token"] for form, *_ in endpoint.asked]
    assert sent == ["geheim-r-0", "r-new"]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert list(path.parent.iterdir()) == [path]


async def test_logged_out_and_kubernetes_are_told(home: Path) -> None:
    endpoint = FakeEndpoint(FRESH)
    auth = CfCliLogin()
    write(home, login(AccessToken="", RefreshToken=""))
    with pytest.raises(AuthError, match="logged out: run `cf login`"):
        await auth.obtain(endpoint, None)

    write(home, login(CFOnK8s=True))
    with pytest.raises(AuthError, match="Kubernetes"):
        await auth.obtain(endpoint, None)

    write(home, login())  # and the same object finds a later login
    assert (await auth.obtain(endpoint, None)).access_token
    assert endpoint.asked == []


async def test_the_file_is_read_when_the_first_token_is_needed(tmp_path: Path) -> None:
    auth = CfCliLogin(tmp_path / "config.json")
    with pytest.raises(AuthError, match="No login"):
        await auth.obtain(FakeEndpoint(FRESH), None)
    assert str(tmp_path / "config.json") in repr(auth)


def test_a_client_from_the_login_of_the_cf_command(home: Path) -> None:
    write(home, login())
    assert Client.from_cf_cli().api_url == "https://api.example.org"

    write(home, login(Target=""))
    with pytest.raises(AuthError, match="no target"):
        Client.from_cf_cli()
