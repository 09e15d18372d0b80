"""Control of a sandbox from outside: its endpoint, its command line, TLS."""

from __future__ import annotations

import inspect
import re
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aioappsapi.sandbox import Faults, Sandbox, SandboxProcess, SandboxThread
from aioappsapi.sandbox.world.faults import FIELDS, PROFILES
from tests.sandbox_caller import Caller, admin_calls


async def steer(caller: Caller, method: str, path: str, fields: Any = None) -> tuple[int, Any]:
    url = f"{caller.sandbox.url}/sandbox{path}"
    async with caller.session.request(method, url, json=fields) as response:
        return response.status, await response.json()


async def test_the_control_endpoint_shows_and_changes_faults() -> None:
    async with admin_calls() as caller:
        _, shown = await steer(caller, "GET", "/faults")
        assert Faults(**shown) == Faults()
        _, shown = await steer(caller, "PATCH", "/faults", {"profile": "demo", "startup": 2})
        assert (shown["bad_gateway"], shown["startup"]) == (0.01, 2)
        assert caller.sandbox.faults.startup == 2
        for fields, words in (
            ({"nope": 1}, "there is no fault 'nope'"),
            ({"crash": "much"}, "crash cannot be 'much'"),
            ({"crash": 2}, "crash must be a share"),
            ({"rate_limit": 1.5}, "rate_limit cannot be 1.5"),
            ({"profile": "sunny"}, "the profiles are 'none', 'demo', 'chaos'"),
            ([], "the body must be a JSON object"),
        ):
            status, said = await steer(caller, "PATCH", "/faults", fields)
            assert (status, words in said["error"]) == (400, True), said
        _, unchanged = await steer(caller, "GET", "/faults")
        assert unchanged == shown
        await steer(caller, "PATCH", "/faults", {"rate_limit": 5})
        await steer(caller, "PATCH", "/faults", {"rate_limit": None})
        assert caller.sandbox.faults.rate_limit is None


async def test_the_control_endpoint_shows_apps_cells_and_requests() -> None:
    async with admin_calls(Sandbox(2, cell_memory_mb=1024)) as caller:
        one, two = caller.sandbox.apps
        for guid in (one, two):
            await caller.ask("POST", f"/v3/apps/{guid}/actions/start")
        status, app = await steer(caller, "GET", f"/apps/{one}")
        assert status == 200
        assert (app["state"], app["running"], app["applied"]) == ("STARTED", True, {"start": 1})
        _, app = await steer(caller, "GET", f"/apps/{two}")
        reason = "insufficient resources: memory"
        assert app["instances"]["web"] == [{"index": 0, "state": "DOWN", "details": reason}]
        _, apps = await steer(caller, "GET", "/apps")
        assert [app["running"] for app in apps["apps"]] == [True, False]
        _, cells = await steer(caller, "GET", "/cells")
        assert cells["cells"] == [{"memory_mb": 1024, "used_mb": 1024, "starting": 0}]
        _, log = await steer(caller, "GET", "/requests?since=2")
        (request,) = log["requests"]
        assert (request["method"], request["status"]) == ("POST", 200)
        assert request["path_qs"].endswith(f"{two}/actions/start")
        _, overview = await steer(caller, "GET", "")
        assert (overview["requests"], overview["apps"], overview["logins"]) == (3, 2, 1)
        await steer(caller, "DELETE", "/requests")
        assert not caller.sandbox.requests


async def test_the_control_endpoint_makes_outages_and_expires_tokens() -> None:
    async with admin_calls() as caller:
        path = f"/v3/apps/{next(iter(caller.sandbox.apps))}/processes/web/stats"
        assert (await steer(caller, "PUT", "/diego", {"mode": "refused"}))[0] == 200
        assert (await caller.ask("GET", path))[0] == 503
        _, modes = await steer(caller, "PUT", "/database", {"mode": "down"})
        assert modes == {"diego": "refused", "database": "down", "directory": "up"}
        assert (await caller.ask("GET", path))[0] == 500
        assert (await steer(caller, "PUT", "/database", {"mode": "up"}))[0] == 200
        await steer(caller, "PUT", "/directory", {"mode": "down"})
        assert (await caller.ask("GET", "/v3/users"))[0] == 503
        for name in ("diego", "database", "directory"):
            assert (await steer(caller, "PUT", f"/{name}", {"mode": "up"}))[0] == 200
            assert (await steer(caller, "PUT", f"/{name}", {"mode": "tired"}))[0] == 400
        assert (await caller.ask("GET", path))[0] == 200
        await steer(caller, "POST", "/tokens/expire")
        assert (await caller.ask("GET", path))[0] == 401


