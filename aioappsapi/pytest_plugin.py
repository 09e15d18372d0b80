"""A pytest plugin: a Cloud Controller for tests of software that uses this library.

`cf_sandbox` is a running `Sandbox`, `cf_client` an open `Client` of it (it needs pytest-asyncio).
``@pytest.mark.cf_sandbox(apps=50, seed=7, profile="chaos")`` configures it. A test that fails
shows the last requests that came in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from aioappsapi.client import Client
    from aioappsapi.sandbox import Sandbox

_SHOWN: Final = 20
_MARKER: Final = (
    "cf_sandbox(apps=10, seed=0, profile='none', **settings): what the cf_sandbox of this test is "
    "like; profile is none, demo or chaos, or give faults=Faults(...); settings are those of "
    "aioappsapi.sandbox.Sandbox"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


def _plain_client() -> None:
    """Fail with the name of the missing package."""
    raise pytest.UsageError("cf_client needs pytest-asyncio, which is not installed.")


@pytest.fixture
def cf_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Serve a Cloud Controller of this test's own, in a thread; `url` is its address."""
    # Imported here, so that a test run without a sandbox does not pay for one.
    from aioappsapi.sandbox.server.thread import SandboxThread

    with SandboxThread(_sandbox(request.node.get_closest_marker("cf_sandbox"))) as sandbox:
        yield sandbox


def _sandbox(marker: pytest.Mark | None) -> Sandbox:
    """Make the sandbox that the marker describes. Raises UsageError for an invalid setting."""
    from aioappsapi.sandbox import Faults, Sandbox

    settings: dict[str, Any] = dict(marker.kwargs) if marker is not None else {}
    profile = settings.pop("profile", None)
    try:
        if profile is not None:
            settings["faults"] = Faults.profile(profile)
        return Sandbox(*(marker.args if marker is not None else ()), **settings)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"cf_sandbox: {error}") from None


async def _cf_client(cf_sandbox: Sandbox) -> AsyncIterator[Client]:
    """Open a client of `cf_sandbox`, logged in as its admin."""
    from aioappsapi import Client, PasswordGrant, Tls

    auth = PasswordGrant("admin", "admin")
    ca_file = cf_sandbox.ca_file if cf_sandbox.tls else None
    async with Client(cf_sandbox.url, auth=auth, ssl=Tls(ca_file=ca_file), proxy="") as client:
        yield client


def _client_fixture() -> object:
    if find_spec("pytest_asyncio") is None:
        return pytest.fixture(name="cf_client")(_plain_client)
    import pytest_asyncio

    return pytest_asyncio.fixture(name="cf_client")(_cf_client)


cf_client = _client_fixture()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the last requests to the report of a test that failed."""
    report = yield
    sandbox: Sandbox | None = getattr(item, "funcargs", {}).get("cf_sandbox")
    if report.failed and sandbox is not None:
        last = list(sandbox.requests)[-_SHOWN:]
        lines = [f"{one.status} {one.method} {one.path_qs}" for one in last]
        report.sections.append(("last requests to cf_sandbox", "\n".join(lines) or "none"))
    return report
