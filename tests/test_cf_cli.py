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
    """Make the file as `cf login` of version 9 leaves it."""
    return {
        "AccessToken": f"bearer {jwt(exp=time.time() + 600)}",
        "APIVersion": "3.228.0",
        "AsyncTimeout": 0,
        "AuthorizationEndpoint": "https://login.example.org",
        "CFOnK8s": {"Enabled": False, "AuthInfo": ""},
        "ColorEnabled": "",
        "ConfigVersion": 4,
        "DopplerEndPoint": "wss://doppler.example.org:443",
        "Locale": "",
        "LogCacheEndPoint": "https://log-cache.example.org",
        "MinCLIVersion": "",
        "MinRecommendedCLIVersion": "",
        "NetworkPolicyV1Endpoint": "https://api.example.org/networking/v1/external",
        "OrganizationFields": {"GUID": "org-1", "Name": "acme"},
        "PluginRepos": [{"Name": "CF-Community", "URL": "https://plugins.cloudfoundry.org"}],
        "RefreshToken": "geheim-r-0",
        "RoutingAPIEndpoint": "",
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


def without(fields: dict[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in fields.items() if name not in names}


# The file of each version: its fields, and what the version writes when it has nothing to say.
VERSIONS = {
    "8.0": without(login(), "CFOnK8s"),
    "8.7": login(PluginRepos=None),
    "8.14": login(UAAGrantType="password"),
    "9": login(),
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


def test_the_file_is_below_cf_home_or_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CF_HOME", str(tmp_path / "elsewhere"))
    assert config_path() == tmp_path / "elsewhere" / ".cf" / "config.json"

    monkeypatch.delenv("CF_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert config_path() == tmp_path / ".cf" / "config.json"


def test_the_fields_that_a_login_needs_are_read(home: Path) -> None:
    write(home, login(SSLDisabled=True, UAAOAuthClientSecret="geheim"))
    config = read_config()

    assert config.target == "https://api.example.org"
    assert config.access_token.startswith("bearer ")
    assert config.refresh_token == "geheim-r-0"
    assert config.skips_certificate_check
    assert (config.client_id, config.client_secret) == ("cf", "geheim")
    assert not config.on_kubernetes
    assert "geheim" not in f"{config!r} {config!s}"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_login_of_every_cf_version_is_usable(home: Path, version: str) -> None:
    fields = VERSIONS[version]
    write(home, fields)

    assert Client.from_cf_cli().api_url == fields["Target"]
    token = await CfCliLogin().obtain(FakeEndpoint(FRESH), None)
    assert token.authorization == fields["AccessToken"]


NEEDED = {
    "AccessToken",
    "RefreshToken",
    "Target",
    "UAAGrantType",
    "UAAOAuthClient",
    "UAAOAuthClientSecret",
}


@pytest.mark.parametrize("value", [None, True, 7, "x", [], {"Enabled": None}, [[{}]]], ids=repr)
def test_a_field_that_is_not_needed_never_makes_a_login_unusable(home: Path, value: object) -> None:
    for name in set(login()) - NEEDED - {"CFOnK8s"}:
        write(home, login(**{name: value}))
        assert Client.from_cf_cli(honour_ssl_disabled=True).api_url == "https://api.example.org"


@pytest.mark.parametrize(
    ("value", "on_kubernetes"),
    [
        (True, True),
        ({"Enabled": True, "AuthInfo": "me"}, True),
        ({"Enabled": "true"}, False),
        (False, False),
        (None, False),
        ("", False),
        ([], False),
    ],
    ids=repr,
)
def test_a_kubernetes_login_is_recognised_in_every_shape(
    home: Path, value: object, on_kubernetes: bool
) -> None:
    write(home, login(CFOnK8s=value))
    assert read_config().on_kubernetes is on_kubernetes


def test_a_null_counts_as_an_absent_field(home: Path) -> None:
    write(home, login(**dict.fromkeys(NEEDED, None)))
    with pytest.raises(AuthError, match="has no target"):
        Client.from_cf_cli()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"Target": 7}',
        '{"RefreshToken": {}}',
        '"\udcff"',
    ],
    ids=lambda text: text[:20],
)
def test_a_broken_file_is_an_auth_error_that_names_the_file(home: Path, text: str) -> None:
    path = home / ".cf" / "config.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(AuthError, match="cannot be read as a login of the cf command") as caught:
        read_config()
    assert str(path) in str(caught.value)
    assert "cf login" in str(caught.value)


def test_a_missing_file_is_an_auth_error_that_names_the_file(home: Path) -> None:
    with pytest.raises(AuthError, match=r"No login of the cf command in .*config\.json \(No such"):
        read_config()
    (home / ".cf" / "config.json").mkdir()
    with pytest.raises(AuthError, match="No login of the cf command"):
        read_config()


async def test_the_token_in_the_file_is_used_until_it_expires(home: Path) -> None:
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
async def test_a_token_that_is_about_to_expire_is_refreshed(home: Path, access: str) -> None:
    write(home, login(AccessToken=access))
    endpoint = FakeEndpoint(FRESH)

    assert (await CfCliLogin().obtain(endpoint, None)).access_token == "new"
    assert len(endpoint.asked) == 1


async def test_an_oauth_client_in_the_file_is_used(home: Path) -> None:
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


async def test_a_logged_out_user_and_a_kubernetes_login_are_refused(home: Path) -> None:
    endpoint = FakeEndpoint(FRESH)
    auth = CfCliLogin()
    write(home, login(AccessToken="", RefreshToken=""))
    with pytest.raises(AuthError, match="not logged in: run `cf login`"):
        await auth.obtain(endpoint, None)
    with pytest.raises(AuthError, match="not logged in: run `cf login`"):
        Client.from_cf_cli()

    write(home, login(CFOnK8s={"Enabled": True, "AuthInfo": "me"}))
    with pytest.raises(AuthError, match="Kubernetes"):
        await auth.obtain(endpoint, None)
    with pytest.raises(AuthError, match="Kubernetes"):
        Client.from_cf_cli()

    write(home, login())  # and the same object finds a later login
    assert (await auth.obtain(endpoint, None)).access_token
    assert endpoint.asked == []


def client_credentials(**changes: object) -> dict[str, object]:
    """Make the file as `cf auth ID SECRET --client-credentials` leaves it.

    The cf command keeps the secret only if the user wrote it into the file.
    """
    fields: dict[str, object] = {
        "RefreshToken": "",
        "UAAGrantType": "client_credentials",
        "UAAOAuthClient": "bot",
        "UAAOAuthClientSecret": "geheim",
    }
    return login(**fields | changes)


async def test_client_credentials_use_the_token_until_it_expires_and_then_log_in(
    home: Path,
) -> None:
    fields = client_credentials()
    write(home, fields)
    endpoint = FakeEndpoint(FRESH)
    auth = CfCliLogin()
    token = await auth.obtain(endpoint, None)
    assert token.authorization == fields["AccessToken"]
    assert endpoint.asked == []

    assert (await auth.obtain(endpoint, token)).access_token == "new"
    form, client_id, secret, _ = endpoint.asked[0]
    assert dict(parse_qsl(form)) == {"grant_type": "client_credentials"}
    assert (client_id, secret) == ("bot", "geheim")


async def test_client_credentials_without_a_stored_secret_end_with_their_token(home: Path) -> None:
    access = f"bearer {jwt(exp=time.time() + 20)}"
    write(home, client_credentials(UAAOAuthClientSecret="", AccessToken=access))
    endpoint = FakeEndpoint(FRESH)
    auth = CfCliLogin()
    token = await auth.obtain(endpoint, None)
    assert token.authorization == access

    with pytest.raises(AuthError, match=r"no client secret.*`cf auth ID SECRET --client-cred"):
        await auth.obtain(endpoint, token)
    assert endpoint.asked == []


@pytest.mark.parametrize("access", ["bearer opaque", f"bearer {jwt(sub='bot')}"])
async def test_a_token_of_unknown_lifetime_is_used_if_nothing_can_renew_it(
    home: Path, access: str
) -> None:
    write(home, client_credentials(UAAOAuthClientSecret="", AccessToken=access))

    token = await CfCliLogin().obtain(FakeEndpoint(FRESH), None)
    assert token.authorization == access


async def test_a_login_without_a_refresh_token_ends_with_its_token(home: Path) -> None:
    write(home, login(RefreshToken="", AccessToken=f"bearer {jwt(exp=1)}"))
    with pytest.raises(AuthError, match="has ended: run `cf login`"):
        await CfCliLogin().obtain(FakeEndpoint(FRESH), None)


async def test_a_token_that_fits_no_header_counts_as_absent(home: Path) -> None:
    write(home, login(AccessToken="two words geheim"))

    assert (await CfCliLogin().obtain(FakeEndpoint(FRESH), None)).access_token == "new"


async def test_a_refused_refresh_token_is_forgotten_so_that_a_later_cf_login_counts(
    home: Path,
) -> None:
    write(home, login())
    endpoint = FakeEndpoint(AuthError("revoked", error="invalid_token", status=401))
    auth = CfCliLogin()
    token = await auth.obtain(endpoint, None)
    with pytest.raises(AuthError, match="revoked"):
        await auth.obtain(endpoint, token)

    later = login(AccessToken=f"bearer {jwt(exp=time.time() + 900)}", RefreshToken="geheim-r-1")
    write(home, later)
    assert (await auth.obtain(endpoint, token)).authorization == later["AccessToken"]
    assert len(endpoint.asked) == 1


def test_an_unknown_home_directory_is_an_auth_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("CF_HOME", raising=False)
    monkeypatch.setattr(Path, "home", unknown)
    with pytest.raises(AuthError, match="set CF_HOME"):
        Client.from_cf_cli()


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