async def test_bad_control_requests_get_an_error() -> None:
    async with admin_calls() as caller:
        for method, path, status in (
            ("GET", "/nope", 404),
            ("GET", "/apps/nope", 404),
            ("POST", "/faults", 405),
            ("GET", "/requests?since=x", 400),
        ):
            got, said = await steer(caller, method, path)
            assert (got, list(said)) == (status, ["error"])
        async with caller.session.patch(f"{caller.sandbox.url}/sandbox/faults", data=b"{") as got:
            assert got.status == 400
        assert (await caller.ask("GET", "/sandboxes"))[0] == 404


async def test_tls_uses_a_temporary_certificate() -> None:
    async with Sandbox(1, tls=True) as sandbox, aiohttp.ClientSession() as session:
        assert sandbox.url.startswith("https://127.0.0.1:")
        ca_file = sandbox.ca_file
        async with session.get(f"{sandbox.url}/v3", ssl=sandbox.ssl_context) as response:
            links = (await response.json())["links"]
        assert links["self"]["href"] == f"{sandbox.url}/v3"
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(f"{sandbox.url}/v3")
    with pytest.raises(FileNotFoundError):
        ssl.create_default_context(cafile=ca_file)
    with pytest.raises(RuntimeError, match="tls=True"):
        _ = sandbox.ca_file


async def test_tls_without_trustme_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(
        ImportError, match=r"TLS needs trustme: pip install 'aioappsapi\[sandbox\]'"
    ):
        await Sandbox(1, tls=True).start()


def test_a_sandbox_process_takes_the_options_of_the_command_line() -> None:
    options: dict[str, Any] = {"tls": True, "cells": 3, "startup": 1.5, "started": True}
    with SandboxProcess(2, profile="chaos", fault="crash=0.5", **options) as sandbox:
        assert sandbox.url.startswith("https://")
        assert sandbox.ca_file is not None
        assert "BEGIN CERTIFICATE" in Path(sandbox.ca_file).read_text()
    assert not Path(sandbox.ca_file).exists()


def test_the_docs_name_every_fault_option_and_profile() -> None:
    docs = Path(__file__).parent.parent / "docs"
    page = (docs / "reference" / "sandbox.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page))
    assert set(FIELDS) <= named
    assert set(inspect.signature(Sandbox).parameters) <= named
    assert all(f"Faults.{name}()" in page for name in PROFILES)


def test_a_sandbox_thread_that_cannot_listen_raises() -> None:
    with (
        SandboxThread(Sandbox(1)) as sandbox,
        pytest.raises(OSError, match="in use"),
        SandboxThread(Sandbox(1, port=int(sandbox.url.rpartition(":")[2]))),
    ):
        pass


def serve(*words: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "aioappsapi.sandbox", *words]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    assert child.stdout is not None
    return child, child.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_cleanly(number: int) -> None:
    child, url = serve("--apps=3")
    assert url.startswith("http://127.0.0.1:")
    child.send_signal(number)
    assert child.communicate(timeout=120) == ("", "")
    assert child.returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--fault", "crash"], 2, "--fault takes NAME=VALUE, not 'crash'"),
        (["--fault", "crash=2"], 2, "crash must be a share between 0 and 1, not 2"),
        (["--cells", "0"], 2, "cells must be at least 1, not 0"),
        (["--apps=-1"], 2, "apps must be at least 0, not -1"),
        (["--port", "70000"], 3, "cannot listen on port 70000"),
    ],
)
def test_wrong_options_are_reported_in_one_line(words: list[str], code: int, told: str) -> None:
    child, _ = serve(*words)
    _, errors = child.communicate(timeout=120)
    assert child.returncode == code
    assert told in errors.splitlines()[-1]
    assert "Traceback" not in errors


@pytest.mark.parametrize("module", ["aioappsapi.sandbox", "aioappsapi"])
def test_a_port_in_use_is_reported_in_one_line(module: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = [] if module.endswith("sandbox") else ["sandbox"]
        command = [sys.executable, "-m", module, *words, f"--port={port}"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 3
    assert done.stderr == f"cannot listen on port {port}: Address already in use\n"


def test_the_help_lists_the_options() -> None:
    command = [sys.executable, "-m", "aioappsapi", "sandbox", "--help"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert "aioappsapi sandbox" in done.stdout
    assert "--max-starting-per-cell" in done.stdout
